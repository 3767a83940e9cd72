"""FISTA and POGM, each against its papers, written out for one entry, on the way and at the end."""

from functools import partial
from itertools import islice

import numpy as np
import pytest
import torch
from lasso import (
    BRIGHTNESS,
    LAM,
    check_alone,
    check_residuals,
    check_scales,
    check_zeros,
    data,
    dot,
    gradient,
    matrices,
    objective,
    prox,
    soft,
)

from kolumn.solvers import fista, pogm


def run(solver, M, b, n, step=1.0, lam=LAM):
    return list(islice(solver(gradient(M, b), prox(lam), torch.zeros_like(b), step, dot), n))


def paper_fista(M, b, n, step):
    """Beck and Teboulle with the gradient restart of O'Donoghue and Candes: the iterates, and when it restarted."""
    x = y = np.zeros_like(b)
    t, found, restarts = 1.0, [], []
    for k in range(n):
        new = soft(y - step * M.conj().T @ (M @ y - b), step * LAM)
        if np.vdot(y - new, new - x).real > 0:
            t = 1.0
            restarts.append(k)
        t_new = (1 + np.sqrt(1 + 4 * t**2)) / 2
        y = new + (t - 1) / t_new * (new - x)
        x, t = new, t_new
        found.append(torch.from_numpy(x))
    return found, restarts


def paper_pogm(M, b, n, step):
    """Taylor et al. with the gradient restart of Kim and Fessler: the iterates, and when it restarted."""
    L = 1 / step
    x = y = z = s = np.zeros_like(b)
    theta, zeta, found, restarts = 1.0, 1.0, [], []
    for k in range(n):
        new_theta = (1 + np.sqrt(4 * theta**2 + 1)) / 2
        slope = M.conj().T @ (M @ x - b)
        new_y = x - slope / L
        new_z = (
            new_y
            + (theta - 1) / new_theta * (new_y - y)
            + theta / new_theta * (new_y - x)
            + (theta - 1) / (L * zeta * new_theta) * (z - x)
        )
        new_zeta = (2 * theta + new_theta - 1) / (L * new_theta)
        new_x = soft(new_z, new_zeta * LAM)
        composite = slope - (new_x - new_z) / new_zeta
        new_s = x - composite / L
        if np.vdot(-composite, new_s - s).real < 0:
            new_theta = 1.0
            restarts.append(k)
        x, y, z, s, theta, zeta = new_x, new_y, new_z, new_s, new_theta, new_zeta
        found.append(torch.from_numpy(x))
    return found, restarts


PAPERS = {fista: paper_fista, pogm: paper_pogm}
both = pytest.mark.parametrize("solver", PAPERS, ids=lambda s: s.__name__)


@both
@pytest.mark.parametrize(("step", "seed"), [(1.0, 0), (0.6, 0), (0.6, 5)])
def test_each_iterate_is_the_papers(step, seed, solver):
    M, b = matrices(seed=seed), data(seed=seed + 5)
    found = run(solver, M, b, 60, step)
    seen = []
    for i in range(3):
        want, restarts = PAPERS[solver](M[i].numpy(), b[i].numpy(), 60, step)
        for ours, theirs in zip(found, want, strict=True):
            torch.testing.assert_close(ours.x[i], theirs, rtol=1e-8, atol=1e-9 * float(BRIGHTNESS[i]))
        seen.append(tuple(restarts))
    assert len(set(seen)) > 1  # or else restarts of entries were not told apart
    assert any(seen)


@both
def test_a_step_for_each_entry(solver):
    M, b = matrices(), data()
    steps = torch.tensor([[1.0], [0.5], [0.8]], dtype=torch.float64)
    found = run(solver, M, b, 25, steps)
    for i in range(3):
        want, _ = PAPERS[solver](M[i].numpy(), b[i].numpy(), 25, float(steps[i]))
        torch.testing.assert_close(found[-1].x[i], want[-1], rtol=1e-8, atol=1e-9 * float(BRIGHTNESS[i]))


@both
def test_restarts_pay(solver):
    M, b = matrices(), data()
    best = objective(M, b, run(solver, M, b, 4000)[-1].x)
    excess = objective(M, b, run(solver, M, b, 150)[-1].x) / best - 1
    assert float(excess.max()) < 1e-5


@both
def test_it_starts_where_it_is_told(solver):
    M, b = matrices(), data()
    start = run(solver, M, b, 3000)[-1].x
    first = next(solver(gradient(M, b), prox(), start, 1.0, dot))
    torch.testing.assert_close(first.x, start, rtol=1e-6, atol=1e-8)
    assert float(first.residual.max()) < 1e-6


@both
def test_residuals(solver):
    M, b = matrices(), data()
    check_residuals(run(solver, M, b, 8), torch.zeros_like(b))


@both
def test_entries_are_as_if_alone(solver):
    check_alone(partial(run, solver), matrices(), data())


@both
def test_any_unit(solver):
    check_scales(lambda M, b, lam, n: run(solver, M, b, n, lam=lam))


@both
def test_zeros(solver):
    check_zeros(partial(run, solver))


def test_it_is_ahead_of_fista_by_the_square_root_of_two():
    """Where there is no g and nothing restarts, on the worst function of both: small steps down a gentle slope."""
    M = torch.full((1, 1, 1), 0.003, dtype=torch.complex128)
    b = torch.ones(1, 1, dtype=torch.complex128)
    ours, theirs = (
        list(islice(solver(gradient(M, b), lambda v, t: v, torch.zeros_like(b), 1.0, dot), 60))[-1].x
        for solver in (pogm, fista)
    )
    assert float(ours.real) > 1.3 * float(theirs.real) > 0
