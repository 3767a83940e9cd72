"""The centred orthonormal Fourier transform as an operator."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..fourier import fft2, ifft2


@dataclass(frozen=True)
class Fourier:
    """F: images (..., y, x) to k-space (..., ky, kx). Unitary, so the adjoint is the inverse."""

    def forward(self, image: Tensor) -> Tensor:
        """F x."""
        return fft2(image)

    def adjoint(self, kspace: Tensor) -> Tensor:
        """F^H y."""
        return ifft2(kspace)
