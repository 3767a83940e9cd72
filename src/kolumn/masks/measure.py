"""What a mask really does: its true acceleration and its calibration region."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import ArgumentError
from ..shapes import PHASE, require_broadcast, shape_text


def acceleration(mask: Tensor, shape: tuple[int, ...]) -> float:
    """True acceleration: all samples over acquired samples.

    Args:
        mask: bool, broadcasts to ``shape``.
        shape: (..., ky, kx) of k-space.

    Raises:
        ArgumentError: a mask that does not fit ``shape``, or that samples nothing.
    """
    require_broadcast("mask", mask, shape, "a mask (..., ky or 1, kx)")
    acquired = int(mask.sum())
    if acquired == 0:
        raise ArgumentError(f"the mask of {shape_text(mask)} samples nothing: every entry is 0")
    return mask.numel() / acquired


def calibration(mask: Tensor) -> tuple[slice, slice]:
    """The largest fully sampled rectangle around the centre of k-space, as slices of (ky, kx).

        the y0 <= cy < y1, x0 <= cx < x1 with mask[y0:y1, x0:x1] all True,  c = N // 2,
        that have the longest shorter side, and of those the largest area

    The shorter side counts first, since it bounds the kernels that are fitted there. The region need not be
    symmetric: a scan that acquires columns 48 to 96 has its centre at 72 all the same. For a mask of whole columns,
    (..., 1, kx), the first slice is ``slice(None)``, all of ky. Several masks, on leading axes: what they all share.
    Both slices are empty where the centre itself is not sampled.

    Args:
        mask: bool (..., ky or 1, kx).

    Raises:
        ArgumentError: fewer than two axes.
    """
    if mask.ndim < 2:
        raise ArgumentError(f"mask is {shape_text(mask)}; wanted (..., ky or 1, kx)")
    plane = mask.bool().reshape(-1, *mask.shape[-2:]).all(0)
    cy, cx = (n // 2 for n in plane.shape)
    if not plane[cy, cx]:
        return slice(0, 0), slice(0, 0)
    left, right = _reach(plane[:, : cx + 1].flip(1)), _reach(plane[:, cx:])
    # The narrowest row decides: running minima from the centre row upwards and downwards.
    left_up, right_up = (_narrowest(x[: cy + 1].flip(0)) for x in (left, right))
    left_down, right_down = (_narrowest(x[cy:]) for x in (left, right))
    # Beyond a row whose centre is missing both reaches are 0, the width -1, and the size negative.
    width = torch.minimum(left_up[:, None], left_down) + torch.minimum(right_up[:, None], right_down) - 1
    height = torch.arange(cy + 1)[:, None] + torch.arange(len(left_down)) + 1
    size = torch.minimum(width, height) * (plane.numel() + 1) + width * height
    up, down = divmod(int(size.argmax()), len(left_down))
    x0 = cx + 1 - int(torch.minimum(left_up[up], left_down[down]))
    x1 = cx + int(torch.minimum(right_up[up], right_down[down]))
    rows = slice(None) if plane.shape[0] == 1 else slice(cy - up, cy + down + 1)
    return rows, slice(x0, x1)


def calibration_width(mask: Tensor) -> int:
    """Columns of the calibration region, see :func:`calibration`; 0 where the centre is not sampled."""
    columns = calibration(mask)[1]
    return int(columns.stop - columns.start)


def _reach(x: Tensor) -> Tensor:
    """Length of the run of True that each row starts with."""
    return x.to(torch.int64).cumprod(PHASE).sum(PHASE)


def _narrowest(x: Tensor) -> Tensor:
    return x.cummin(0).values
