"""Two stand-ins for iterative methods; their numbers follow from the data, so that each slice has its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from kolumn.acquisition import Acquisition
from kolumn.errors import ArgumentError
from kolumn.recon import ZeroFilled
from kolumn.recon.solution import Progress, Solution


def account(images: Tensor, max_iterations: int, seconds: float | None, history: bool) -> dict:
    """Of each image: the objective is half its energy, and the iterations grow with it."""
    energies = [float(one.abs().square().sum()) for one in images.reshape(-1, *images.shape[-2:])]
    wanted = [41 + 2 * round(5 * math.log10(e)) for e in energies]
    iterations = tuple(min(n, max_iterations) for n in wanted)
    why = "seconds" if seconds is not None else "iterations"
    return {
        "lam": tuple(0.001 * n for n in wanted),
        "unit": "max",
        "iterations": iterations,
        "objective": tuple(e / 2 for e in energies),
        "stopped": tuple(why if n < w else "tolerance" for n, w in zip(iterations, wanted, strict=True)),
        "history": tuple(
            tuple(Progress(0.01 * i, i, e / 2 * (1 + math.exp(-0.3 * i))) for i in range(1, n + 1))
            for n, e in zip(iterations, energies, strict=True)
        )
        if history
        else (),
    }


@dataclass(frozen=True)
class Steps:
    """Zero-filled, of any batch."""

    KIND: ClassVar[str] = "stub"

    lam: str | float = "auto"
    tolerance: float = 1e-3
    max_iterations: int = 1000
    seconds: float | None = None
    seed: int = 0
    spin: bool = True

    def __post_init__(self) -> None:
        if self.lam != "auto" and not isinstance(self.lam, str):
            raise TypeError(f"lam came as {self.lam!r}")

    def __call__(self, acquisition: Acquisition, /) -> Tensor:
        return self.solve(acquisition).image

    def solve(self, acquisition: Acquisition, history: bool = False) -> Solution:
        image = ZeroFilled()(acquisition)
        return Solution(image, **account(image, self.max_iterations, self.seconds, history))


@dataclass(frozen=True)
class Frames:
    """Zero-filled, less the mean over the frames of a series."""

    SERIES: ClassVar[bool] = True

    max_iterations: int = 1000

    def __call__(self, acquisition: Acquisition, /) -> Tensor:
        return self.solve(acquisition).image

    def solve(self, acquisition: Acquisition, history: bool = False) -> Solution:
        if acquisition.kspace.ndim != 4 or len(acquisition.kspace) < 2:
            raise ArgumentError(f"{len(acquisition.kspace)} frame; wanted several")
        image = ZeroFilled()(acquisition)
        image = image - image.mean(0, keepdim=True)
        return Solution(image, **account(image, self.max_iterations, None, history))
