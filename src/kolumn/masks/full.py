"""Everything acquired."""

from __future__ import annotations

import torch
from torch import Tensor

from .counts import check


def full(shape: tuple[int, int], acceleration: float, center: float, generator: torch.Generator) -> Tensor:
    """Every column, whatever the acceleration: the reference to compare with.

    Args:
        shape: (ky, kx) of k-space, samples.
        acceleration: checked and not used.
        center: checked and not used.
        generator: not used.

    Returns:
        Tensor: bool (1, kx).

    Raises:
        ArgumentError: a value outside its range.
    """
    check(shape, acceleration, center)
    return torch.ones(1, shape[1], dtype=torch.bool)
