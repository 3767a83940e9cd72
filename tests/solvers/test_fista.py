"""FISTA against its paper, written out for one entry, on the way and at the end."""

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

from kolumn.solvers import fista


def run(M, b, n, step=1.0, lam=LAM):
    return list(islice(fista(gradient(M, b), prox(lam), torch.zeros_like(b), step, dot), n))


def paper(M, b, n, step):
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


@pytest.mark.parametrize("step", [1.0, 0.6])
def test_each_iterate_is_the_papers(step):
    M, b = matrices(), data()
    found = run(M, b, 60, step)
    seen = []
    for i in range(3):
        want, restarts = paper(M[i].numpy(), b[i].numpy(), 60, step)
        for ours, theirs in zip(found, want, strict=True):
            torch.testing.assert_close(ours.x[i], theirs, rtol=1e-8, atol=1e-9 * float(BRIGHTNESS[i]))
        seen.append(tuple(restarts))
    assert len(set(seen)) > 1  # or else restarts of entries were not told apart
    assert any(seen)


def test_a_step_for_each_entry():
    M, b = matrices(), data()
    steps = torch.tensor([[1.0], [0.5], [0.8]], dtype=torch.float64)
    found = run(M, b, 25, steps)
    for i in range(3):
        want, _ = paper(M[i].numpy(), b[i].numpy(), 25, float(steps[i]))
        torch.testing.assert_close(found[-1].x[i], want[-1], rtol=1e-8, atol=1e-9 * float(BRIGHTNESS[i]))


def test_restarts_pay():
    M, b = matrices(), data()
    best = objective(M, b, run(M, b, 4000)[-1].x)
    excess = objective(M, b, run(M, b, 150)[-1].x) / best - 1
    assert float(excess.max()) < 1e-5


def test_it_starts_where_it_is_told():
    M, b = matrices(), data()
    start = run(M, b, 3000)[-1].x
    first = next(fista(gradient(M, b), prox(), start, 1.0, dot))
    torch.testing.assert_close(first.x, start, rtol=1e-6, atol=1e-8)
    assert float(first.residual.max()) < 1e-6


def test_residuals():
    M, b = matrices(), data()
    check_residuals(run(M, b, 8), torch.zeros_like(b))


def test_entries_are_as_if_alone():
    check_alone(run, matrices(), data())


def test_any_unit():
    check_scales(lambda M, b, lam, n: run(M, b, n, lam=lam))


def test_zeros():
    check_zeros(run)
