"""Total variation: piecewise smooth images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from ..errors import ArgumentError
from ..native import native_tv
from ..operators.gradient import Gradient, laplacian
from ..prox import shrinkage, total_variation
from .compressed import CompressedSensing
from .penalty import Penalty, SplitPenalty, fourier_inverse

KINDS = ("isotropic", "anisotropic")


@dataclass(frozen=True, kw_only=True)
class TotalVariation(CompressedSensing):
    """x = argmin 1/2 ||A x - y||^2 + lambda TV(x),  TV(x) = sum over pixels of |D x| / w.

    D takes periodic forward differences along y and x. |D x| is the length of both (isotropic), or the sum of the two
    magnitudes (anisotropic); magnitudes are of complex numbers, so that the phase is penalised with the image. w is 1
    in the body, less in air.
    Solved by :func:`kolumn.solvers.al_p2` with every step in closed form.

    References: Nonlinear total variation based noise removal algorithms, Rudin, Osher and Fatemi, 1992,
    doi:10.1016/0167-2789(92)90242-F; Sparse MRI, Lustig, Donoho and Pauly, 2007, doi:10.1002/mrm.21391.

    Attributes:
        lam: see :class:`CompressedSensing`, as are the others.
        norm: "isotropic" or "anisotropic".
    """

    PIXELWISE: ClassVar[bool] = True

    norm: str = "isotropic"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.norm not in KINDS:
            raise ArgumentError(f"norm is {self.norm!r}; wanted {' or '.join(KINDS)}")

    def penalty(self, x: Tensor, weight: Tensor | None = None) -> Penalty:
        """TV for images like x, each pixel weighted."""
        return TV(x, weight, 0 if self.norm == "isotropic" else None)


class TV(SplitPenalty):
    """g(z) = sum c |z| with the magnitude joint over the axis ``dim``, or none, and K = D; without c, c = 1."""

    energy: Tensor

    def __init__(self, x: Tensor, weight: Tensor | None = None, dim: int | None = 0) -> None:
        self.energy = laplacian((x.shape[-2], x.shape[-1]), x)
        self._dim = dim
        self._weight = x.real.new_ones(x.shape[-2:]) if weight is None else weight
        self.compiled = partial(native_tv, weight=self._weight) if dim == 0 else None

    def value(self, u: Tensor) -> Tensor:
        """TV(u)."""
        return total_variation(u, self._dim is not None, self._weight).sum()

    def split(self, u: Tensor) -> Tensor:
        """D u."""
        return Gradient().forward(u)

    def merge(self, z: Tensor) -> Tensor:
        """D^H z."""
        return Gradient().adjoint(z)

    def shrinkage(self, h: Tensor, t: float) -> Tensor:
        """Joint over both directions, or not."""
        return shrinkage(h, t * self._weight, self._dim)

    def inverse(self, weights: Tensor, rho: float) -> Callable[[Tensor], Tensor]:
        """Diagonal in k-space: weights + rho |D|^2."""
        return fourier_inverse(weights + rho * self.energy)
