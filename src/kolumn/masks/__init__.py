"""Which lines were acquired: one function per kind of mask, and the tables that name them."""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from pathlib import PurePath

import torch
from torch import Tensor

from ..errors import ArgumentError
from .equispaced import equispaced
from .fastmri import fastmri_equispaced, fastmri_magic, fastmri_random
from .from_file import from_file
from .full import full
from .gaussian import gaussian, gaussian2d
from .mask import Mask
from .measure import acceleration, calibration, calibration_width
from .offset import offset
from .partial import partial
from .poisson import poisson
from .random import random

__all__ = [
    "FASTMRI",
    "KINDS",
    "MASKS",
    "Mask",
    "acceleration",
    "calibration",
    "calibration_width",
    "from_file",
    "make_mask",
]

# (shape, acceleration, center, generator) -> bool (1, kx) or (ky, kx)
MASKS: dict[str, Callable[[tuple[int, int], float, float, torch.Generator], Tensor]] = {
    "random": random,
    "equispaced": equispaced,
    "offset": offset,
    "gaussian": gaussian,
    "gaussian2d": gaussian2d,
    "poisson": poisson,
    "partial": partial,
    "full": full,
}

# (shape, acceleration, center, file name or seed) -> bool (1, kx)
FASTMRI: dict[str, Callable[[tuple[int, int], float, float, str | int], Tensor]] = {
    "fastmri-random": fastmri_random,
    "fastmri-equispaced": fastmri_equispaced,
    "fastmri-magic": fastmri_magic,
}

KINDS = (*MASKS, *FASTMRI)


def make_mask(
    kind: str,
    shape: tuple[int, int],
    acceleration: float = 4.0,
    center: float = 0.08,
    seed: int = 0,
    file_name: str | None = None,
) -> Mask:
    """Make the mask of that kind for k-space of that shape.

    Args:
        kind: one of :data:`KINDS`, or the path of a .npy file.
        shape: (ky, kx) of k-space, samples.
        acceleration: all samples over acquired samples, at least 1; not used by files and "full".
        center: fraction of the columns (2-D masks: of each side) in the fully sampled centre.
        seed: of the randomness, 0 to 2^32 - 1.
        file_name: seeds the fastMRI kinds, instead of ``seed``; the other kinds do not look at it.

    Raises:
        ArgumentError: an unknown kind, or a value that the kind does not take.
        FormatError: a mask file that cannot be read.
    """
    if kind.endswith(".npy"):
        return Mask(kind, from_file(kind, shape))
    if kind not in KINDS:
        raise ArgumentError(_unknown(kind))
    if not 0 <= seed < 2**32:
        raise ArgumentError(f"seed is {seed}; wanted a whole number from 0 to {2**32 - 1}")
    if kind in FASTMRI:
        source = seed if file_name is None else PurePath(file_name).name
        return Mask(kind, FASTMRI[kind](shape, acceleration, center, source), acceleration, center, source)
    samples = MASKS[kind](shape, acceleration, center, torch.Generator().manual_seed(seed))
    return Mask(kind, samples) if kind == "full" else Mask(kind, samples, acceleration, center, seed)


def _unknown(kind: str) -> str:
    near = get_close_matches(kind.lower(), KINDS, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown mask {kind!r}; {hint}wanted one of {', '.join(KINDS)}, or a .npy file"
