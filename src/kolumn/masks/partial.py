"""Partial Fourier: one side of k-space and a little past its centre."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import ArgumentError
from .counts import centred, check


def partial(shape: tuple[int, int], acceleration: float, center: float, generator: torch.Generator) -> Tensor:
    """The first ``round(kx / acceleration)`` columns, which reach past the centre of k-space.

    The other side follows from conjugate symmetry, once the phase is known from the columns around the centre that
    have both sides. Nothing is random; ``generator`` is not used.

    Reference: Noll, Nishimura, Macovski, "Homodyne detection in magnetic resonance imaging", 1991,
    doi:10.1109/42.79473.

    Args:
        shape: (ky, kx) of k-space, samples.
        acceleration: all columns over acquired columns, at least 1 and below 2.
        center: fraction of the columns that must be acquired around the centre.
        generator: not used.

    Returns:
        Tensor: bool (1, kx).

    Raises:
        ArgumentError: an acceleration of 2 or more, or one that cuts into the centre.
    """
    check(shape, acceleration, center)
    kx = shape[1]
    n, needed = round(kx / acceleration), max(centred(kx, round(kx * center)).stop, kx // 2 + 1)
    if acceleration >= 2:
        raise ArgumentError(f"acceleration is {acceleration:g}; a partial Fourier mask wants 1 to below 2, such as 1.5")
    if n < needed:
        raise ArgumentError(
            f"acceleration {acceleration:g} acquires {n} of {kx} columns from one end, and center {center:g} reaches to"
            f" {needed}; lower the center or the acceleration"
        )
    return (torch.arange(kx) < n)[None]
