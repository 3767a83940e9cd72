"""What a candidate of the compressed-sensing benchmark is, and how its iterations are counted without timing them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from cs_problem import Judge

Image = Any  # tensor or array, complex (y, x)
Watch = Callable[[Image], None]


@dataclass(frozen=True)
class Candidate:
    """One way to solve a problem.

    Attributes:
        name: toolkit and algorithm.
        settings: in words; "default" or the best of the sweep.
        run: image after that many iterations from the very start; shows every iterate to the watch, where it can.
        watchable: whether ``run`` takes a watch; else it is run again and again with other counts.
        idle: seconds that have nothing to do with the problem, such as the start of a process.
    """

    name: str
    settings: str
    run: Callable[..., Image]
    watchable: bool = True
    idle: Callable[[], object] | None = None


class _EnoughError(Exception):
    pass


def iterations_to(
    candidate: Candidate, judge: Judge, gaps: Sequence[float], seconds: float, most: Sequence[int] = (100_000, 100_000)
) -> list[int | None]:
    """Iterations until the objective is within each of ``gaps`` (descending), relative to the least value.

    None: not within ``seconds`` of the candidate's own time, nor in ``most`` iterations, one number for each gap.
    """
    if not candidate.watchable:
        return _searches(candidate, judge, gaps, seconds, most)
    counter = _Counter(judge, gaps, seconds, most)
    with suppress(_EnoughError):
        candidate.run(max(most), counter)
    return counter.found


class _Counter:
    """Watches iterates; asks the judge now and then and, once the gap is closed, about those it skipped."""

    def __init__(self, judge: Judge, gaps: Sequence[float], seconds: float, most: Sequence[int]) -> None:
        self.found: list[int | None] = [None] * len(gaps)
        self._judge, self._gaps, self._seconds, self._most = judge, gaps, seconds, most
        self._kept: list[Image] = []
        self._n = 0
        self._end = time.perf_counter() + seconds

    def __call__(self, image: Image) -> None:
        now = time.perf_counter()
        self._n += 1
        self._kept.append(np.array(np.asarray(image)))
        if len(self._kept) >= self._n * 0.05 or now > self._end or self._n in self._most:
            self._ask()
        if now > self._end or None not in self.found or self._n >= self._most[self.found.index(None)]:
            raise _EnoughError
        self._end += time.perf_counter() - now

    def _ask(self) -> None:
        level = self.found.index(None)
        gap = self._judge.gap(self._kept[-1])
        while level < len(self._gaps) and gap <= self._gaps[level]:
            self.found[level] = self._first(self._gaps[level])
            level += 1
        if not np.isfinite(gap):
            raise _EnoughError
        self._kept.clear()

    def _first(self, gap: float) -> int:
        """By bisection: the gap closes once between two questions."""
        low, high = 0, len(self._kept) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if self._judge.gap(self._kept[middle]) <= gap else (middle + 1, high)
        return self._n - len(self._kept) + 1 + low


def _searches(candidate: Candidate, judge: Judge, gaps: Sequence[float], seconds: float, most: Sequence[int]) -> list:
    """The same with runs of chosen lengths."""
    found: list[int | None] = []
    for gap, limit in zip(gaps, most, strict=True):
        found.append(_search(candidate, judge, gap, seconds, limit, found[-1] if found else 0))
        if found[-1] is None:
            break
    return found + [None] * (len(gaps) - len(found))


def _search(candidate: Candidate, judge: Judge, gap: float, seconds: float, most: int, low: int) -> int | None:
    """Up by half until the gap is closed, then bisection to 2 %."""
    high = low * 3 // 2 + 8
    while True:
        high = min(high, most)
        start = time.perf_counter()
        if judge.gap(candidate.run(high)) <= gap:
            break
        if time.perf_counter() - start > seconds or high >= most:
            return None
        low, high = high, high * 3 // 2
    while high - low > max(1, high // 50):
        middle = (low + high) // 2
        low, high = (low, middle) if judge.gap(candidate.run(middle)) <= gap else (middle, high)
    return high
