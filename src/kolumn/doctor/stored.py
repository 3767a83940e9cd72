"""K-space as the file holds it, before a mask or the search for zeros has cleaned it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..io import Scan, hdf5, npy
from ..io import fastmri as fastmri_file

Raw = tuple[Any, bool]


def stored(scan: Scan, dataset: str | None, i: int) -> tuple[Tensor, bool] | None:
    """Slice ``i`` as stored, complex (coil, ky, kx), and whether the file holds a mask beside it.

    Args:
        scan: the file.
        dataset: name of its k-space dataset; None: the usual one.
        i: slice.

    Returns:
        None for formats of single readouts, where a line that was not sampled is not there.

    Raises:
        FormatError: the file cannot be read.
    """
    if scan.format not in STORED:
        return None
    values, has_mask = STORED[scan.format](scan, dataset, i)
    return torch.from_numpy(np.array(values, np.complex64).reshape(scan.shape)), has_mask


def _fastmri(scan: Scan, dataset: str | None, i: int) -> Raw:
    there = hdf5.contents(scan.path)
    name = dataset or fastmri_file.KSPACE
    info = there[name]
    return hdf5.array(scan.path, name, info, i if len(info.shape) > 2 else None), fastmri_file.MASK in there


def _npy(scan: Scan, dataset: str | None, i: int) -> Raw:
    return npy.map_array(scan.path).reshape(-1, *scan.shape)[i], False


def _npz(scan: Scan, dataset: str | None, i: int) -> Raw:
    name = dataset or "kspace"
    arrays = npy.read_archive(scan.path, (name, "mask"))
    return arrays[name].reshape(-1, *scan.shape)[i], "mask" in arrays


STORED: dict[str, Callable[[Scan, str | None, int], Raw]] = {"fastmri": _fastmri, "npy": _npy, "npz": _npz}
