"""What an iterative algorithm hands out after each iteration."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Iterate(NamedTuple):
    """State after an iteration.

    Attributes:
        x: the solution so far.
        residual: how far there is to go, relative and per entry of the batch, as ``dot`` shapes it. For conjugate
            gradients the norm of b - A x over the norm of b, 0 where b is 0; for the others the norm of the last
            change of x over the norm of x, 0 where x is 0.
    """

    x: Tensor
    residual: Tensor


def relative_change(x: Tensor, before: Tensor, dot: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """||x - x_before|| / ||x|| per entry, 0 where x is 0."""
    change = x - before
    size = dot(x, x)
    nonzero = size > 0
    ratio = dot(change, change) / torch.where(nonzero, size, torch.ones_like(size))
    return torch.where(nonzero, ratio, torch.zeros_like(ratio)).sqrt()
