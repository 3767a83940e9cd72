"""lambda by itself: the one that predicts hidden lines best."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice

from torch import Tensor

from ..acquisition import Acquisition
from ..coils import noise_from_edge
from ..errors import ArgumentError
from .clock import Clock
from .holdout import hide
from .penalty import Penalty
from .task import State, Task, diverged

_FIRST, _STEP, _TRIALS = 0.03, 10**-0.4, 7  # of the largest magnitude of A^H y
_USUAL, _TRUST = 0.002, 0.05  # of that, and how much it counts where there is one coil
_FLOOR = 0.07  # of the noise, where coils can amplify it
_PAST = 1.3  # what has clearly risen again
_TIME = 0.5  # of the time, where there is a limit


def choose_lam(
    entry: Acquisition, task: Task, penalty: Callable[[Tensor], Penalty], seed: int, clock: Clock
) -> tuple[float, State, bool]:
    """The lambda with the least predicted error, and the state to go on from.

        E(lambda) = ||(M - H) r||^2 + n / n_H ||H r||^2,  r = F S x_lambda - y,
        x_lambda = argmin 1/2 ||(M - H) F S x - y||^2 + lambda R(x)

    H takes n_H samples, about 8 % of what was acquired; n is the number of all that x had not seen, hidden or never
    acquired. So E estimates how far x_lambda is from all of k-space: from what was acquired it is known, and what
    was not is taken to be as far off as what was hidden. Lambda goes down in steps of 10^0.4, each with a few
    iterations from where the one before arrived, until E has clearly risen again. That follows the path of solutions
    the way it is smooth, where a golden section would jump. The minimum is that of the parabola in log lambda through
    the best of these and its neighbours. With several coils lambda is at least 7 % of the noise, which they amplify
    where lambda is smaller. A single coil predicts hidden lines so badly that E hardly depends on lambda; there it is
    times exp(0.05 d^2), d being the decades from what is usually best, 0.002. Costs about two solves.

    Reference: cross-validation, as in Smoothing noisy data with spline functions, Craven and Wahba, 1979,
    doi:10.1007/BF01404567.

    Args:
        entry: one entry, with maps.
        task: its problem.
        penalty: as for :class:`Task`.
        seed: of the choice of lines.
        clock: no new lambda is tried once half of its time is over.

    Returns:
        tuple: lambda in units of task.scale; the state; whether the search came to its end before the time did.
    """
    hidden = hide(entry, seed)
    kept = entry.mask & ~hidden
    fit = Task(replace(entry, kspace=entry.kspace * kept, mask=kept), penalty)
    unseen = (kept.numel() - int(kept.sum())) / max(int(hidden.sum()), 1)
    ratio = fit.scale / task.scale
    trials: list[tuple[float, float]] = []
    effort = task.penalty.trial if entry.n_coils > 1 else task.penalty.trial * 2 // 3
    state = fit.begin()
    for lam in _descending(task.penalty.size):
        for state in islice(fit.iterates(lam / ratio, state), effort):  # noqa: B007, B020, the way down from it
            pass
        u = state.u * ratio
        error = task.misfit(u, kept) + unseen * task.misfit(u, hidden)
        trials.append((math.log(lam), error * _unusual(lam / task.penalty.size, entry.n_coils)))
        if not trials[-1][1] < math.inf:
            raise diverged("auto")
        found = trials[-1][1] > _PAST * min(e for _, e in trials) or len(trials) == _TRIALS
        if found or clock.passed(_TIME):
            break
    return max(math.exp(_lowest(trials)), _floor(entry, task)), task.carry_on(state, ratio), found


def _descending(size: float) -> Iterator[float]:
    return (size * _FIRST * _STEP**i for i in range(_TRIALS))


def _unusual(lam: float, n_coils: int) -> float:
    return math.exp(_TRUST * math.log10(lam / _USUAL) ** 2) if n_coils == 1 else 1.0


def _lowest(trials: list[tuple[float, float]]) -> float:
    """The log lambda where the parabola through the least E and its neighbours is lowest; at an end, that end."""
    best = min(range(len(trials)), key=lambda i: trials[i][1])
    if best in (0, len(trials) - 1):
        return trials[best][0]
    (a, before), (b, least), (_, after) = trials[best - 1 : best + 2]
    return b + (b - a) * (before - after) / (2 * (before - 2 * least + after))  # the first of equals: before > least


def _floor(entry: Acquisition, task: Task) -> float:
    if entry.n_coils == 1:
        return 0.0
    try:
        noise = noise_from_edge(entry) if entry.noise is None else entry.noise
    except ArgumentError:  # k-space too small to have an edge
        return 0.0
    return _FLOOR * float(noise.diagonal().real.mean().clamp_min(0).sqrt()) / task.scale
