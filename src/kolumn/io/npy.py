"""NumPy files: ``.npy`` and ``.npz``, k-space (ky, kx), (coil, ky, kx) or (slice, coil, ky, kx), never pickled."""

from __future__ import annotations

import warnings
import zipfile
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from numpy.lib import format as npy_format
from numpy.typing import NDArray
from torch import Tensor

from ..acquisition import Acquisition, Geometry, acquire
from ..errors import ArgumentError, FormatError
from .atomic import atomic
from .scan import Scan
from .source import Source

Array = NDArray[Any]
RATIO = 1100  # deflate packs at most 1032 : 1


def sniff_npy(path: Path, head: bytes) -> bool:
    """A NumPy array."""
    return head.startswith(b"\x93NUMPY")


def sniff_npz(path: Path, head: bytes) -> bool:
    """A zip archive, taken for one of NumPy arrays."""
    return head.startswith(b"PK\x03\x04")


def open_npy(path: Path, dataset: str | None = None) -> Scan:
    """Open a ``.npy`` file of k-space, mapped into memory.

    Raises:
        FormatError: damaged, pickled, or not complex with two to four axes.
    """
    return array_scan(path, map_array(path), None)


def open_npz(path: Path, dataset: str | None = None) -> Scan:
    """Open an ``.npz`` file with the array ``kspace``, or ``dataset``, and perhaps ``mask``.

    Raises:
        FormatError: damaged, no such array (the message lists those there are), or not complex.
    """
    arrays = read_archive(path, (dataset or "kspace", "mask"))
    if (dataset or "kspace") not in arrays:
        raise FormatError(f"{path} has no array {dataset or 'kspace'!r}; it has: {', '.join(_names(path)) or 'none'}")
    mask = arrays.get("mask")
    if mask is not None and mask.dtype.kind not in "biufc":
        raise FormatError(f"{path}: mask has dtype {mask.dtype}; wanted numbers")
    return array_scan(path, arrays[dataset or "kspace"], mask)


def array_scan(path: Path, values: Array, mask: Array | None, geometry: Geometry | None = None) -> Scan:
    """A Scan over an array (ky, kx), (coil, ky, kx) or (slice, coil, ky, kx), in memory or mapped."""
    size = " x ".join(map(str, values.shape))
    if values.dtype.kind != "c" or not 2 <= values.ndim <= 4 or 0 in values.shape:
        raise FormatError(f"{path} is {size or 'a scalar'} of {values.dtype}; wanted complex (slice, coil, ky, kx)")
    full = values.reshape((1,) * (4 - values.ndim) + values.shape)
    n, coils, ky, kx = full.shape

    def load(i: int) -> Acquisition:
        if not 0 <= i < n:
            raise ArgumentError(f"slice {i} of {path} does not exist; it has 0 to {n - 1}")
        one = mask[i] if mask is not None and mask.ndim == 4 and len(mask) == n else mask
        return acquire(np.array(full[i], dtype=np.complex64), None if one is None else np.array(one), geometry=geometry)

    return Scan(path, "npy", (coils, ky, kx), n, load, geometry, details={"dtype": str(values.dtype)})


def map_array(path: Path) -> Array:
    """A ``.npy`` file mapped into memory, its header checked against the size of the file.

    Raises:
        FormatError: damaged, or an array of Python objects.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        shape, fortran, dtype = _read_header(file, str(path))
        offset = file.tell()
    nbytes = prod(shape) * dtype.itemsize
    if nbytes > size - offset:
        raise FormatError(f"{path} is cut off: its header claims {nbytes} bytes of values, {size - offset} are there")
    if not nbytes:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", offset, shape, "F" if fortran else "C")


def _read_header(file: IO[bytes], where: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files from Python 2
            version = npy_format.read_magic(file)
            reader = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            shape, fortran, dtype = reader(file)
    # A damaged header goes through Python's own parser, which may raise any of these.
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError, KeyError, IndexError, OSError) as error:
        raise FormatError(f"{where} is not a NumPy array: {' '.join(str(error).split())[:200]}") from error
    if dtype.hasobject:
        raise FormatError(f"{where} holds pickled Python objects, which are never loaded; save it as numbers")
    if len(shape) > 16 or min(shape, default=1) < 0:
        raise FormatError(f"{where}: its header claims the shape {shape}, which cannot be")
    return shape, fortran, dtype


def _names(path: Path) -> list[str]:
    with zipfile.ZipFile(path) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()[:20]]


def read_archive(path: Path, names: tuple[str, ...]) -> dict[str, Array]:
    """Some arrays of an ``.npz`` file, those that are there.

    Raises:
        FormatError: damaged, pickled, or sizes that the archive cannot hold.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {m.filename.removesuffix(".npy"): m for m in archive.infolist() if m.filename.endswith(".npy")}
            return {name: _member(archive, members[name], path) for name in names if name in members}
    except (zipfile.BadZipFile, zipfile.LargeZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise FormatError(f"{path} is a damaged archive: {error}") from error
    except (OSError, ValueError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"{path} is a damaged archive: {error}") from error


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> Array:
    where = f"{path}, array {member.filename.removesuffix('.npy')}"
    held = min(member.compress_size, path.stat().st_size) * (1 if member.compress_type == zipfile.ZIP_STORED else RATIO)
    with archive.open(member) as file:
        shape, fortran, dtype = _read_header(file, where)
        nbytes = prod(shape) * dtype.itemsize
        if nbytes > held:
            raise FormatError(f"{where}: its header claims {nbytes} bytes of values, and {held} can be there")
        raw = file.read(nbytes)
    if len(raw) < nbytes:
        raise FormatError(f"{where} is cut off: {nbytes} bytes claimed, {len(raw)} there")
    flat = np.frombuffer(bytearray(raw), dtype)
    return flat.reshape(shape, order="F" if fortran else "C")


def save_image(
    path: Path, image: Tensor, geometry: Geometry | None, overwrite: bool, attributes: Mapping[str, Any]
) -> None:
    """Complex64 (slice, y, x); (y, x) for one slice."""
    with atomic(path, overwrite) as beside:
        np.save(beside, (image[0] if len(image) == 1 else image).numpy(), allow_pickle=False)


def save_npy(path: Path, source: Source, overwrite: bool, attributes: Mapping[str, Any]) -> None:
    """K-space (slice, coil, ky, kx), complex64."""
    with atomic(path, overwrite) as beside:
        header = {"descr": "<c8", "fortran_order": False, "shape": (source.n_slices, *source.shape)}
        with beside.open("wb") as file:  # not through memory mapping: on a full disk that kills the process
            npy_format.write_array_header_1_0(file, header)
            for one in source:
                file.write(one.kspace.to(torch.complex64).numpy().astype("<c8").tobytes())


def save_npz(path: Path, source: Source, overwrite: bool, attributes: Mapping[str, Any]) -> None:
    """K-space and mask, (slice, coil, ky, kx) and (slice, 1, ky or 1, kx)."""
    parts = list(source)
    kspace = torch.stack([one.kspace.to(torch.complex64) for one in parts]).numpy()
    heights = max(one.mask.shape[-2] for one in parts)
    masks = torch.stack([one.mask.expand(1, heights, one.mask.shape[-1]) for one in parts]).numpy()
    with atomic(path, overwrite) as beside:
        np.savez(beside, kspace=kspace, mask=masks)
