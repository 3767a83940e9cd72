"""Debian's ``bart`` on a real acquisition, from its own maps to the image.

Maps come from ``bart ecalib -m 1`` with the whole fully sampled centre (``-r``), at its defaults but for that; a single
coil gets ones. ``bart pics -S`` scales the data by itself, which is the unit of its lambda, and the image back.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from bart import bart, read_maps, write
from torch import Tensor

from kolumn.acquisition import Acquisition

MEMORY = Path("/dev/shm")
CALIBRATION = 24  # samples along each side, at most; BART's default
SETTINGS = {"tv": ("T", "-i", "100", "-u", "0.02"), "wavelet": ("W", "-i", "100")}


def centre(mask: Tensor) -> int:
    """Width of the fully sampled centre of columns, bool (kx,), as BART cuts it: about kx // 2."""
    middle = len(mask) // 2
    left = next((i for i in range(1, middle + 1) if not mask[middle - i]), middle + 1) - 1
    right = next((i for i in range(1, len(mask) - middle) if not mask[middle + i]), len(mask) - middle) - 1
    return min(2 * left + (right >= left), 2 * right + 2)


class Bart:
    """Files of one undersampled acquisition, in memory."""

    def __init__(self, data: Acquisition, crop: float | None = None) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self._path = Path(self._folder.name)
        k = data.kspace
        self._shape = (k.shape[-2], k.shape[-1])
        write(self._path / "k", k)
        if data.n_coils == 1:
            write(self._path / "s", torch.ones_like(k))
            return
        rows = min(CALIBRATION, self._shape[0])
        columns = min(CALIBRATION, centre(data.mask.reshape(-1, self._shape[1])[0]))
        words = ["-c", str(crop)] if crop is not None else []
        bart("ecalib", "-m", "1", *words, "-r", f"{rows}:{columns}:1", str(self._path / "k"), str(self._path / "s"))

    def pics(self, method: str, lam: float, settings: tuple[str, ...] = ()) -> Tensor:
        """Complex image (y, x) in the units of the data."""
        kind, *words = settings or SETTINGS[method]
        out = self._path / "x"
        bart(
            "pics",
            "-S",
            *words,
            "-R",
            f"{kind}:3:0:{lam:.6g}",
            *(str(self._path / name) for name in ("k", "s")),
            str(out),
        )
        return read_maps(out, (1, *self._shape))[0]
