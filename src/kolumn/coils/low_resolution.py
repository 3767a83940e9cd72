"""Coil images from the calibration lines alone."""

from __future__ import annotations

import torch
from torch import Tensor

from ..fourier import ifft2


def coil_images(calibration: Tensor, shape: tuple[int, int]) -> Tensor:
    """The calibration block tapered by a Hann window and filled up with zeros, as images.

    Args:
        calibration: complex (coil, cy, cx), its sample n // 2 being the centre of k-space.
        shape: (y, x) of the images.

    Returns:
        Tensor: complex (coil, y, x).
    """
    return ifft2(_pad(calibration * _hann(calibration), shape))


def _hann(block: Tensor) -> Tensor:
    wy, wx = (
        torch.hann_window(n + 2, periodic=False, dtype=block.real.dtype, device=block.device)[1:-1]
        for n in block.shape[-2:]
    )
    return wy[:, None] * wx


def _pad(block: Tensor, shape: tuple[int, int]) -> Tensor:
    """Zeros around the block, its sample n // 2 staying the centre."""
    out = torch.zeros(*block.shape[:-2], *shape, dtype=block.dtype, device=block.device)
    y, x = (big // 2 - small // 2 for big, small in zip(shape, block.shape[-2:], strict=True))
    out[..., y : y + block.shape[-2], x : x + block.shape[-1]] = block
    return out
