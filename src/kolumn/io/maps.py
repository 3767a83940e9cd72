"""Coil sensitivity maps that were estimated elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import FormatError
from . import cfl, npy
from .guard import check_readable

NAMES = ("maps", "sensitivities")


def read_maps(path: str | os.PathLike[str]) -> Tensor:
    """Read coil maps from ``.npy``, ``.npz`` (array ``maps``) or a BART pair: what `bart ecalib` writes.

    Args:
        path: the file.

    Returns:
        Tensor: complex64 (coil, y, x), or (set, coil, y, x).

    Raises:
        FormatError: missing, damaged, or not complex maps of one slice.
    """
    path = Path(path)
    if not path.exists() and Path(f"{path}.cfl").is_file():
        path = Path(f"{path}.cfl")
    check_readable(path)
    with path.open("rb") as file:
        head = file.read(512)
    values = _read(path, head)
    if values.dtype.kind != "c" or values.ndim not in (3, 4) or 0 in values.shape:
        size = " x ".join(map(str, values.shape))
        raise FormatError(f"{path} is {size} of {values.dtype}; wanted complex maps (coil, y, x) or (set, coil, y, x)")
    return torch.from_numpy(np.array(values, dtype=np.complex64))


def _read(path: Path, head: bytes) -> NDArray[Any]:
    if npy.sniff_npy(path, head):
        return npy.map_array(path)
    if npy.sniff_npz(path, head):
        arrays = npy.read_archive(path, NAMES)
        if not arrays:
            raise FormatError(f"{path} has no array named {' or '.join(NAMES)}")
        return next(iter(arrays.values()))
    if cfl.sniff(path, head):
        return _bart(path)
    raise FormatError(f"{path} holds no maps that kolumn reads: wanted .npy, .npz or a BART pair .cfl and .hdr")


def _bart(path: Path) -> NDArray[Any]:
    values = cfl.map_cfl(path)
    order = (cfl.MAPS, cfl.COIL, cfl.READ, cfl.PHASE)
    if any(n > 1 for i, n in enumerate(values.shape) if i not in order):
        size = " ".join(map(str, values.shape))
        raise FormatError(f"{path} has the dimensions {size}; wanted maps of one 2-D slice")
    moved = values.transpose(*order, *(i for i in range(cfl.N_DIMS) if i not in order))
    stack = moved.reshape(moved.shape[:4])
    return stack[0] if len(stack) == 1 else stack
