"""Debian's ``bart`` as a peer: files in memory, as many threads as torch has."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import torch


def available() -> bool:
    return shutil.which("bart") is not None


def bart(*words: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    subprocess.run(["bart", *words], check=True, capture_output=True, env=environment)


def write(name: Path, kspace: torch.Tensor) -> None:
    """(coil, ky, kx) or (slice, coil, ky, kx) as read, phs1, 1, coil, ..., slice at dimension 13."""
    array = kspace.numpy()
    array = array[None] if array.ndim == 3 else array
    dims = [array.shape[2], array.shape[3], 1, array.shape[1], *[1] * 9, array.shape[0], 1, 1]
    name.with_suffix(".hdr").write_text("# Dimensions\n" + " ".join(map(str, dims)) + "\n")
    array.transpose(2, 3, 1, 0).astype(np.complex64).ravel(order="F").tofile(name.with_suffix(".cfl"))


def read_maps(name: Path, shape: tuple[int, int, int]) -> torch.Tensor:
    """One set of maps, (coil, y, x)."""
    n, ny, nx = shape
    array = np.fromfile(name.with_suffix(".cfl"), np.complex64).reshape(ny, nx, n, order="F")
    return torch.from_numpy(np.ascontiguousarray(array.transpose(2, 0, 1)))
