"""Peak signal-to-noise ratio."""

from __future__ import annotations

import math

from torch import Tensor

from .pair import pair, peak


def psnr(reference: Tensor, image: Tensor) -> float:
    """Peak signal-to-noise ratio of a volume in dB; infinite where the two are equal.

        PSNR = 10 log10(max(x)^2 / mean((x - y)^2)),   max and mean over the whole volume

    Reference: Zbontar et al., "fastMRI: An Open Dataset and Benchmarks for Accelerated MRI", 2018, arXiv:1811.08839.

    Args:
        reference: x, real (slice, y, x) or (y, x), any unit.
        image: y, of the same shape and unit.

    Raises:
        ArgumentError: complex values, different shapes, NaN, or a reference without a positive value.
    """
    x, y = pair(reference, image)
    error = float(((x - y) / peak(x)).square().mean())
    return -10 * math.log10(error) if error > 0 else math.inf
