"""Raw k-space to train on: a folder of fully sampled files, undersampled afterwards."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from torch import Generator

from ..acquisition import Acquisition
from ..coils import combine, root_sum_of_squares
from ..errors import ArgumentError, KolumnError
from ..fourier import fft1, ifft1, ifft2
from ..io import Scan, open_scan
from ..recon.prepare import prepare
from ..shapes import READOUT
from .draw import chance, pick, seeded, whole
from .masks import RandomMasks
from .sample import Sample, estimated_maps, stack

FULL = 0.9  # a file with nine in ten columns counts as fully sampled: real ones lack a few at the edge


@dataclass(frozen=True)
class Recorded:
    """Batch i: slices of one file, each with a mask of its own; the target is the image of all of k-space.

    The data go through what `kolumn recon` does before a method sees them (oversampling, whitening). Masks of
    columns leave rows independent, so a part of the rows will do where there are many.

    Attributes:
        files: fully sampled files, of any format in FORMATS; see :func:`find_files`.
        seed: of everything.
        batch_size: slices in a batch.
        rows: at most that many rows of the image at a time.
        masks: what is left out.
        estimated: how often maps are estimated from the undersampled data, else from all of it.
    """

    files: tuple[Path, ...]
    seed: int = 0
    batch_size: int = 1
    rows: int = 192
    masks: RandomMasks = field(default_factory=RandomMasks)
    estimated: float = 0.5

    def __getitem__(self, i: int) -> Sample:
        """Batch i."""
        plan = seeded(self.seed, i)
        scan = _open(pick(plan, self.files))
        plane = chance(plan, self.masks.planes)
        return stack([self._one(scan, plane, seeded(self.seed, i, j)) for j in range(self.batch_size)])

    def _one(self, scan: Scan, plane: bool, generator: Generator) -> Sample:
        whole_scan = prepare(scan.load(whole(generator, 0, scan.n_slices - 1)))
        whole_scan = _some_rows(replace(whole_scan, calibration=None, geometry=None), self.rows, generator)
        shape = (whole_scan.kspace.shape[-2], whole_scan.kspace.shape[-1])
        mask = self.masks(shape, plane, generator) & whole_scan.mask
        acquisition = replace(whole_scan, kspace=whole_scan.kspace * mask, mask=mask)
        maps = estimated_maps(acquisition if chance(generator, self.estimated) else whole_scan)
        unit = maps / root_sum_of_squares(maps)
        return Sample(replace(acquisition, maps=maps), combine(ifft2(whole_scan.kspace), unit))


def find_files(folder: Path) -> tuple[dict[Path, str], list[str]]:
    """The fully sampled files of a folder with who was scanned, and for each other file why it is not among them.

    Args:
        folder: with files of k-space; what lies in folders below counts too.

    Raises:
        ArgumentError: no such folder, or nothing in it to train on.
    """
    if not folder.is_dir():
        raise ArgumentError(f"{folder} is no folder; give one with fully sampled k-space files")
    good: dict[Path, str] = {}
    left: list[str] = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix != ".hdr"):
        try:
            scan = _open(path)
            part = float(scan.load(scan.n_slices // 2).mask.float().mean())
        except KolumnError as error:
            left.append(f"{path.name} left out: {error}")
            continue
        if part < FULL:
            left.append(f"{path.name} left out: only {part:.0%} of it is sampled")
        else:
            good[path] = person(scan)
    if not good:
        raise ArgumentError(f"{folder} holds no fully sampled k-space; {left[0] if left else 'it is empty'}")
    return good, left


def person(scan: Scan) -> str:
    """Who was scanned: what the file says, else its name."""
    return scan.details.get("patient_id") or scan.path.name.split(".")[0]


@lru_cache(maxsize=4096)
def _open(path: Path) -> Scan:
    return open_scan(path)


def _some_rows(acquisition: Acquisition, rows: int, generator: Generator) -> Acquisition:
    """A random range of rows of the image, where whole columns were sampled."""
    size = acquisition.kspace.shape[READOUT]
    if size <= rows or not acquisition.columns_only:
        return acquisition
    start = whole(generator, 0, size - rows)
    part = fft1(ifft1(acquisition.kspace, READOUT).narrow(READOUT, start, rows), READOUT)
    return replace(acquisition, kspace=part)
