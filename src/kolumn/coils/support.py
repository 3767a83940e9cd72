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


def soft_support(acquisition: Acquisition, air: float = 0.3, dark: float = 0.1) -> Tensor:
    """The weight w, 1 in the body and ``air`` in air, which is where the image at low resolution is dark.

    With maps w s for maps s, a method finds u and returns the image x = w u. In the body nothing changes; in air a
    penalty on u weighs 1 / w as much on x, so that aliases and noise are dearer there and yet nothing is cut off. An
    object that ends within w = 1 has the penalty that it had, and what was recovered exactly still is.

    The image at low resolution, the root sum of squares of the coils, is wider than the object, the more so the fewer
    calibration lines there are; without any, w is 1. It is 1 as well where nothing is missing, which leaves no aliases,
    and for one coil, whose A^H A is a Fourier transform and would be none with w.

    Args:
        acquisition: k-space (*batch, coil, ky, kx).
        air: w there, 0 < air <= 1.
        dark: part of the largest value of an entry's image up to which it is dark, 0 < dark <= 1.

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
    if entry.n_coils == 1 or bool(entry.mask.all()):
        return w
    try:
        block = calibration_block(entry, limit=LIMIT)
    except CalibrationError:
        return w
    scale = block.abs().max()  # squares of 1e20 are infinite
    e = root_sum_of_squares(coil_images(block / scale, shape))
    return torch.where(e <= dark * e.max(), air, w)  # where nothing was received, e is no number
