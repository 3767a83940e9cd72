"""ADMM against Boyd et al., written out for one entry, on the way and at the end."""

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
    matrices,
    objective,
    prox,
    soft,
    solve,
)

from kolumn.solvers import admm


def run(M, b, n, rho=0.1, relaxation=1.0, balance=50, lam=LAM):
    K = analysis().to(b.dtype)
    start = torch.zeros_like(b)
    steps = admm(solve(M, b, K), apply(K), apply(K.mH), prox(lam), start, rho, dot, dot, relaxation, balance)
    return list(islice(steps, n))


def paper(M, b, n, rho, relaxation, balance):
    """Sections 3.1.1, 3.4.1 and 3.4.3: the iterates, and rho."""
    K = analysis().numpy()
    z = w = np.zeros(len(K), dtype=complex)
    found, rhos = [], []
    for k in range(n):
        x = np.linalg.solve(M.conj().T @ M + rho * K.conj().T @ K, M.conj().T @ b + rho * K.conj().T @ (z - w))
        h = relaxation * K @ x + (1 - relaxation) * z
        z_new = soft(h + w, LAM / rho)
        w = w + h - z_new
        primal, dual = np.linalg.norm(K @ x - z_new), np.linalg.norm(rho * K.conj().T @ (z_new - z))
        z = z_new
        found.append(torch.from_numpy(x))
        rhos.append(rho)
        if k < balance:
            y = rho * w  # the multiplier itself, which must not jump
            rho = 2 * rho if primal > 10 * dual else rho / 2 if dual > 10 * primal else rho
            w = y / rho
    return found, rhos


@pytest.mark.parametrize("relaxation", [1.0, 1.6])
@pytest.mark.parametrize("rho", [1e-4, 0.1, 100.0])
def test_each_iterate_is_the_papers(rho, relaxation):
    M, b = matrices(), data()
    found = run(M, b, 30, rho, relaxation, balance=8)
    for i in range(3):
        want, rhos = paper(M[i].numpy(), b[i].numpy(), 30, rho, relaxation, 8)
        for ours, theirs in zip(found, want, strict=True):
            torch.testing.assert_close(ours.x[i], theirs, rtol=1e-7, atol=1e-8 * float(BRIGHTNESS[i]))
        assert rho == 0.1 or (max(rhos) > rho if rho < 1 else min(rhos) < rho)


def test_a_rho_for_each_entry():
    M, b = matrices(), data()
    rhos = torch.tensor([[0.02], [3.0], [0.3]], dtype=torch.float64)
    found = run(M, b, 12, rhos)
    for i in range(3):
        want, _ = paper(M[i].numpy(), b[i].numpy(), 12, float(rhos[i]), 1.0, 50)
        torch.testing.assert_close(found[-1].x[i], want[-1], rtol=1e-7, atol=1e-8 * float(BRIGHTNESS[i]))


def test_balance_saves_a_bad_rho():
    M, b = matrices(), data()
    K = analysis()
    best = objective(M, b, run(M, b, 5000, 0.05)[-1].x, K)
    excess = [float((objective(M, b, run(M, b, 80, 1e3, balance=n)[-1].x, K) / best - 1).max()) for n in (0, 50)]
    assert excess[1] < 3e-3 < 0.3 < excess[0]


def test_it_starts_where_it_is_told():
    """z = K x: with a large rho the first x stays near."""
    M, b, K = matrices(), data(), analysis()
    start = data(seed=11)
    first = next(admm(solve(M, b, K), apply(K), apply(K.mH), prox(), start, 1e8, dot, dot))
    torch.testing.assert_close(first.x, start, rtol=1e-4, atol=1e-4)


def test_residuals():
    M, b = matrices(), data()
    check_residuals(run(M, b, 8), torch.zeros_like(b))


def test_entries_are_as_if_alone():
    check_alone(lambda M, b, n: run(M, b, n, rho=3.0), matrices(), data())


def test_any_unit():
    check_scales(lambda M, b, lam, n: run(M, b, n, lam=lam))


def test_zeros():
    check_zeros(run)
