"""What every metric asks of the two volumes it compares."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import ArgumentError
from ..shapes import shape_text


def pair(reference: Tensor, image: Tensor) -> tuple[Tensor, Tensor]:
    """Both as float64 (slice, y, x), on the CPU since not every device knows float64.

    Raises:
        ArgumentError: complex, different shapes, neither (y, x) nor (slice, y, x), NaN, or a reference of zeros.
    """
    for name, x in (("reference", reference), ("image", image)):
        if x.is_complex():
            raise ArgumentError(f"{name} is complex; metrics compare magnitudes, so pass {name}.abs()")
        if not torch.isfinite(x).all():
            raise ArgumentError(f"{name} holds NaN or infinity; there is no score for it")
    if reference.shape != image.shape:
        raise ArgumentError(f"image is {shape_text(image)} and reference is {shape_text(reference)}; wanted the same")
    if reference.ndim not in (2, 3) or reference.numel() == 0:
        raise ArgumentError(f"reference is {shape_text(reference)}; wanted (slice, y, x) or (y, x), not empty")
    if not reference.any():
        raise ArgumentError("reference is all zero: there is nothing to compare with")
    shape = (-1, *reference.shape[-2:])
    x, y = (v.detach().to("cpu", torch.float64).reshape(shape) for v in (reference, image))
    return x, y


def peak(reference: Tensor) -> float:
    """The largest value of the volume, which PSNR and SSIM take as their data range.

    Raises:
        ArgumentError: it is not positive.
    """
    value = float(reference.max())
    if value <= 0:
        raise ArgumentError(f"the maximum of reference is {value:g}; wanted magnitudes, which are not negative")
    return value
