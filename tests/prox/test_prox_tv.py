"""Total variation against dense differences, short of convergence and at the end."""

import numpy as np
import pytest
import torch
from dense import draw, gradient, projected

from kolumn.prox import prox_tv, total_variation

SHAPE = (5, 7)
ISOTROPIC = pytest.mark.parametrize("isotropic", [True, False])


def value(x, isotropic):
    """TV with loops."""
    ny, nx = x.shape
    total = 0.0
    for i in range(ny):
        for j in range(nx):
            y, x_ = abs(x[(i + 1) % ny, j] - x[i, j]), abs(x[i, (j + 1) % nx] - x[i, j])
            total += np.hypot(y, x_) if isotropic else y + x_
    return total


def paper(x, t, n, isotropic):
    """Beck and Teboulle's FGP as they write it, with the dual in the unit ball and a step of 1 / (8 t)."""
    D = gradient(x.shape)
    b = x.numpy().ravel()
    p = r = np.zeros(len(D), dtype=complex)
    k = 1.0
    for _ in range(n):
        new = projected(r + D @ (b - t * D.T @ r) / (8 * t), 1.0, 2, isotropic)
        k_new = (1 + np.sqrt(1 + 4 * k**2)) / 2
        r = new + (k - 1) / k_new * (new - p)
        p, k = new, k_new
    return torch.from_numpy(b - t * D.T @ p).reshape(x.shape)


def optimum(x, t, isotropic):
    """Plain projected gradients, very many."""
    D, b = gradient(x.shape), x.numpy().ravel()
    p = np.zeros(len(D), dtype=complex)
    for _ in range(6000):
        p = projected(p + D @ (b - D.T @ p) / 8, t, 2, isotropic)
    return torch.from_numpy(b - D.T @ p).reshape(x.shape)


@ISOTROPIC
def test_the_value(isotropic):
    x = draw(2, *SHAPE)
    want = torch.tensor([value(a, isotropic) for a in x.numpy()], dtype=torch.float64)
    torch.testing.assert_close(total_variation(x, isotropic), want)


@ISOTROPIC
@pytest.mark.parametrize("n", [1, 2, 3, 7])
def test_each_step_is_the_papers(n, isotropic):
    x = draw(*SHAPE)
    torch.testing.assert_close(prox_tv(x, 0.3, n, isotropic), paper(x, 0.3, n, isotropic), rtol=1e-10, atol=1e-12)


@ISOTROPIC
def test_the_end_is_the_minimiser(isotropic):
    x = draw(*SHAPE)
    want = optimum(x, 0.3, isotropic)
    torch.testing.assert_close(prox_tv(x, 0.3, 600, isotropic), want, rtol=0, atol=1e-4)
    assert float((want - x).abs().max()) > 0.2
    # and no direction leads down from it
    u = prox_tv(x, 0.3, 3000, isotropic)

    def objective(u):
        return float(0.5 * (u - x).abs().square().sum() + 0.3 * total_variation(u, isotropic))

    for seed in range(20):
        assert objective(u + 1e-3 * draw(*SHAPE, seed=10 + seed)) > objective(u)


@ISOTROPIC
def test_entries_have_their_own_strength(isotropic):
    x = draw(3, *SHAPE) * torch.tensor([1.0, 30.0, 0.1]).double()[:, None, None]
    t = torch.tensor([0.2, 3.0, 0.05], dtype=torch.float64)[:, None, None]
    found = prox_tv(x, t, 9, isotropic)
    for i in range(3):
        torch.testing.assert_close(found[i], prox_tv(x[i], float(t[i]), 9, isotropic))


def test_limits():
    x = draw(*SHAPE)
    assert torch.equal(prox_tv(x, 0.0, 5), x)
    assert torch.equal(prox_tv(x, 0.5, 0), x)
    torch.testing.assert_close(prox_tv(x, 1e3, 3000), x.mean().expand(SHAPE), rtol=0, atol=1e-5)
    assert torch.equal(prox_tv(torch.zeros_like(x), 0.5, 5), torch.zeros_like(x))
    assert prox_tv(x.to(torch.complex64), 0.5, 3).dtype == torch.complex64
    torch.testing.assert_close(total_variation(torch.ones(2, 3, 4)), torch.zeros(2))


@pytest.mark.parametrize("scale", [1e-10, 1e12])
def test_single_precision_in_any_unit(scale):
    x = draw(*SHAPE, dtype=torch.complex64)
    torch.testing.assert_close(prox_tv(scale * x, scale * 0.3, 9) / scale, prox_tv(x, 0.3, 9), rtol=0, atol=1e-5)
