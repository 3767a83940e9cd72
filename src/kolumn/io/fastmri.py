"""fastMRI HDF5: ``kspace`` (slice, coil, ky, kx), or (slice, ky, kx) for one coil, and an ISMRMRD header.

Reference: Zbontar et al., "fastMRI: An Open Dataset and Benchmarks for Accelerated MRI", 2018, arXiv:1811.08839.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..acquisition import Acquisition, Geometry, acquire
from ..errors import ArgumentError, FormatError
from ..fourier import crop, ifft2
from . import hdf5
from .atomic import atomic
from .header import Header, build_header, parse_header
from .scan import Scan
from .source import Source

KSPACE = "kspace"
MASK = "mask"
HEADER = "ismrmrd_header"


def sniff(path: Path, head: bytes) -> bool:
    """Any HDF5 file that is not ISMRMRD: the check comes after that of ISMRMRD."""
    return head.startswith(hdf5.MAGIC)


def _fits(info: hdf5.Dataset) -> bool:
    """Whether a dataset can be k-space at all."""
    return info.kind == "c" and 2 <= len(info.shape) <= 4 and 0 not in info.shape


def open_fastmri(path: Path, dataset: str | None = None) -> Scan:
    """Open a fastMRI file; slices are read one at a time.

    Args:
        path: the file.
        dataset: name of the k-space dataset; None: ``kspace``.

    Raises:
        FormatError: no such dataset (the message lists those that are there), or not k-space.
    """
    name = dataset or KSPACE
    there = hdf5.contents(path)
    if name not in there:
        known = ", ".join(f"{n} {'x'.join(map(str, d.shape))}".strip() for n, d in list(there.items())[:8]) or "none"
        known += f" and {len(there) - 8} more" if len(there) > 8 else ""
        advice = "choose one with --dataset" if any(map(_fits, there.values())) else "none of them is k-space"
        raise FormatError(f"{path} has no dataset {name!r}; it has: {known}; {advice}")
    info = there[name]
    if not _fits(info):
        size = " x ".join(map(str, info.shape))
        raise FormatError(
            f"{path}: dataset {name} is {size} of kind {info.kind!r}; wanted complex (slice, coil, ky, kx)"
        )
    n_slices = info.shape[0] if len(info.shape) > 2 else 1
    coils = info.shape[1] if len(info.shape) == 4 else 1
    shape = (coils, info.shape[-2], info.shape[-1])
    header = parse_header(hdf5.text(path, HEADER), str(path)) if HEADER in there else None
    geometry = header_geometry(header, shape, n_slices) if header else None
    mask = _read_mask(path, there[MASK], shape) if MASK in there else None

    def load(i: int) -> Acquisition:
        if not 0 <= i < n_slices:
            raise ArgumentError(f"slice {i} of {path} does not exist; it has 0 to {n_slices - 1}")
        values = hdf5.array(path, name, info, i if len(info.shape) > 2 else None)
        values = np.ascontiguousarray(values.astype(np.complex64)).reshape(shape)
        return acquire(values, mask, geometry=geometry)

    details = {**(header.details if header else {}), **hdf5.attributes(path)}
    calibration = "embedded" if mask is not None else ""
    return Scan(path, "fastmri", shape, n_slices, load, geometry, calibration=calibration, details=details)


def _read_mask(path: Path, info: hdf5.Dataset, shape: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    values = hdf5.array(path, MASK, info) if info.kind in "biuf" else np.zeros(0)
    # Loaders of the challenge reshape the columns to (1, 1, kx, 1); a (kx,) is what the files hold.
    if values.size == shape[2]:
        return values.reshape(-1)
    if values.size == shape[1] * shape[2]:
        return values.reshape(shape[1:])
    size = " x ".join(map(str, info.shape))
    raise FormatError(f"{path}: the mask is {size} of kind {info.kind!r}; wanted {shape[2]} columns")


def header_geometry(header: Header, shape: tuple[int, int, int], n_slices: int) -> Geometry | None:
    """The image of a fastMRI file: the header's matrix where k-space is large enough, pixels of k-space's size."""
    if header.recon is None or header.encoded is None:
        return None
    encoded, (x, y, _) = header.encoded, header.recon.matrix
    matrix = (min(x, shape[1]), min(y, shape[2]))
    # The field of view of all of k-space is 1 / step, whatever was interpolated afterwards.
    fov = (encoded.fov[0] * matrix[0] / shape[1], encoded.fov[1] * matrix[1] / shape[2], header.recon.fov[2])
    middle = n_slices // 2
    positions = tuple((0.0, 0.0, (i - middle) * fov[2]) for i in range(n_slices))
    return Geometry(matrix=matrix, fov=fov, positions=positions)


def save_image(
    path: Path, image: Tensor, geometry: Geometry | None, overwrite: bool, attributes: Mapping[str, Any]
) -> None:
    """Magnitude (slice, y, x) as dataset ``reconstruction``, as the fastMRI leaderboard asks for."""
    import h5py

    with atomic(path, overwrite) as beside, h5py.File(beside, "w") as file:
        file["reconstruction"] = image.abs().to(torch.float32).numpy()
        for name, value in attributes.items():
            file.attrs[name] = value


def save_kspace(path: Path, source: Source, overwrite: bool, attributes: Mapping[str, Any]) -> None:
    """K-space as fastMRI has it; with ``mask`` where columns are missing, with a target where none are."""
    import h5py

    coils, ky, kx = source.shape
    full = (source.n_slices, coils, ky, kx) if coils > 1 else (source.n_slices, ky, kx)
    with atomic(path, overwrite) as beside, h5py.File(beside, "w") as file:
        kspace = file.create_dataset(KSPACE, full, np.complex64)
        masks, targets = [], []
        for i, one in enumerate(source):
            kspace[i] = one.kspace.to(torch.complex64).reshape(full[1:]).numpy()
            masks.append(one.mask.expand(1, *one.mask.shape[-2:])[0])
            targets.append(_target(one))
        # A target made of undersampled k-space would be no target.
        target = source.target if source.target is not None else torch.stack(targets)
        if all(bool(m.all()) for m in masks) or source.target is not None:
            _save_target(file, target.abs().to(torch.float32), coils)
        if not all(bool(m.all()) for m in masks) and all(len(m) == 1 and torch.equal(m, masks[0]) for m in masks):
            file[MASK] = masks[0][0].numpy()
        file[HEADER] = build_header(coils, ky, kx, source.geometry)
        file.attrs["max"] = float(target.abs().max())
        file.attrs["norm"] = float(torch.linalg.vector_norm(target))
        for name, value in {"acquisition": "kolumn", "patient_id": path.stem, **attributes}.items():
            file.attrs[name] = value


def _target(one: Acquisition) -> Tensor:
    images = ifft2(one.kspace)
    images = crop(images, one.geometry.matrix) if one.geometry else images
    return images.abs().square().sum(-3).sqrt()


def _save_target(file: Any, target: Tensor, coils: int) -> None:
    file["reconstruction_rss"] = target.numpy()
    if coils == 1:
        file["reconstruction_esc"] = target.numpy()
