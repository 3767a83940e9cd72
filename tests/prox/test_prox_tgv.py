"""Total generalised variation against dense differences, short of convergence and at the end."""

import numpy as np
import pytest
import torch
from dense import draw, gradient, lengths, projected, symmetric_gradient

from kolumn.prox import prox_tgv, prox_tv, total_generalized_variation, total_variation

SHAPE = (5, 7)
N = SHAPE[0] * SHAPE[1]


def paper(x, t, n):
    """Chambolle and Pock's algorithm 1 on the stacked variable (u, w), with one dense matrix."""
    D, E = gradient(SHAPE), symmetric_gradient(SHAPE)
    K = np.block([[D, -np.eye(2 * N)], [np.zeros((3 * N, N)), E]])
    tau = sigma = 1 / np.sqrt(12)
    b = x.numpy().ravel()
    v = v_bar = np.concatenate([b, np.zeros(2 * N)])
    y = np.zeros(5 * N, dtype=complex)
    for _ in range(n):
        y = y + sigma * K @ v_bar
        y = np.concatenate([projected(y[: 2 * N], t, 2), projected(y[2 * N :], 2 * t, 3)])
        new = v - tau * K.T @ y
        new[:N] = (new[:N] + tau * b) / (1 + tau)
        v_bar, v = 2 * new - v, new
    return torch.from_numpy(v[:N]).reshape(SHAPE), torch.from_numpy(v[N:]).reshape(2, *SHAPE)


def optimum(x, t, n=6000, rho=0.5):
    """Another algorithm: ADMM with dense inverses."""
    D, E = gradient(SHAPE), symmetric_gradient(SHAPE)
    K = np.block([[D, -np.eye(2 * N)], [np.zeros((3 * N, N)), E]])
    P = np.diag(np.r_[np.ones(N), np.zeros(2 * N)])
    inverse = np.linalg.pinv(P + rho * K.T @ K)
    b = np.concatenate([x.numpy().ravel(), np.zeros(2 * N)])
    z = d = np.zeros(5 * N, dtype=complex)
    for _ in range(n):
        v = inverse @ (b + rho * K.T @ (z - d))
        h = K @ v + d
        d = np.concatenate([projected(h[: 2 * N], t / rho, 2), projected(h[2 * N :], 2 * t / rho, 3)])
        z = h - d
    return torch.from_numpy(v[:N]).reshape(SHAPE), torch.from_numpy(v[N:]).reshape(2, *SHAPE)


def objective(x, t, u, w):
    return float(0.5 * (u - x).abs().square().sum() + t * total_generalized_variation(u, w))


def test_the_value():
    x, w = draw(2, *SHAPE), draw(2, 2, *SHAPE, seed=1)
    for i in range(2):
        first = gradient(SHAPE) @ x[i].numpy().ravel() - w[:, i].numpy().ravel()
        second = symmetric_gradient(SHAPE) @ w[:, i].numpy().ravel()
        want = lengths(first, 2).sum() + 2 * lengths(second, 3).sum()
        assert float(total_generalized_variation(x, w)[i]) == pytest.approx(want, rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 8])
def test_each_step_is_the_papers(n):
    x = draw(*SHAPE)
    for ours, theirs in zip(prox_tgv(x, 0.3, n), paper(x, 0.3, n), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_the_end_is_the_minimiser():
    x = draw(*SHAPE)
    found, want = prox_tgv(x, 0.3, 3000), optimum(x, 0.3)
    assert objective(x, 0.3, *found) == pytest.approx(objective(x, 0.3, *want), rel=1e-6)
    torch.testing.assert_close(found[0], want[0], rtol=0, atol=1e-3)
    assert objective(x, 0.3, *found) < objective(x, 0.3, prox_tv(x, 0.3, 500), torch.zeros(2, *SHAPE))


def test_it_is_never_more_than_total_variation():
    x = draw(*SHAPE)
    torch.testing.assert_close(
        total_generalized_variation(x, torch.zeros(2, *SHAPE, dtype=x.dtype)), total_variation(x), rtol=1e-12, atol=0
    )


def test_entries_have_their_own_strength():
    x = draw(3, *SHAPE) * torch.tensor([1.0, 30.0, 0.1]).double()[:, None, None]
    t = torch.tensor([0.2, 3.0, 0.05], dtype=torch.float64)[:, None, None]
    u, w = prox_tgv(x, t, 9)
    for i in range(3):
        alone = prox_tgv(x[i], float(t[i]), 9)
        torch.testing.assert_close(u[i], alone[0])
        torch.testing.assert_close(w[:, i], alone[1])


def test_limits():
    x = draw(*SHAPE)
    torch.testing.assert_close(prox_tgv(x, 0.0, 5)[0], x)
    u, w = prox_tgv(torch.zeros_like(x), 0.5, 5)
    assert not u.any()
    assert not w.any()
    assert prox_tgv(x, 0.5, 0)[1].shape == (2, *SHAPE)


@pytest.mark.parametrize("scale", [1e-10, 1e12])
def test_single_precision_in_any_unit(scale):
    x = draw(*SHAPE, dtype=torch.complex64)
    u, w = prox_tgv(scale * x, scale * 0.3, 9)
    want = prox_tgv(x, 0.3, 9)
    assert u.dtype == w.dtype == torch.complex64
    torch.testing.assert_close(u / scale, want[0], rtol=0, atol=1e-5)
    torch.testing.assert_close(w / scale, want[1], rtol=0, atol=1e-5)
