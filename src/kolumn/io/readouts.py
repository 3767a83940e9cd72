"""Raw readouts, from whichever scanner, put where they belong in k-space.

A readout with phase-encode offset ``e`` from the centre of k-space goes to column ``kx // 2 + e``; its sample
``s`` goes to row ``ky // 2 + s - centre``. That covers partial Fourier and asymmetric echoes, in phase as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ..acquisition import Acquisition, Geometry, acquire
from ..errors import ArgumentError, FormatError
from ..fourier import ifft1
from .guard import check_grid

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Complex = NDArray[np.complex64]


@dataclass(frozen=True)
class Readouts:
    """The heads of all readouts as columns of one table, and how to get the samples of some.

    Attributes:
        path: the file, for messages.
        imaging, calibration, noise, reverse: what each is for; the first two may both be true.
        image: (n, 5) counters that make another image: repetition, set, phase, contrast, slice.
        line, partition: phase-encode offsets from the centre of k-space.
        coils, samples: size of each.
        first: index of the first sample kept in each, in the order of increasing ky.
        kept: samples kept.
        centre: sample at the centre of k-space, counted from the first kept.
        dwell: sampling time, any unit; the noise is scaled with it.
        position, read_dir, phase_dir, slice_dir: (n, 3), mm and unit vectors, LPS.
        fetch: indices, coils, samples -> complex64 (readout, coil, sample).
    """

    path: Path
    imaging: Bools
    calibration: Bools
    noise: Bools
    reverse: Bools
    image: Ints
    line: Ints
    partition: Ints
    coils: Ints
    samples: Ints
    first: Ints
    kept: Ints
    centre: Ints
    dwell: NDArray[np.float64]
    position: NDArray[np.float64]
    read_dir: NDArray[np.float64]
    phase_dir: NDArray[np.float64]
    slice_dir: NDArray[np.float64]
    fetch: Callable[[Ints, int, int], Complex]


@dataclass(frozen=True)
class Grid:
    """The k-space to be filled: its size, and that of the finished image, all (ky, kx, kz).

    Attributes:
        encoded: samples acquired.
        encoded_fov: their field of view, mm.
        matrix: pixels of the image.
        fov: of the image, mm.
        bandwidth: the receiver's noise bandwidth, relative.
    """

    encoded: tuple[int, int, int]
    encoded_fov: tuple[float, float, float]
    matrix: tuple[int, int, int]
    fov: tuple[float, float, float]
    bandwidth: float = 1.0


@dataclass(frozen=True)
class Sorted:
    """Readouts and grid, checked against each other; ``images`` are the distinct rows of the counters."""

    r: Readouts
    grid: Grid
    images: Ints
    coils: int

    @property
    def three_d(self) -> bool:
        """Whether partitions were phase encoded."""
        return self.grid.encoded[2] > 1 and len(np.unique(self.r.partition[self.r.imaging])) > 1

    @property
    def slices_each(self) -> int:
        """2-D images that one row of ``images`` becomes."""
        return self.grid.matrix[2] if self.three_d else 1

    @property
    def n_slices(self) -> int:
        """2-D images in all."""
        return len(self.images) * self.slices_each


def sort(r: Readouts, grid: Grid) -> Sorted:
    """Check readouts against the grid and list the images.

    Raises:
        FormatError: no imaging readouts, unequal coils, or readouts outside k-space.
    """
    if not r.imaging.any():
        raise FormatError(f"{r.path} has no imaging readouts: all are noise, navigators, dummies or calibration")
    coils = np.unique(r.coils[r.imaging])
    if len(coils) != 1 or coils[0] < 1:
        raise FormatError(f"{r.path}: the imaging readouts have {', '.join(map(str, coils))} coils; wanted one number")
    used = r.imaging | r.calibration
    images = np.unique(r.image[r.imaging], axis=0)
    s = Sorted(r, grid, images, int(coils[0]))
    depth = grid.encoded[2] if s.three_d else 1
    check_grid(r.path, 8 * int(coils[0]) * grid.encoded[0] * grid.encoded[1] * depth)
    size = r.path.stat().st_size
    # What one request may ask for: all readouts of an image, none of which can be longer than the file.
    if int((8 * r.coils * r.samples)[used | r.noise].sum()) > size:
        raise FormatError(f"{r.path} is cut off or damaged: its readouts claim more samples than its {size} bytes hold")
    start = grid.encoded[0] // 2 - r.centre
    column = grid.encoded[1] // 2 + r.line
    inside = (r.kept > 0) & (start >= 0) & (start + r.kept <= grid.encoded[0]) & (column >= 0)
    inside &= column < grid.encoded[1]
    if s.three_d:
        slab = grid.encoded[2] // 2 + r.partition
        inside &= (slab >= 0) & (slab < grid.encoded[2])
    if not inside[used].all():
        i = int(np.flatnonzero(used & ~inside)[0])
        raise FormatError(
            f"{r.path}: readout {i} has {r.kept[i]} samples centred on {r.centre[i]}, {r.line[i]} lines off the centre:"
            f" outside the encoded matrix {' x '.join(map(str, grid.encoded))}"
        )
    return s


def fetch(r: Readouts, indices: Ints) -> Complex:
    """Samples of readouts of one size, flipped where acquired backwards and cut to what is kept."""
    i = indices[0]
    data = r.fetch(indices, int(r.coils[i]), int(r.samples[i]))
    back = r.reverse[indices]
    data[back] = data[back][..., ::-1]
    return data[..., int(r.first[i]) : int(r.first[i] + r.kept[i])]


# Damaged numbers are judged by acquire(), not by a warning on the way.
@np.errstate(all="ignore")
def place(s: Sorted, indices: Ints, depth: int = 1) -> tuple[Complex, Bools]:
    """Put readouts in k-space: (coil, ky, kx, kz) with repeated lines averaged, and which samples came (ky, kx, kz)."""
    ky, kx, _ = s.grid.encoded
    r = s.r
    total = np.zeros((s.coils, ky, kx, depth), np.complex64)
    count = np.zeros((ky, kx, depth), np.int32)
    layout = np.stack([r.samples, r.first, r.kept, r.centre], axis=1)[indices]
    for kind in np.unique(layout, axis=0):
        chosen = indices[(layout == kind).all(axis=1)]
        start = ky // 2 - int(kind[3])
        rows = slice(start, start + int(kind[2]))
        for i, line in zip(chosen, fetch(r, chosen), strict=True):
            column, slab = kx // 2 + int(r.line[i]), depth // 2 + int(r.partition[i]) if depth > 1 else 0
            total[:, rows, column, slab] += line
            count[rows, column, slab] += 1
    total /= np.maximum(count, 1)
    return total, np.asarray(count > 0)


def _members(s: Sorted, number: int) -> Ints:
    same = (s.r.image == s.images[number]).all(axis=1)
    return np.flatnonzero(same & s.r.imaging)


def _slab(s: Sorted, number: int) -> tuple[torch.Tensor, Bools]:
    """One image, (partition, coil, ky, kx), the third dimension transformed, and its mask (ky, kx)."""
    depth = s.grid.encoded[2]
    kspace, there = place(s, _members(s, number), depth)
    if (there.any(axis=2) != there.all(axis=2)).any():
        raise FormatError(
            f"{s.r.path} is 3-D and undersampled along the partitions, which kolumn does not support yet;"
            " only scans with all partitions of each line can be read"
        )
    volume = ifft1(torch.from_numpy(kspace), -1)
    start = depth // 2 - s.slices_each // 2
    return volume[..., start : start + s.slices_each].permute(3, 0, 1, 2), np.asarray(there.all(axis=2))


def loader(s: Sorted, geometry: Geometry, noise: Complex | None) -> Callable[[int], Acquisition]:
    """The ``load`` of a Scan: image number -> Acquisition with k-space (coil, ky, kx)."""
    slab = lru_cache(maxsize=1)(lambda number: _slab(s, number))

    def load(i: int) -> Acquisition:
        if not 0 <= i < s.n_slices:
            raise ArgumentError(f"slice {i} of {s.r.path} does not exist; it has 0 to {s.n_slices - 1}")
        number, part = divmod(i, s.slices_each)
        if s.three_d:
            volume, mask = slab(number)
            return acquire(volume[part], mask, noise=noise, geometry=geometry)
        kspace, there = place(s, _members(s, number))
        block = calibration_block(s, number)
        return acquire(kspace[..., 0], there[..., 0], noise=noise, calibration=block, geometry=geometry)

    return load


def calibration_block(s: Sorted, number: int) -> Complex | None:
    """The fully sampled middle of calibration lines acquired apart, (coil, cy, cx), or None.

    They come once a slice, whatever the repetition or contrast; the first ones are taken.
    """
    r = s.r
    apart = r.calibration & (r.coils == s.coils)
    of_slice = np.flatnonzero(apart & (r.image[:, 4] == s.images[number, 4]))
    if not of_slice.size or not (apart & ~r.imaging).any():
        return None
    chosen = of_slice[(r.image[of_slice] == r.image[of_slice[0]]).all(axis=1)]
    kspace, there = place(s, chosen)
    rows, columns = (_middle(np.asarray(there[..., 0].any(axis=axis))) for axis in (1, 0))
    block = kspace[:, rows, columns, 0]
    return block if there[rows, columns, 0].all() and block.size else None


def _middle(there: Bools) -> slice:
    """The largest run of true entries that lies evenly around the centre, which stays entry ``n // 2``."""
    n = len(there)
    centre = n // 2
    below = next((i for i in range(centre) if not there[centre - 1 - i]), centre)
    above = next((i for i in range(n - centre) if not there[centre + i]), n - centre)
    # n // 2 entries below the centre and as many, or one more, from the centre on.
    half = min(below, above)
    return slice(centre - half, centre + half + (1 if above > half else 0)) if above else slice(0, 0)


