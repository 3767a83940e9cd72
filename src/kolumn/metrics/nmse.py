"""Normalised mean squared error."""

from __future__ import annotations

from torch import Tensor

from .pair import pair


def nmse(reference: Tensor, image: Tensor) -> float:
    """Normalised mean squared error of a volume: 0 is perfect, 1 what an empty image gets.

        NMSE = ||x - y||^2 / ||x||^2

    Reference: Zbontar et al., "fastMRI: An Open Dataset and Benchmarks for Accelerated MRI", 2018, arXiv:1811.08839.

    Args:
        reference: x, real (slice, y, x) or (y, x), any unit.
        image: y, of the same shape and unit.

    Raises:
        ArgumentError: complex values, different shapes, NaN, or a reference of zeros.
    """
    x, y = pair(reference, image)
    scale = x.abs().max()  # keeps the squares of tiny and huge units within float64
    return float(((x - y) / scale).square().sum() / (x / scale).square().sum())
