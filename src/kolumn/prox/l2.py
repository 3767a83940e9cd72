"""The squared norm and its proximal map."""

from __future__ import annotations

from torch import Tensor

from ..shapes import PLANE
from .shrink import magnitude


def squared_norm(x: Tensor) -> Tensor:
    """1/2 ||x||^2 of images (..., y, x), real (...)."""
    return magnitude(x).square().sum(PLANE) / 2


def prox_l2(x: Tensor, t: float | Tensor) -> Tensor:
    """argmin_u 1/2 ||u - x||^2 + t/2 ||u||^2 = x / (1 + t).

    Args:
        x: any shape.
        t: strength >= 0, a number or a real tensor that broadcasts to x.
    """
    return x / (1 + t)
