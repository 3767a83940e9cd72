"""Primal-dual steps against Condat, written out for one entry, on the way and at the end."""

from itertools import islice

import numpy as np
import pytest
import torch
from lasso import (
    BRIGHTNESS,
    LAM,
    analysis,
    apply,
    check_alone,
    check_residuals,
    check_scales,
    check_zeros,
    data,
    dot,
    gradient,
    matrices,
    objective,
    project,
    prox_dual,
    solve,
)

from kolumn.solvers import admm, pdhg

RIDGE = 0.3  # of the penalty g that some of the tests have
TAU, SIGMA = 1 / 1.5, 1.0  # 1 / tau - sigma = 1/2


def prox_ridge(v, t):
    return v / (1 + RIDGE * t)


def run(M, b, n, tau=TAU, sigma=SIGMA, smooth=True, ridge=True, relaxation=1.0, lam=LAM):
    K = analysis().to(b.dtype)
    start = torch.zeros_like(b)
    steps = pdhg(
        apply(K),
        apply(K.mH),
        prox_dual(lam),
        start,
        apply(K)(start),
        tau,
        sigma,
        dot,
        gradient(M, b) if smooth else None,
        prox_ridge if ridge else None,
        relaxation,
    )
    return list(islice(steps, n))


def paper(M, b, n, tau, sigma, relaxation=1.0, ridge=True):
    """Algorithm 3.1 of Condat."""
    K = analysis().numpy()
    x, u, found = np.zeros(len(b), dtype=complex), np.zeros(len(K), dtype=complex), []
    for _ in range(n):
        x_new = x - tau * M.conj().T @ (M @ x - b) - tau * K.conj().T @ u
        x_new = x_new / (1 + RIDGE * tau) if ridge else x_new
        u_new = project(u + sigma * K @ (2 * x_new - x), LAM)
        x = relaxation * x_new + (1 - relaxation) * x
        u = relaxation * u_new + (1 - relaxation) * u
        found.append(torch.from_numpy(x))
    return found


@pytest.mark.parametrize("ridge", [True, False])
@pytest.mark.parametrize(("tau", "relaxation"), [(TAU, 1.0), (0.5, 1.3)])
def test_each_iterate_is_the_papers(tau, relaxation, ridge):
    M, b = matrices(), data()
    found = run(M, b, 25, tau, relaxation=relaxation, ridge=ridge)
    for i in range(3):
        want = paper(M[i].numpy(), b[i].numpy(), 25, tau, SIGMA, relaxation, ridge)
        for ours, theirs in zip(found, want, strict=True):
            torch.testing.assert_close(ours.x[i], theirs, rtol=1e-8, atol=1e-10 * float(BRIGHTNESS[i]))


def test_steps_for_each_entry():
    M, b = matrices(), data()
    tau = torch.tensor([[0.6], [0.3], [0.5]], dtype=torch.float64)
    sigma = torch.tensor([[1.0], [2.0], [0.4]], dtype=torch.float64)
    found = run(M, b, 9, tau, sigma)
    for i in range(3):
        want = paper(M[i].numpy(), b[i].numpy(), 9, float(tau[i]), float(sigma[i]))
        torch.testing.assert_close(found[-1].x[i], want[-1], rtol=1e-8, atol=1e-10 * float(BRIGHTNESS[i]))


def test_chambolle_and_pock_without_a_smooth_term():
    """min 1/2 ||x - a||^2 + lam |K x|_1: their two lines, with the extrapolation where they have it."""
    K, a = analysis().numpy(), data()[0].numpy()
    tau = sigma = 0.9
    x, x_bar, y = np.zeros_like(a), np.zeros_like(a), np.zeros(len(K), dtype=complex)
    want = []
    for _ in range(6):
        y = project(y + sigma * K @ x_bar, LAM)
        x_new = (x - tau * K.conj().T @ y + tau * a) / (1 + tau)
        x_bar, x = 2 * x_new - x, x_new
        want.append(torch.from_numpy(x))
    # Ours has x first: it is theirs one step on, from u = their first y, which is 0 for x_bar = 0.
    K, a = analysis(), data()[0]
    zero = torch.zeros_like(a)
    steps = pdhg(
        apply(K),
        apply(K.mH),
        prox_dual(),
        zero,
        apply(K)(zero),
        tau,
        sigma,
        dot,
        prox=lambda v, t: (v + t * a) / (1 + t),
    )
    for ours, theirs in zip(islice(steps, 6), want, strict=True):
        torch.testing.assert_close(ours.x, theirs)


def test_the_end_is_that_of_admm():
    M, b, K = matrices(), data(), analysis()
    start = torch.zeros_like(b)
    want = list(
        islice(
            admm(solve(M, b, K), apply(K), apply(K.mH), lambda v, t: v - clip_to(v, LAM * t), start, 0.1, dot, dot), 900
        )
    )[-1]
    found = run(M, b, 6000, ridge=False)[-1]
    ratio = objective(M, b, found.x, K) / objective(M, b, want.x, K)
    torch.testing.assert_close(ratio, torch.ones_like(ratio), rtol=1e-5, atol=0)


def clip_to(v, t):
    return v * (t / v.abs().clamp_min(1e-300)).clamp_max(1)


def test_residuals():
    M, b = matrices(), data()
    check_residuals(run(M, b, 8, relaxation=1.2), torch.zeros_like(b))


def test_entries_are_as_if_alone():
    check_alone(run, matrices(), data())


def test_any_unit():
    check_scales(lambda M, b, lam, n: run(M, b, n, lam=lam))


def test_zeros():
    check_zeros(run)
