"""What every reader returns: a description of the file, and its slices on demand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from ..acquisition import Acquisition, Geometry


@dataclass(frozen=True)
class Scan:
    """A file opened for reading; k-space is read a slice at a time, so memory does not grow with the volume.

    Attributes:
        path: the file.
        format: its key in FORMATS.
        shape: (n_coils, ky, kx) of each slice as :meth:`load` returns it.
        n_slices: number of 2-D images: slices, times repetitions, contrasts and so on where the file has them.
        load: slice number -> Acquisition with k-space (coil, ky, kx).
        geometry: of the whole volume, one position a slice; None where the file does not say.
        has_noise: whether the file holds a noise scan (then each Acquisition carries the covariance).
        calibration: how calibration lines came: "embedded", "separate", or "" where the file does not say.
        details: what else a user wants to know, by name: vendor, field strength, TR, ... for `kolumn info`.
    """

    path: Path
    format: str
    shape: tuple[int, int, int]
    n_slices: int
    load: Callable[[int], Acquisition]
    geometry: Geometry | None = None
    has_noise: bool = False
    calibration: str = ""
    details: dict[str, str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Acquisition]:
        return (self.load(i) for i in range(self.n_slices))

    def volume(self) -> Acquisition:
        """All slices in memory at once, as one Acquisition with k-space (slice, coil, ky, kx)."""
        slices = list(self)
        first = slices[0]
        masks = torch.stack([s.mask.expand(1, *s.mask.shape[-2:]) for s in slices])
        blocks = [s.calibration for s in slices if s.calibration is not None]
        return replace(
            first,
            kspace=torch.stack([s.kspace for s in slices]),
            mask=masks[0] if bool((masks == masks[:1]).all()) else masks,
            calibration=torch.stack(blocks) if len(blocks) == len(slices) else None,
            geometry=self.geometry,
        )
