"""How many samples an acceleration pays for, and how many of them the centre takes."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import ArgumentError


def columns(shape: tuple[int, int], acceleration: float, center: float) -> tuple[int, int]:
    """Columns to acquire, ``round(kx / acceleration)``, and columns of the centre, ``round(kx center)``.

    Args:
        shape: (ky, kx) of k-space.
        acceleration: all columns over acquired columns, at least 1.
        center: fraction of the columns in the fully sampled centre, 0 to 1.

    Raises:
        ArgumentError: a value outside its range, no column left to acquire, or a centre wider than what is acquired.
    """
    check(shape, acceleration, center)
    kx = shape[1]
    n, width = round(kx / acceleration), round(kx * center)
    _check_budget(n, width, f"the {kx} columns", acceleration, f"center {center:g} is {width} columns")
    return n, width


def samples(shape: tuple[int, int], acceleration: float, center: float) -> tuple[int, tuple[int, int]]:
    """Samples of a 2-D mask, ``round(ky kx / acceleration)``, and the sides of its centre, ``round(n center)`` each.

    ``center`` is the fraction of *each side*, so that the number that gives 20 calibration columns of 256 in a
    column mask gives a 20 x 20 calibration block here. Raises what :func:`columns` raises.
    """
    check(shape, acceleration, center)
    ky, kx = shape
    n, sides = round(ky * kx / acceleration), (round(ky * center), round(kx * center))
    block = f"center {center:g} is a block of {sides[0]} x {sides[1]} samples"
    _check_budget(n, sides[0] * sides[1], f"the {ky} x {kx} samples", acceleration, block)
    return n, sides


def check(shape: tuple[int, int], acceleration: float, center: float) -> None:
    """Raise ArgumentError unless the three arguments of every mask are in range."""
    if len(shape) != 2 or min(shape) < 1:
        raise ArgumentError(f"shape is {tuple(shape)}; wanted (ky, kx), both at least 1")
    if not (math.isfinite(acceleration) and acceleration >= 1):
        raise ArgumentError(f"acceleration is {acceleration}; wanted a finite number of at least 1")
    if not 0 <= center <= 1:
        raise ArgumentError(f"center is {center}; wanted a fraction of the columns, from 0 to 1")


def _check_budget(n: int, core: int, total: str, acceleration: float, centre: str) -> None:
    if n < 1:
        raise ArgumentError(f"acceleration {acceleration:g} leaves none of {total}; lower it")
    if core > n:
        raise ArgumentError(
            f"{centre}, but acceleration {acceleration:g} acquires only {n} of {total}; lower center or acceleration"
        )


def centred(n: int, width: int) -> slice:
    """The middle ``width`` of ``n`` indices; index ``n // 2`` is the origin of k-space and its index ``width // 2``."""
    start = n // 2 - width // 2
    return slice(start, start + width)


def column_mask(kx: int, width: int, chosen: Tensor | None = None) -> Tensor:
    """Mask (1, kx) of ``width`` columns in the middle and the column numbers ``chosen``."""
    mask = torch.zeros(1, kx, dtype=torch.bool)
    mask[:, centred(kx, width)] = True
    if chosen is not None:
        mask[:, chosen] = True
    return mask


def outer(mask: Tensor) -> Tensor:
    """Flat indices of the entries that are not sampled yet."""
    return (~mask).flatten().nonzero().flatten()
