"""Total generalised variation: piecewise smooth images without the stairs of total variation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..operators.gradient import Gradient, SymmetricGradient, frequencies
from ..prox import shrinkage, total_generalized_variation
from ..prox.tgv import ALPHA_0, ALPHA_1
from ..shapes import PLANE
from .compressed import CompressedSensing
from .penalty import Penalty, SplitPenalty


@dataclass(frozen=True, kw_only=True)
class TotalGeneralizedVariation(CompressedSensing):
    """x = argmin 1/2 ||A x - y||^2 + lambda TGV(x),  TGV(x) = min over w of |D x - w|_1 + 2 |E w|_1.

    Second order: where the image rises evenly, w takes the slope and costs nothing, where TV would make stairs. The
    field w is found together with x: both steps are closed forms, the one for (x, w) being 3 x 3 at each frequency.
    Both norms count pixels in air more, as :class:`TotalVariation` does.

    References: Total generalized variation, Bredies, Kunisch and Pock, 2010, doi:10.1137/090769521; Second order total
    generalized variation (TGV) for MRI, Knoll et al., 2011, doi:10.1002/mrm.22595.

    Attributes:
        lam: see :class:`CompressedSensing`, as are the others.
    """

    PIXELWISE: ClassVar[bool] = True

    def penalty(self, x: Tensor, weight: Tensor | None = None) -> Penalty:
        """TGV for images like x, each pixel weighted."""
        return TGV(x, weight)


class TGV(SplitPenalty):
    """u = (x, w_y, w_x), K u = (D x - w, E w): (3, ...) to (5, ...)."""

    def __init__(self, x: Tensor, weight: Tensor | None = None) -> None:
        self._like = x
        self._weight = 1.0 if weight is None else weight

    def embed(self, x: Tensor) -> Tensor:
        """(x, 0, 0)."""
        return torch.cat([x[None], x.new_zeros(2, *x.shape)])

    def image(self, u: Tensor) -> Tensor:
        """The image."""
        return u[0]

    def value(self, u: Tensor) -> Tensor:
        """TGV at this w."""
        return total_generalized_variation(u[0], u[1:], self._weight).sum()

    def split(self, u: Tensor) -> Tensor:
        """K u."""
        return torch.cat([Gradient().forward(u[0]).sub_(u[1:]), SymmetricGradient().forward(u[1:])])

    def merge(self, z: Tensor) -> Tensor:
        """K^H z."""
        return torch.cat([Gradient().adjoint(z[:2])[None], SymmetricGradient().adjoint(z[2:]).sub_(z[:2])])

    def shrinkage(self, h: Tensor, t: float) -> Tensor:
        """Joint over each of both parts."""
        first, second = (shrinkage(part, t * a * self._weight, 0) for part, a in ((h[:2], ALPHA_1), (h[2:], ALPHA_0)))
        return torch.cat([first, first, second, second, second])

    def inverse(self, weights: Tensor, rho: float) -> Callable[[Tensor], Tensor]:
        """3 x 3 at each frequency: diag(weights, c, c) + rho K^H K; c is the weights if they are one number, else 0."""
        wide = self._like.new_empty(0, dtype=torch.complex128)
        y, x = frequencies((self._like.shape[-2], self._like.shape[-1]), wide)
        laplacian = y.abs().square() + x.abs().square()
        back_y, back_x = -y.conj(), -x.conj()
        M = torch.zeros(*(weights + laplacian).shape, 3, 3, dtype=torch.complex128, device=self._like.device)
        M[..., 0, 0] = laplacian
        M[..., 0, 1], M[..., 0, 2] = -y.conj(), -x.conj()
        M[..., 1, 1] = 1 + back_y.abs().square() + back_x.abs().square() / 2
        M[..., 2, 2] = 1 + back_x.abs().square() + back_y.abs().square() / 2
        M[..., 1, 2] = back_x.conj() * back_y / 2
        for i, j in ((1, 0), (2, 0), (2, 1)):
            M[..., i, j] = M[..., j, i].conj()
        M *= rho
        M[..., 0, 0] += weights
        if weights.numel() == 1:  # the copy of the data is of all of u
            M[..., 1, 1] += weights
            M[..., 2, 2] += weights
        lost = weights + laplacian == 0  # the mean of the image where nothing determines it: then it stays 0
        M[..., 0, 0] += lost
        rows = torch.linalg.inv(M).to(self._like.dtype).movedim((-2, -1), (0, 1)).unsqueeze(2)

        def apply(r: Tensor) -> Tensor:
            k = torch.fft.fftn(r, dim=PLANE)
            return torch.fft.ifftn((rows * k).sum(1), dim=PLANE)

        return apply
