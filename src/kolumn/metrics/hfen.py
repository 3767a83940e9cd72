"""High-frequency error norm."""

from __future__ import annotations

import torch
from torch import Tensor

from .pair import pair

SIZE, SIGMA = 15, 1.5  # pixels


def hfen(reference: Tensor, image: Tensor) -> float:
    """High-frequency error norm of a volume: the error in edges and fine detail; 0 is perfect.

        HFEN = ||h * y - h * x|| / ||h * x||,
        h(u, v) = (u^2 + v^2 - 2 s^2) / s^4 g(u, v) / sum(g) - mean,   g = exp(-(u^2 + v^2) / (2 s^2)),   s = 1.5

    h is 15 x 15 pixels and sums to 0; the slices are zero outside. Differs from the paper in the division by
    ||h * x||, which makes volumes of different brightness comparable.

    Reference: Ravishankar, Bresler, "MR image reconstruction from highly undersampled k-space data by dictionary
    learning", 2011, doi:10.1109/TMI.2010.2090538.

    Args:
        reference: x, real (slice, y, x) or (y, x), any unit.
        image: y, of the same shape and unit.

    Raises:
        ArgumentError: complex values, different shapes, NaN, or a reference of zeros.
    """
    x, y = pair(reference, image)
    scale = x.abs().max()
    pairs = zip((y - x) / scale, x / scale, strict=True)
    error, total = torch.stack([_filter(torch.stack(p)).square().sum((-2, -1)) for p in pairs]).sum(0)
    return float((error / total).sqrt())


def laplacian_of_gaussian() -> Tensor:
    """The kernel h, float64 (15, 15)."""
    u = torch.arange(SIZE, dtype=torch.float64) - SIZE // 2
    square = u[:, None] ** 2 + u**2
    g = torch.exp(-square / (2 * SIGMA**2))
    h = (square - 2 * SIGMA**2) / SIGMA**4 * g / g.sum()
    return h - h.mean()


def _filter(x: Tensor) -> Tensor:
    """Convolve (..., y, x) with h, zeros outside, same size. By FFT, since float64 convolutions are slow."""
    ny, nx = x.shape[-2:]
    full = (ny + SIZE - 1, nx + SIZE - 1)
    spectrum = torch.fft.rfft2(x, s=full) * torch.fft.rfft2(laplacian_of_gaussian(), s=full)
    filtered: Tensor = torch.fft.irfft2(spectrum, s=full)
    return filtered.narrow(-2, SIZE // 2, ny).narrow(-1, SIZE // 2, nx)
