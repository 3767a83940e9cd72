"""Where the object is, as the calibration lines tell."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from ..acquisition import Acquisition
from ..errors import ArgumentError, CalibrationError
from ..shapes import COIL
from .calibration import LIMIT, calibration_block
from .combine import root_sum_of_squares
from .low_resolution import coil_images


def soft_support(acquisition: Acquisition, air: float = 0.3, dark: float = 0.3) -> Tensor:
    """The weight w, 1 in the body and ``air`` in air, which is where the image at low resolution is dark.

        w = max(air, min(1, e / (dark max e)))

    e is the root sum of squares of the coil images that the calibration lines make. A penalty that weighs 1 / w as much
    makes aliases and noise dearer in air, and yet nothing is cut off. Total variation is weighted pixel by pixel. What
    has no pixels gets maps w s in place of the maps s: it finds u and returns the image x = w u.

    The image at low resolution is wider than the object, the more so the fewer calibration lines there are; without
    any, w is 1. It is 1 as well where nothing is missing, which leaves no aliases.

    Args:
        acquisition: k-space (*batch, coil, ky, kx).
        air: w there, 0 < air <= 1.
        dark: part of the largest value of an entry's image up to which it is darker than the body, 0 < dark <= 1.

    Returns:
        Tensor: real (*batch, 1, y, x), of each entry on its own.

    Raises:
        ArgumentError: ``air`` or ``dark`` is out of range.
    """
    for name, value in (("air", air), ("dark", dark)):
        if not 0 < value <= 1:
            raise ArgumentError(f"{name} is {value}; wanted a number above 0, up to 1")
    k = acquisition.kspace
    batch, shape = k.shape[:COIL], (k.shape[-2], k.shape[-1])
    entries = [acquisition.entry(*place) if place else acquisition for place in product(*map(range, batch))]
    return torch.stack([_one(entry, shape, air, dark) for entry in entries]).reshape(*batch, 1, *shape)


def _one(entry: Acquisition, shape: tuple[int, int], air: float, dark: float) -> Tensor:
    w = entry.kspace.real.new_ones(shape)
    if bool(entry.mask.all()):
        return w
    try:
        block = calibration_block(entry, limit=LIMIT)
    except CalibrationError:
        return w
    scale = block.abs().max()  # squares of 1e20 are infinite
    e = root_sum_of_squares(coil_images(block / scale, shape))
    return torch.where(e.isfinite(), (e / (dark * e.max())).clamp(air, 1), w)  # no number where nothing was received
