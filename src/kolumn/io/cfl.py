"""BART's pair of files: a text ``.hdr`` with 16 dimensions and a ``.cfl`` of complex64, first dimension fastest.

Dimension 0 is the readout, our ky; 1 the phase encode, our kx; 2 a second phase encode; 3 the coil; 4 the set of
maps; 10 time and 13 the slice, which both become slices here.

Reference: BART, https://mrirecon.github.io/bart/.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..acquisition import Geometry
from ..errors import FormatError
from .atomic import atomic
from .guard import check_readable
from .npy import array_scan
from .scan import Scan
from .source import Source

READ, PHASE, PHASE2, COIL, MAPS, TIME, SLICE = 0, 1, 2, 3, 4, 10, 13
N_DIMS = 16


def sniff(path: Path, head: bytes) -> bool:
    """One of a pair: a ``.cfl`` has no mark of its own, so its ``.hdr`` decides."""
    header = path.with_suffix(".hdr")
    if path.suffix not in (".cfl", ".hdr"):
        return False
    if not header.is_file():
        return True  # so that the reader says which half is missing
    with header.open("rb") as file:
        return file.read(512).lstrip().startswith(b"#")


def open_cfl(path: Path, dataset: str | None = None) -> Scan:
    """Open a BART pair, mapped into memory.

    Raises:
        FormatError: damaged, cut off, or with dimensions that are no 2-D k-space.
    """
    values = map_cfl(path)
    used = {i for i, n in enumerate(values.shape) if n > 1}
    extra = used - {READ, PHASE, COIL, TIME, SLICE}
    if extra:
        names = {PHASE2: "a second phase encode (3-D)", MAPS: "several sets of maps"}
        text = ", ".join(names.get(i, f"dimension {i}") for i in sorted(extra))
        raise FormatError(f"{path} has {text}; kolumn reads 2-D k-space: choose one part with `bart slice`")
    # The slice runs fastest, time outside it.
    order = (TIME, SLICE, COIL, READ, PHASE)
    rest = tuple(i for i in range(N_DIMS) if i not in order)
    moved = values.transpose(*order, *rest).reshape(*(values.shape[i] for i in order))
    stack = moved[0] if moved.shape[0] == 1 else moved.reshape(-1, *moved.shape[2:])
    return array_scan(path, stack, None)


def map_cfl(path: Path) -> NDArray[np.complex64]:
    """A BART array with its 16 dimensions, mapped into memory.

    Raises:
        FormatError: a missing half, a header that is not BART's, or a size that is not that of the file.
    """
    values, header = path.with_suffix(".cfl"), path.with_suffix(".hdr")
    size = check_readable(values)
    if not header.is_file():
        raise FormatError(f"{values} is half of a BART pair: {header.name}, which has its sizes, is missing")
    if check_readable(header) > 1 << 20:
        raise FormatError(f"{header} is too large for the header of a BART file")
    dims = _dimensions(header)
    nbytes = prod(dims) * 8
    if nbytes != size:
        raise FormatError(f"{values} has {size} bytes and its header claims {nbytes}: {' x '.join(map(str, dims))}")
    return np.memmap(values, np.dtype("<c8"), "r", 0, dims, "F")


def _dimensions(header: Path) -> tuple[int, ...]:
    lines = header.read_text("utf-8", "replace").splitlines()
    wanted = f"{header} is no BART header: wanted a line `# Dimensions`, then up to {N_DIMS} sizes of 1 and more"
    try:
        at = next(i for i, line in enumerate(lines) if line.strip().lower() == "# dimensions")
        dims = tuple(int(word) for word in lines[at + 1].split())
    except (StopIteration, IndexError, ValueError) as error:
        raise FormatError(wanted) from error
    if not 1 <= len(dims) <= N_DIMS or any(not 1 <= n < 1 << 40 for n in dims):
        raise FormatError(wanted)
    return dims + (1,) * (N_DIMS - len(dims))


def _write_pair(path: Path, overwrite: bool, dims: dict[int, int], parts: Any) -> None:
    shape = [dims.get(i, 1) for i in range(N_DIMS)]
    header = path.with_suffix(".hdr")
    # Both are complete before the first is moved, so that only a crash between two renames leaves half a pair.
    with atomic(path.with_suffix(".cfl"), overwrite) as beside, atomic(header, overwrite) as beside_header:
        beside_header.write_text("# Dimensions\n" + " ".join(map(str, shape)) + "\n")
        with beside.open("wb") as file:
            for part in parts:  # the slice is the last dimension in use, so slices follow each other
                file.write(np.asarray(part, np.dtype("<c8")).tobytes(order="F"))


def save_image(
    path: Path, image: Tensor, geometry: Geometry | None, overwrite: bool, attributes: Mapping[str, Any]
) -> None:
    """Complex64: y in dimension 0, x in 1, the slice in 13."""
    n, y, x = image.shape
    _write_pair(path, overwrite, {READ: y, PHASE: x, SLICE: n}, (one.numpy() for one in image))


def save_kspace(path: Path, source: Source, overwrite: bool, attributes: Mapping[str, Any]) -> None:
    """K-space: ky in dimension 0, kx in 1, the coil in 3, the slice in 13."""
    coils, ky, kx = source.shape
    dims = {READ: ky, PHASE: kx, COIL: coils, SLICE: source.n_slices}
    parts = (one.kspace.to(torch.complex64).permute(1, 2, 0).numpy() for one in source)
    _write_pair(path, overwrite, dims, parts)
