"""kolumn as a candidate, through its public door: METHODS["tv"] and METHODS["wavelet"]."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from cs_candidate import Candidate
from cs_problem import Problem

from kolumn.acquisition import Acquisition
from kolumn.recon import METHODS


def _method(problem: Problem, n: int):
    """The method of the problem's regulariser at its lambda, for n iterations exactly; air counts as all else."""
    relative = problem.lam / float(problem.start.abs().max())
    still = {"wavelet": "db4", "spin": False} if problem.regulariser == "wavelet" else {}  # without random shifts
    return METHODS[problem.regulariser](lam=f"{relative:.9g}max", tolerance=0, max_iterations=n, air=1, **still)


def kolumn_candidate(problem: Problem) -> Candidate | None:
    if problem.regulariser not in METHODS:
        print(f"kolumn has no {problem.regulariser} yet: skipped.")
        return None
    return Candidate("kolumn", "default", lambda n: _method(problem, n)(problem.acquisition), watchable=False)


def kolumn_batch(problems: list[Problem], n: int) -> Callable[[], torch.Tensor]:
    """All slices in one call."""
    kspace = torch.stack([p.kspace for p in problems])
    batch = replace(problems[0].acquisition, kspace=kspace, mask=problems[0].mask)
    assert isinstance(batch, Acquisition)
    method = _method(problems[0], n)
    return lambda: method(batch)
