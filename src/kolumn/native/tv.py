"""The pointwise steps of AL-P2 for total variation, compiled."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from math import sqrt

import torch
from torch import Tensor

from .library import check, library, pointer


@dataclass(frozen=True)
class NativeTV:
    """What :class:`kolumn.solvers.SplitSteps` does for the isotropic TV of one complex64 image, in two passes.

    Attributes:
        kernels: see :func:`library`.
        b: A^H y, (..., y, x) with one image.
        rho: weight of the copy of D x.
        mu: weight of the copy of the data; None: there is no such copy.
        threshold: lambda / rho.
        relaxation: a.
        weight: what the threshold is multiplied with at each pixel, float32 (y, x).
    """

    kernels: ctypes.CDLL
    b: Tensor
    rho: float
    mu: float | None
    threshold: float
    relaxation: float
    weight: Tensor

    def pull(self, h: Tensor, U: Tensor, V: Tensor) -> tuple[Tensor, None]:
        """The right-hand side b + mu U + (mu - 1) V + rho D^H (2 s h - h)."""
        r = torch.empty_like(self.b)
        data = (None, None) if self.mu is None else (pointer(U), pointer(V))
        numbers = (*map(ctypes.c_float, (self.rho, self.mu or 0.0, self.threshold)), *self._shape)
        given = (pointer(h), pointer(self.b), *data, pointer(self.weight))
        check(self.kernels.kolumn_tv_pull(*given, *numbers, pointer(r)))
        return r, None

    def push(
        self, h: Tensor, U: Tensor, V: Tensor, x: Tensor, before: Tensor, Gx: Tensor | None, kept: Tensor | None
    ) -> Tensor:
        """Change h, U and V in place; returns the relative change of x."""
        energies = (ctypes.c_double * 2)()
        images = (pointer(t) for t in (h, U, V, x, before))
        G = None if Gx is None else pointer(Gx)
        numbers = (*map(ctypes.c_float, (self.relaxation, self.mu or 0.0, self.threshold)), *self._shape)
        check(self.kernels.kolumn_tv_push(*images, G, pointer(self.weight), *numbers, energies))
        change, size = energies
        return torch.tensor(sqrt(change / size) if size > 0 else 0 * change)

    @property
    def _shape(self) -> tuple[ctypes.c_long, ctypes.c_long]:
        return ctypes.c_long(self.b.shape[-2]), ctypes.c_long(self.b.shape[-1])


def native_tv(
    b: Tensor, rho: float, mu: float | None, threshold: float, relaxation: float, weight: Tensor
) -> NativeTV | None:
    """The compiled steps; None where there are none, or not for such an image."""
    kernels = library()
    one = b.dtype == torch.complex64 and b.device.type == "cpu" and b.numel() == b.shape[-2] * b.shape[-1]
    if kernels is None or not one or b.requires_grad:
        return None
    return NativeTV(kernels, b.contiguous(), rho, mu, threshold, relaxation, weight.contiguous())
