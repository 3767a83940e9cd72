"""A mask from a .npy file."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from tokenize import TokenError
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.lib import format as npy
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ArgumentError, FormatError

HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}


def from_file(path: str | PathLike[str], shape: tuple[int, int]) -> Tensor:
    """Read a mask: whatever is not 0 counts as acquired.

    Type and size are checked in the header before any value is read, so a header that claims terabytes costs nothing;
    pickled objects are refused.

    Args:
        path: a .npy file that holds (kx,), (1, kx) or (ky, kx) booleans or real numbers.
        shape: (ky, kx) of k-space, samples.

    Returns:
        Tensor: bool (1, kx), or (ky, kx) where the rows differ.

    Raises:
        ArgumentError: no such file, not a file, another size than ``shape``, or nothing sampled.
        FormatError: not a .npy file of numbers, cut short, or with NaN or infinity in it.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise ArgumentError(f"mask {path}: {'not a regular file' if path.exists() else 'there is no such file'}")
        with path.open("rb") as file:
            values = _read(path, file, shape)
    except OSError as e:
        raise FormatError(f"mask {path} cannot be read: {e.strerror}") from e
    if not np.isfinite(values).all():
        raise FormatError(f"mask {path} holds NaN or infinity; wanted 0 where not sampled and 1 where sampled")
    mask = torch.from_numpy(np.ascontiguousarray(values != 0))
    if not bool(mask.any()):
        raise ArgumentError(f"mask {path} samples nothing: every entry is 0")
    return mask[:1].clone() if bool((mask == mask[:1]).all()) else mask


def _read(path: Path, file: BinaryIO, shape: tuple[int, int]) -> NDArray[Any]:
    """The values as (rows, kx)."""
    have, fortran, dtype = _header(path, file)
    if dtype.kind not in "biuf":
        raise FormatError(f"mask {path} holds {dtype}; wanted booleans or real numbers")
    _check_shape(path, have, shape)
    count = int(np.prod(have))
    data = file.read(count * dtype.itemsize)
    if len(data) < count * dtype.itemsize:
        raise FormatError(f"mask {path} is cut short: {len(data)} of {count * dtype.itemsize} bytes; copy it again")
    return np.frombuffer(data, dtype).reshape(have, order="F" if fortran else "C").reshape(-1, shape[1])


def _header(path: Path, file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, Fortran order, and type."""
    try:
        version = npy.read_magic(file)
        if version not in HEADERS:
            raise ValueError(f"version {version[0]}.{version[1]} is not for numbers")
        return HEADERS[version](file)
    # The header is a Python literal; each stage of its parser has errors of its own, some by version of Python.
    except (ValueError, TypeError, SyntaxError, TokenError, MemoryError, RecursionError) as e:
        reason = (str(e).splitlines() or [type(e).__name__])[0]
        raise FormatError(f"mask {path} is not a .npy file of numbers: {reason}") from e


def _check_shape(path: Path, have: tuple[int, ...], shape: tuple[int, int]) -> None:
    ky, kx = shape
    if have in ((kx,), (1, kx), (ky, kx)):
        return
    if len(have) == 1:
        raise ArgumentError(f"mask {path} has {have[0]} columns and k-space has {kx}; wanted the same")
    size = " x ".join(map(str, have)) or "a single number"
    raise ArgumentError(f"mask {path} is {size} and k-space is {ky} x {kx} (ky x kx); wanted {kx} or {ky} x {kx}")