@np.errstate(all="ignore")
def noise_covariance(s: Sorted) -> Complex | None:
    """Covariance of the noise (coil, coil) as it is in the imaging readouts, or None without a noise scan.

    The receiver lets noise through in a part of its band only (``bandwidth``), and the noise power in a sample grows
    with the sampling rate: C = sum n n^H / N * dwell_noise / (dwell_image * bandwidth), for the flat part of the
    band, where the image is.
    """
    r = s.r
    indices = np.flatnonzero(r.noise & (r.coils == s.coils) & (r.samples > 0))
    if not indices.size:
        return None
    total, n = np.zeros((s.coils, s.coils), np.complex128), 0
    for samples in np.unique(r.samples[indices]):
        data = r.fetch(indices[r.samples[indices] == samples], s.coils, int(samples)).astype(np.complex128)
        total += np.einsum("rcs,rds->cd", data, data.conj())
        n += data.shape[0] * data.shape[2]
    here, there = float(r.dwell[indices[0]]), float(r.dwell[np.flatnonzero(r.imaging)[0]])
    usable = np.isfinite([here, there]).all() and here > 0 and there > 0
    C = (total / n * (here / (there * s.grid.bandwidth) if usable else 1.0)).astype(np.complex64)
    # Fewer samples than coils say nothing about how the coils go together; all zero is a placeholder.
    return C if n >= s.coils and bool(np.isfinite(C).all()) and bool(C.any()) else None


