"""Reading k-space and writing images: one file per format, and the table FORMATS.

scan = open_scan("brain.h5")         # slices on demand
acquisition = read("brain.h5")       # the whole volume
write("brain.nii.gz", image, acquisition.geometry)
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..acquisition import Acquisition, Geometry, as_complex
from ..errors import ArgumentError
from .atomic import check_target
from .formats import FORMATS, Format, format_for, format_of
from .guard import check_readable
from .maps import read_maps
from .scan import Scan
from .source import as_source

__all__ = ["FORMATS", "Format", "Scan", "open_scan", "read", "read_maps", "write", "write_kspace"]

PathLike = str | os.PathLike[str]


def open_scan(path: PathLike, dataset: str | None = None) -> Scan:
    """Open a k-space file of any format in FORMATS, found from its content.

    Args:
        path: the file; of a BART pair, either file or the name without an ending.
        dataset: which dataset of an HDF5 file, or array of an ``.npz``, holds the k-space; None: the usual one.

    Raises:
        FormatError: missing, unreadable, damaged, or of no known format.
        MissingExtraError: the format needs a package that is not installed.
    """
    path = Path(path)
    if not path.exists() and Path(f"{path}.cfl").is_file():
        path = Path(f"{path}.cfl")
    check_readable(path)
    one = format_of(path)
    assert one.open is not None
    return replace(one.open(path, dataset), format=one.name)


def read(path: PathLike, dataset: str | None = None) -> Acquisition:
    """Read a whole k-space file: an Acquisition with k-space (slice, coil, ky, kx).

    Args:
        path: the file.
        dataset: as in :func:`open_scan`.

    Raises:
        FormatError: as :func:`open_scan`.
        ArgumentError: k-space with NaN, or nothing but zeros.
    """
    return open_scan(path, dataset).volume()


def write(
    path: PathLike,
    image: Tensor | NDArray[Any],
    geometry: Geometry | None = None,
    overwrite: bool = False,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Write an image; the ending of the name chooses the format.

    Args:
        path: the target: ``.nii``, ``.nii.gz``, ``.h5`` and ``.png`` hold the magnitude, ``.npy`` and ``.cfl``
            complex64.
        image: (y, x) or (slice, y, x), complex or real, tensor or array.
        geometry: where the image lies; only NIfTI keeps it.
        overwrite: replace a target that exists.
        attributes: names and values to be stored with the file; only HDF5 keeps them.

    Raises:
        ArgumentError: an unknown ending, another shape, or NaN or infinity in the image.
        OutputError: the target exists or cannot be written.
    """
    path = Path(path)
    save = format_for(path, "save").save
    assert save is not None
    image = as_complex("image", image).detach().cpu()
    image = image[None] if image.ndim == 2 else image
    if image.ndim != 3 or 0 in image.shape:
        raise ArgumentError(f"image has shape {tuple(image.shape)}; wanted (y, x) or (slice, y, x)")
    if not bool(torch.isfinite(torch.view_as_real(image)).all()):
        raise ArgumentError("image holds NaN or infinity, which no file is written with")
    save(path, image.to(torch.complex64), geometry, overwrite, attributes or {})


def write_kspace(
    path: PathLike,
    data: Scan | Acquisition | Iterable[Acquisition],
    geometry: Geometry | None = None,
    overwrite: bool = False,
    attributes: Mapping[str, Any] | None = None,
    target: Tensor | None = None,
) -> None:
    """Write k-space; the ending of the name chooses the format. A Scan is copied a slice at a time.

    Args:
        path: the target: ``.h5`` (fastMRI), ``.mrd``, ``.mrd.h5``, ``.ismrmrd``, ``.cfl``, ``.npy`` or ``.npz``.
        data: what to write.
        geometry: where the image lies; None: that of ``data``.
        overwrite: replace a target that exists.
        attributes: names and values to be stored with the file; only fastMRI HDF5 keeps them.
        target: (slice, y, x), the reference image to be stored beside; only fastMRI HDF5 keeps it. Without one,
            fully sampled k-space gets its own root sum of squares.

    Raises:
        ArgumentError: an unknown ending, nothing to write, or a pattern that the format cannot hold.
        OutputError: the target exists or cannot be written.
    """
    path = Path(path)
    save = format_for(path, "save_kspace").save_kspace
    assert save is not None
    check_target(path, overwrite)
    source = as_source(data if isinstance(data, Scan | Acquisition) else list(data), geometry, target)
    save(path, source, overwrite, attributes or {})
