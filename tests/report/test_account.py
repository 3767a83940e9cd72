"""The account of iterative methods in words, and slices as a series."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.recon import ZeroFilled
from kolumn.recon.solution import SEARCHING, Progress, Solution
from kolumn.report.account import (
    EMPTY,
    Account,
    account_record,
    account_text,
    iterations_text,
    join_accounts,
    lambda_text,
    limit_note,
    middle_history,
    objective_text,
    solve,
)
from kolumn.report.series import stack

THREE = Account(
    (43, 200, 7), (1e-9, 2e-9, 3.5e-9), (0.0012, 0.5, 0.0001), ("max",) * 3, ("tolerance", "iterations", "tolerance")
)


def kspace(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


class Told:
    """A method with two entries, and what it was asked."""

    def __call__(self, acquisition):
        raise AssertionError("solve was there")

    def solve(self, acquisition, history=False):
        way = tuple((Progress(0.1, 1, float(i)),) for i in range(4)) if history else ()
        return Solution(acquisition.kspace[..., 0, :, :], (0.1, 0.2), "sigma", (3, 4), (5.0, 6.0), ("a", "b"), way)


def test_solve():
    acquisition = acquire(kspace(2, 6, 8))
    image, account = solve(Told(), acquisition)
    assert torch.equal(image, acquisition.kspace[0])
    assert account == ((3, 4), (5.0, 6.0), (0.1, 0.2), ("sigma", "sigma"), ("a", "b"))
    image, account = solve(ZeroFilled(), acquisition)
    assert torch.equal(image, ZeroFilled()(acquisition)) and account == EMPTY


def test_history_of_the_middle_entry():
    acquisition = acquire(kspace(2, 6, 8))
    assert middle_history(Told(), acquisition) == (Progress(0.1, 1, 2.0),)
    assert middle_history(ZeroFilled(), acquisition) == ()


def test_join():
    parts = [Account(*([x] for x in column)) for column in zip(*THREE, strict=True)]
    assert join_accounts(parts) == THREE
    assert join_accounts([EMPTY, EMPTY]) == EMPTY == join_accounts([])


def test_words():
    assert iterations_text(THREE) == "43"
    assert lambda_text(THREE) == "0.0012 max"
    assert objective_text(THREE) == "6.5e-09"
    assert account_text(THREE) == "lambda 0.0012 max, 43 iterations, stopped by tolerance in 2, iterations in 1"
    one = Account((1,), (123456.7,), (1.3,), ("sigma",), ("seconds",))
    assert account_text(one) == "lambda 1.3 sigma, 1 iteration, stopped by seconds"
    assert objective_text(one) == "1.235e+05"
    assert iterations_text(join_accounts([one, THREE])) == "25"
    assert lambda_text(join_accounts([one, THREE])) == "0.25 sigma/max"
    assert [f(EMPTY) for f in (iterations_text, lambda_text, objective_text)] == ["-"] * 3


def test_note_of_the_limit():
    assert limit_note("tv", THREE) == (
        "tv stopped at its limit of 200 iterations in 1 of 3 slices and may not have converged; raise --max-iterations"
    )
    assert limit_note("tv", THREE._replace(stopped=("tolerance", "seconds", "tolerance"))) == ""
    assert limit_note("tv", EMPTY) == ""
    advice = "and went on with the best so far, mostly too large; raise --seconds or give --lam"
    had = "tv had not found its lambda when half of the time was over"
    assert limit_note("tv", THREE._replace(stopped=("seconds", SEARCHING, SEARCHING))) == (
        f"{had} in 2 of 3 slices, {advice}"
    )
    assert limit_note("tv", Account((1,), (1.0,), (1.3,), ("max",), (SEARCHING,))) == f"{had}, {advice}"


def test_record():
    assert account_record(EMPTY) == {}
    assert account_record(THREE._replace(objective=(1.0, math.inf, math.nan))) == {
        "iterations": [43, 200, 7],
        "objective": [1.0, None, None],
        "lambda": [0.0012, 0.5, 0.0001],
        "lambda_unit": "max",
        "stopped": ["tolerance", "iterations", "tolerance"],
    }


@pytest.mark.parametrize("alike", [True, False])
def test_stack(alike):
    """Each frame is what it was, its mask and calibration block too; a mask of columns goes with one of samples."""
    one = acquire(
        kspace(2, 6, 8), torch.arange(8) % 2 == 0, noise=2 * torch.eye(2), calibration=kspace(2, 6, 4, seed=3)
    )
    other = acquire(30 * kspace(2, 6, 8, seed=1), one.mask, calibration=kspace(2, 6, 4, seed=4))
    if not alike:
        other = acquire(30 * kspace(2, 6, 8, seed=1), torch.arange(48).reshape(6, 8) % 3 == 0)
    both = stack([replace(one, maps=torch.ones(2, 6, 8, dtype=torch.complex64)), other])
    assert both.maps is None and torch.equal(both.noise, one.noise)
    assert (both.calibration is not None) == alike and both.columns_only == alike
    assert both.mask.ndim == (3 if alike else 4)
    for i, frame in enumerate((one, other)):
        entry = both.entry(i)
        assert torch.equal(entry.kspace, frame.kspace)
        assert torch.equal(entry.mask.expand(2, 6, 8), frame.mask.expand(2, 6, 8))
        if alike:
            assert torch.equal(entry.calibration, frame.calibration)


def test_blocks_of_different_size_are_left_out():
    frames = [acquire(kspace(2, 6, 8), calibration=kspace(2, 6, n)) for n in (4, 5)]
    assert stack(frames).calibration is None