@np.errstate(all="ignore")
def geometry_of(s: Sorted) -> Geometry:
    """Where the images lie, from the heads of the readouts; one position an image."""
    r, g = s.r, s.grid
    thickness = g.encoded_fov[2] / g.encoded[2] if s.three_d else g.fov[2]
    positions: list[Any] = []
    for image in s.images:
        i = int(np.flatnonzero((r.image == image).all(axis=1) & r.imaging)[0])
        for part in range(s.slices_each):
            offset = (part - s.slices_each // 2) * thickness
            positions.append(_triple(r.position[i] + offset * _unit(r.slice_dir[i], 2)))
    i = int(np.flatnonzero(r.imaging)[0])
    return Geometry(
        matrix=g.matrix[:2],
        fov=(g.fov[0], g.fov[1], thickness),
        positions=tuple(positions),
        read_dir=_triple(_unit(r.read_dir[i], 0)),
        phase_dir=_triple(_unit(r.phase_dir[i], 1)),
        slice_dir=_triple(_unit(r.slice_dir[i], 2)),
    )


def _triple(v: Any) -> tuple[float, float, float]:
    x, y, z = (float(value) if np.isfinite(value) else 0.0 for value in v)
    return (x, y, z)


def _unit(v: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """``v`` at length 1; the scanner's own axis where it is empty, as simulators leave it."""
    length = float(np.linalg.norm(v))
    return v / length if np.isfinite(length) and 0.5 < length < 2 else np.eye(3)[axis]
