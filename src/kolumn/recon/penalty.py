"""What a regulariser has to provide so that its minimisation problem can be solved."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor

from ..shapes import PLANE
from ..solvers import SplitSteps, Steps
from ..solvers.al_p2 import RELAXATION


class Penalty(ABC):
    """R(x) = min over w of G(u), u = (x, w); most have no w, and then u = x.

    Attributes:
        size: how large a typical lambda is, compared with that of total variation.
        trial: iterations for each lambda that "auto" tries with several coils; one coil needs fewer.
    """

    size: ClassVar[float] = 1.0
    trial: ClassVar[int]

    @abstractmethod
    def value(self, u: Tensor) -> Tensor:
        """G(u), a real scalar."""

    def embed(self, x: Tensor) -> Tensor:
        """The u of an x, with w = 0; also the adjoint of :meth:`image`."""
        return x

    def image(self, u: Tensor) -> Tensor:
        """The x of a u."""
        return u


class ProximalPenalty(Penalty):
    """One whose proximal map is known.

    Attributes:
        random: whether that map is another one each time.
    """

    trial = 26
    random: bool = False

    @abstractmethod
    def prox(self, x: Tensor, t: float) -> Tensor:
        """The u with the least t R(u) + 1/2 ||u - x||^2."""


class SplitPenalty(Penalty):
    """G(u) = g(K u), with g a sum of magnitudes.

    Attributes:
        threshold: lambda / rho, which is what is cut off, in units of the largest magnitude of A^H y; it sets
            how fast the iteration gets there, not where to.
        compiled: compiled steps, or None, of b, rho, mu, threshold and relaxation.
        energy: K^H K in uncentred k-space, real (y, x), where it is diagonal there; else None.
    """

    trial = 12
    threshold: ClassVar[float] = 0.02
    compiled: Callable[[Tensor, float, float | None, float, float], Steps | None] | None = None
    energy: Tensor | None = None

    @abstractmethod
    def split(self, u: Tensor) -> Tensor:
        """K u."""

    @abstractmethod
    def merge(self, z: Tensor) -> Tensor:
        """K^H z."""

    @abstractmethod
    def shrinkage(self, h: Tensor, t: float) -> Tensor:
        """The real s with which z = s h has the least t g(z) + 1/2 ||z - h||^2; broadcasts to h."""

    def steps(self, b: Tensor, rho: float, t: float, mu: float | None) -> Steps:
        """The pointwise steps of :func:`kolumn.solvers.al_p2`, compiled ones where there are any."""
        compiled = self.compiled(b, rho, mu, t, RELAXATION) if self.compiled else None
        return compiled or SplitSteps(b, self.split, self.merge, lambda h: self.shrinkage(h, t), rho, mu, RELAXATION)

    @abstractmethod
    def inverse(self, weights: Tensor, rho: float) -> Callable[[Tensor], Tensor]:
        """(F^H diag(weights) F + rho K^H K)^-1, with weights >= 0 in uncentred k-space, (..., y or 1, x or 1)."""


def fourier_inverse(symbol: Tensor) -> Callable[[Tensor], Tensor]:
    """The map F^H diag(1 / symbol) F; 0 where the symbol is, which nothing determines there.

    Args:
        symbol: real >= 0, uncentred, (..., y, x).
    """
    reciprocal = torch.where(symbol > 0, 1 / symbol.clamp_min(torch.finfo(symbol.dtype).tiny), 0)
    return lambda r: torch.fft.ifftn(torch.fft.fftn(r, dim=PLANE).mul_(reciprocal), dim=PLANE)
