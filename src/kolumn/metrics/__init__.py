"""How far an image is from its reference: one file per metric, and the table that names them."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from .hfen import hfen
from .nmse import nmse
from .psnr import psnr
from .ssim import ssim

__all__ = ["METRICS", "hfen", "nmse", "psnr", "score", "ssim"]

# (reference, image) -> one number for the volume
METRICS: dict[str, Callable[[Tensor, Tensor], float]] = {"nmse": nmse, "psnr": psnr, "ssim": ssim, "hfen": hfen}


def score(reference: Tensor, image: Tensor) -> dict[str, float]:
    """Every metric of the table for one volume.

    Args:
        reference: real (slice, y, x) or (y, x), any unit.
        image: of the same shape and unit.

    Raises:
        ArgumentError: complex values, different shapes, NaN, a side below 7 pixels, or a reference of zeros.
    """
    return {name: metric(reference, image) for name, metric in METRICS.items()}
