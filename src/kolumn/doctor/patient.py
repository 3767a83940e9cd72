"""What the checks look at: a few slices of a file, and what many checks ask of them, computed once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from ..acquisition import Acquisition
from ..errors import ArgumentError
from ..io import Scan
from ..shapes import PHASE, READOUT
from .stored import stored

NEAR = 4  # samples: the loud middle of k-space reaches at least that far from its peak


@dataclass(frozen=True)
class Patient:
    """A scan on the couch.

    All k-space here is divided by its largest magnitude, so that no check depends on the scanner's units.

    Attributes:
        scan: the file.
        numbers: the slices that were looked at and could be loaded.
        slices: those slices, k-space (coil, ky, kx), as the reader gives them.
        failures: for slices that could not be loaded: number and message.
        dataset: name of the k-space dataset, or None.
    """

    scan: Scan
    numbers: tuple[int, ...]
    slices: tuple[Acquisition, ...]
    failures: tuple[tuple[int, str], ...] = ()
    dataset: str | None = None

    @cached_property
    def best(self) -> int:
        """Which of ``slices`` has the most energy: the outermost ones may be next to empty."""
        energies = [float(torch.linalg.vector_norm(one.kspace)) for one in self.slices]
        return energies.index(max(energies))

    @cached_property
    def largest(self) -> float:
        """The largest magnitude in that slice, in the scanner's units."""
        return float(self.slices[self.best].kspace.abs().max())

    @cached_property
    def kspace(self) -> Tensor:
        """That slice, complex (coil, ky, kx), its largest magnitude 1."""
        return self.slices[self.best].kspace / self.largest

    @cached_property
    def mask(self) -> Tensor:
        """Which of its samples were acquired, bool (ky, kx)."""
        return plane_mask(self.slices[self.best])

    @cached_property
    def energy(self) -> Tensor:
        """Sum over the coils of abs(k)^2, (ky, kx)."""
        return self.kspace.abs().square().sum(0)

    def energy_along(self, axis: int) -> Tensor:
        """Energy along one axis of (coil, ky, kx), summed over the other two."""
        others = [i for i in range(3) if i != axis]
        return self.kspace.abs().square().sum(others)

    @cached_property
    def peak(self) -> tuple[int, int]:
        """Row and column of the middle of k-space as the data have it.

        A spike is as loud as the middle, but alone: so first where 9 x 9 samples together are loudest, then the
        loudest of these. K-space may wrap around.
        """
        size = 2 * NEAR + 1
        ny, nx = self.energy.shape
        loud = pad(self.energy.sqrt()[None, None], (NEAR,) * 4, "circular" if min(ny, nx) > NEAR else "constant")
        y, x = divmod(int(avg_pool2d(loud, size, 1).argmax()), nx)
        window = (torch.arange(-NEAR, NEAR + 1)[:, None] + y) % ny, (torch.arange(-NEAR, NEAR + 1) + x) % nx
        dy, dx = divmod(int(self.energy[window].argmax()), size)
        return (y + dy - NEAR) % ny, (x + dx - NEAR) % nx

    @cached_property
    def signal(self) -> Tensor:
        """Root mean square of each coil in 9 x 9 samples around the peak, (coil,)."""
        ny, nx = self.energy.shape
        rows = ((torch.arange(ny) - self.peak[0] + ny // 2) % ny - ny // 2).abs() <= NEAR
        columns = ((torch.arange(nx) - self.peak[1] + nx // 2) % nx - nx // 2).abs() <= NEAR
        near = rows[:, None] & columns & self.mask
        return self.kspace[:, near].abs().square().mean(1).sqrt()

    @cached_property
    def noise(self) -> Tensor:
        """Root mean square of each coil where the readout begins and ends, (coil,); the quieter of both.

        From the median, abs(n)^2 being exponentially distributed, so that a spike does not count.
        """
        rows = self.mask.any(PHASE).nonzero().flatten()
        n = max(1, len(rows) // 20)
        edges = [self.kspace[:, part][:, self.mask[part]].abs().square() for part in (rows[:n], rows[-n:])]
        typical = torch.stack([e.median(1).values for e in edges]).amin(0) / 0.6931  # ln 2
        mean = torch.stack([e.mean(1) for e in edges]).amin(0)
        # Of whole numbers around 0 the median may be 0.
        return torch.where(typical > 0, typical, mean).sqrt()

    @property
    def undersampled(self) -> bool:
        """Whether more is missing than a few columns."""
        return bool(self.mask.float().mean() < 0.8)

    def stored(self, which: int) -> tuple[Tensor, bool] | None:
        """Entry ``which`` of ``slices`` as the file holds it, in the scanner's units; see :func:`stored`."""
        return stored(self.scan, self.dataset, self.numbers[which])


def plane_mask(acquisition: Acquisition) -> Tensor:
    """The mask of one entry as bool (ky, kx)."""
    mask = acquisition.mask
    return mask.reshape(-1, *mask.shape[READOUT:]).any(0).expand(acquisition.kspace.shape[READOUT:])


def look(scan: Scan, dataset: str | None = None, numbers: Iterable[int] | None = None) -> Patient:
    """Load a few slices of a scan for examination.

    Args:
        scan: the file.
        dataset: the name with which it was opened, or None.
        numbers: of the slices; None: the first, the middle and the last.

    Raises:
        FormatError: the file cannot be read.
    """
    loaded: dict[int, Acquisition] = {}
    failures = []
    for i in sorted({0, scan.n_slices // 2, scan.n_slices - 1} if numbers is None else numbers):
        try:
            loaded[i] = scan.load(i)
        except ArgumentError as error:
            failures.append((i, str(error)))
    return Patient(scan, tuple(loaded), tuple(loaded.values()), tuple(failures), dataset)
