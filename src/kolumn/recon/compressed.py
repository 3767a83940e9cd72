"""Compressed sensing: what all regularised methods share, from the acquisition to the account of the solution."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from ..acquisition import Acquisition, scale_maps
from ..coils import MAPS, estimate_maps, soft_support
from ..errors import ArgumentError
from ..parallel import parallel_map
from ..shapes import COIL, shape_text
from .choose import choose_lam
from .clock import Clock
from .encoded import Encoded, encode
from .penalty import Penalty
from .solution import SEARCHING, Progress, Solution
from .strength import parse_strength, unit_of, unit_size
from .task import State, Task, diverged

_WHOLE: dict[str, dict[str, Any]] = {"espirit": {"outside": 1.0}}  # no cut at the edge of the body


class Outcome(NamedTuple):
    """The account of one entry; see :class:`Solution`."""

    image: Tensor
    lam: float
    iterations: int
    objective: float
    stopped: str
    history: tuple[Progress, ...]


@dataclass(frozen=True, kw_only=True)
class CompressedSensing(ABC):
    """x = argmin 1/2 ||A x - y||^2 + lambda R(x), for each entry of the batch on its own.

    Attributes:
        SERIES: whether the last batch axis belongs to the entry, as the frames of a series do.
        PIXELWISE: whether R is a sum over pixels, each of which can have a weight.
        lam: lambda. "auto" chooses it by lines hidden from the reconstruction; a number is in units of the noise of a
            coil where that is known and of the largest magnitude of A^H y where it is not; "1.5sigma" and "0.002max"
            say which.
        tolerance: stop when an iteration changes the image by less than this fraction, >= 0.
        max_iterations: stop after that many anyway.
        seconds: stop after that time, for each entry, with the image so far; None: no limit.
        maps: how to estimate maps where the acquisition has none: "espirit" or "walsh".
        air: w in air, where the image of the calibration lines is dark: R counts 1 / w as much there, as
            :func:`kolumn.coils.soft_support` says; 1: as everywhere.
        seed: of everything random: the lines that "auto" hides, and the shifts of cycle spinning.
    """

    SERIES: ClassVar[bool] = False
    PIXELWISE: ClassVar[bool] = False

    lam: str | float = "auto"
    tolerance: float = 5e-4
    max_iterations: int = 200
    seconds: float | None = None
    maps: str = "espirit"
    air: float = 0.3
    seed: int = 0

    def __post_init__(self) -> None:
        parse_strength(self.lam)
        if not 0 <= self.tolerance < 1:
            raise ArgumentError(f"tolerance is {self.tolerance}; wanted a number from 0 to 1")
        if self.max_iterations < 1:
            raise ArgumentError(f"max_iterations is {self.max_iterations}; wanted at least 1")
        if self.seconds is not None and not self.seconds > 0:
            raise ArgumentError(f"seconds is {self.seconds}; wanted a number above 0")
        if self.maps not in MAPS:
            raise ArgumentError(f"maps is {self.maps!r}; wanted {' or '.join(MAPS)}")
        if not 0 < self.air <= 1:
            raise ArgumentError(f"air is {self.air}; wanted a number above 0, up to 1")

    @abstractmethod
    def penalty(self, x: Tensor, weight: Tensor | None = None) -> Penalty:
        """R, for images (set, y, x) like x; the weight of each pixel (y, x) is for those that are ``PIXELWISE``."""

    def calibrating(self, entry: Acquisition) -> Acquisition:
        """What tells of the coils and of the object in one entry."""
        return entry

    def estimate(self, entry: Acquisition) -> Tensor:
        """Maps of one entry."""
        return estimate_maps(self.calibrating(entry), self.maps, **_WHOLE.get(self.maps, {}))

    def __call__(self, acquisition: Acquisition, /) -> Tensor:
        """Acquisition to complex image (*batch, y, x).

        Raises:
            CalibrationError: no maps came and there are too few calibration lines to estimate them.
            ConvergenceError: the iteration diverged.
            ArgumentError: lam in units of a noise that is not known, or a single image where a series is needed.
        """
        return self.solve(acquisition).image

    def solve(self, acquisition: Acquisition, history: bool = False) -> Solution:
        """The same with the account of it.

        Args:
            acquisition: k-space (*batch, coil, ky, kx).
            history: whether to note the objective after each iteration, outside of the clock.
        """
        if self.SERIES and acquisition.kspace.ndim < 4:
            raise ArgumentError(
                f"kspace is {shape_text(acquisition.kspace)}; wanted a series (frame, coil, ky, kx); "
                "for one image try tv"
            )
        batch = acquisition.kspace.shape[: COIL - 1 if self.SERIES else COIL]
        unit = unit_of(parse_strength(self.lam), acquisition)
        places = list(product(*(range(n) for n in batch)))
        entries = (acquisition.entry(*place) if place else acquisition for place in places)
        encoded = self._encoded(acquisition, places)
        done = list(parallel_map(lambda entry: self._solve(entry, unit, history, encoded), entries))
        image = torch.stack([d.image for d in done]).reshape(*batch, *done[0].image.shape)
        return Solution(
            image,
            tuple(d.lam for d in done),
            unit,
            tuple(d.iterations for d in done),
            tuple(d.objective for d in done),
            tuple(d.stopped for d in done),
            tuple(d.history for d in done) if history else (),
        )

    def _encoded(self, acquisition: Acquisition, places: Sequence[tuple[int, ...]]) -> Encoded | None:
        """The operator of several entries, where it is the same and known before the data are looked at."""
        changed = not self.PIXELWISE and self.air < 1  # by what each of them shows of air
        if len(places) == 1 or acquisition.maps is None or changed or not acquisition.one_encoding:
            return None
        entry = acquisition.entry(*places[0])
        assert entry.maps is not None
        return encode(replace(entry, maps=scale_maps(entry.maps)))

    def _solve(self, entry: Acquisition, unit: str, history: bool, encoded: Encoded | None) -> Outcome:
        clock = Clock(self.seconds)
        if not bool(torch.count_nonzero(entry.kspace)):  # an empty slice of a volume
            return _nothing(entry)
        entry, penalty = self.problem(entry)
        task = Task(entry, penalty, encoded)
        if not task.scale > 0:  # maps that see nothing
            return _nothing(entry)
        size = unit_size(unit, entry, task.scale) / task.scale
        strength = parse_strength(self.lam)
        if strength is None:
            lam, state, found = choose_lam(entry, task, penalty, self.seed, clock)
        else:
            lam, state, found = strength.value * size, task.begin(), True
        outcome = self._descend(task, lam, state, clock, history)
        return outcome._replace(lam=lam / size, stopped=outcome.stopped if found else SEARCHING)

    def problem(self, entry: Acquisition) -> tuple[Acquisition, Callable[[Tensor], Penalty]]:
        """The entry with maps, and R: air is in the one or in the other."""
        maps = self.estimate(entry) if entry.maps is None else scale_maps(entry.maps)
        w = None if self.air == 1 else soft_support(self.calibrating(entry), self.air)
        if self.PIXELWISE or w is None:
            return replace(entry, maps=maps), partial(self.penalty, weight=None if w is None else 1 / w[0])
        return replace(entry, maps=maps * w), self.penalty

    def _descend(self, task: Task, lam: float, state: State, clock: Clock, history: bool) -> Outcome:
        way: list[Progress] = []
        began = clock.seconds()
        for n, state in enumerate(task.iterates(lam, state), start=1):  # noqa: B020, the way down from where it is
            change = float(state.residual)
            if not change < torch.inf:
                raise diverged(self.lam)
            if history:
                with clock.stopped():
                    way.append(Progress(clock.seconds() - began, n, task.objective(state.u, lam)))
            stopped = self._stop(change, n, clock)
            if stopped:
                break
        return Outcome(task.image(state.u), lam, n, task.objective(state.u, lam), stopped, tuple(way))

    def _stop(self, change: float, n: int, clock: Clock) -> str:
        if change <= self.tolerance:
            return "tolerance"
        if n >= self.max_iterations:
            return "iterations"
        return "seconds" if clock.passed() else ""


def _nothing(entry: Acquisition) -> Outcome:
    return Outcome(torch.zeros_like(entry.kspace.select(COIL, 0)), 0.0, 0, 0.0, "tolerance", ())
