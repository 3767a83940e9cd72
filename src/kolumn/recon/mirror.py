"""Acquisitions of the mirrored object."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ..acquisition import Acquisition
from ..shapes import PLANE

# Which axes are mirrored: none, each, and both.
MIRRORS: tuple[tuple[int, ...], ...] = ((), (PLANE[0],), (PLANE[1],), tuple(PLANE))


def mirror(x: Tensor, dims: tuple[int, ...]) -> Tensor:
    """x[-i] about the centre n // 2 of each axis, cyclically; of an axis of length 1, x itself. It is its own inverse.

    The Fourier transform of a mirrored image is the mirrored transform.

    Args:
        x: image (*batch, y, x) or k-space (*batch, coil, ky, kx).
        dims: axes.
    """
    x = x.flip(dims)
    even = [dim for dim in dims if x.shape[dim] % 2 == 0]
    return x.roll([1] * len(even), even) if even else x


def mirrored(acquisition: Acquisition, dims: tuple[int, ...]) -> Acquisition:
    """What the scanner would have given of the mirrored object, had it skipped the mirrored lines."""
    maps = acquisition.maps
    return replace(
        acquisition,
        kspace=mirror(acquisition.kspace, dims),
        mask=mirror(acquisition.mask, dims),
        maps=None if maps is None else mirror(maps, dims),
    )
