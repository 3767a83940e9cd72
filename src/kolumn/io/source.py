"""What the k-space writers are given: a Scan, an Acquisition or a batch of them, taken a slice at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from ..acquisition import Acquisition, Geometry
from ..errors import ArgumentError
from ..shapes import COIL
from .scan import Scan


@dataclass(frozen=True)
class Source:
    """Slices to be written.

    Attributes:
        shape: (coil, ky, kx) of each.
        n_slices: how many.
        load: slice number -> Acquisition with k-space (coil, ky, kx), on the CPU.
        geometry: of the volume, or None.
        target: (slice, y, x) real or complex, the reference image to be stored beside, or None.
    """

    shape: tuple[int, int, int]
    n_slices: int
    load: Callable[[int], Acquisition]
    geometry: Geometry | None
    target: Tensor | None

    def __iter__(self) -> Iterator[Acquisition]:
        for i in range(self.n_slices):
            one = self.load(i).to("cpu")
            if tuple(one.kspace.shape) != self.shape:
                raise ArgumentError(
                    f"slice {i} is {tuple(one.kspace.shape)}, the first is {self.shape}; all must agree"
                )
            yield one

    def position(self, i: int) -> tuple[float, float, float]:
        """Centre of slice ``i``, mm; the origin where none is known."""
        positions = self.geometry.positions if self.geometry else ()
        return positions[i] if i < len(positions) else (positions[0] if positions else (0.0, 0.0, 0.0))


def as_source(
    data: Scan | Acquisition | list[Acquisition], geometry: Geometry | None = None, target: Tensor | None = None
) -> Source:
    """Make a Source of what a caller has.

    Raises:
        ArgumentError: nothing in it, or a target with another number of slices.
    """
    if isinstance(data, Scan):
        shape, n, load = data.shape, data.n_slices, data.load
        geometry = geometry or data.geometry
    else:
        parts = [data] if isinstance(data, Acquisition) else list(data)
        entries = [e for part in parts for e in _entries(part)]
        if not entries:
            raise ArgumentError("there is no acquisition to write")
        c, ky, kx = entries[0].kspace.shape
        shape, n, load = (c, ky, kx), len(entries), entries.__getitem__
        geometry = geometry or parts[0].geometry
    if target is not None:
        target = target.detach().cpu()
        target = target[None] if target.ndim == 2 else target
        if target.ndim != 3 or len(target) != n:
            raise ArgumentError(f"target is {tuple(target.shape)}; wanted (slice, y, x) with {n} slices")
    return Source(shape, n, load, geometry, target)


def _entries(acquisition: Acquisition) -> list[Acquisition]:
    batch = acquisition.kspace.shape[:COIL]
    if not batch:
        return [acquisition]
    return [acquisition.entry(*index) for index in np.ndindex(*batch)]
