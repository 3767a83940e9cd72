"""Structural similarity."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..errors import ArgumentError
from .pair import pair, peak

WINDOW = 7
K1, K2 = 0.01, 0.03


def ssim(reference: Tensor, image: Tensor) -> float:
    """Structural similarity, the mean over the slices of a volume: 1 is perfect.

        SSIM = mean of (2 mx my + c1)(2 vxy + c2) / ((mx^2 + my^2 + c1)(vx + vy + c2)),
        c1 = (0.01 max(x))^2,   c2 = (0.03 max(x))^2,   max over the whole volume

    with the means m and the sample (co)variances v over windows of 7 x 7 pixels that lie inside the slice, as
    fastMRI's evaluation and scikit-image's defaults have it.

    Reference: Wang, Bovik, Sheikh, Simoncelli, "Image quality assessment: from error visibility to structural
    similarity", 2004, doi:10.1109/TIP.2003.819861.

    Args:
        reference: x, real (slice, y, x) or (y, x), any unit, at least 7 pixels a side.
        image: y, of the same shape and unit.

    Raises:
        ArgumentError: complex values, different shapes, NaN, a side below 7, or a reference without a positive value.
    """
    x, y = pair(reference, image)
    if min(x.shape[-2:]) < WINDOW:
        raise ArgumentError(f"reference is {x.shape[-2]} x {x.shape[-1]} pixels; SSIM wants at least 7 x 7")
    scale = peak(x)
    # Slice by slice: all windows are alike in number, so the mean of means is the mean, and memory stays small.
    return sum(_plane(a, b) for a, b in zip(x / scale, y / scale, strict=True)) / len(x)


def _plane(x: Tensor, y: Tensor) -> float:
    """SSIM of one slice whose data range is 1."""
    mx, my, mxx, myy, mxy = _window_mean(torch.stack([x, y, x * x, y * y, x * y]))
    sample = WINDOW**2 / (WINDOW**2 - 1)
    vx, vy, vxy = sample * (mxx - mx * mx), sample * (myy - my * my), sample * (mxy - mx * my)
    c1, c2 = K1**2, K2**2
    s = (2 * mx * my + c1) * (2 * vxy + c2) / ((mx * mx + my * my + c1) * (vx + vy + c2))
    return float(s.mean())


def _window_mean(x: Tensor) -> Tensor:
    return avg_pool2d(avg_pool2d(x, (WINDOW, 1), stride=1), (1, WINDOW), stride=1)
