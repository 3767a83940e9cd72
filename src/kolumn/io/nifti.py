"""NIfTI images: magnitude float32, in the patient's coordinates.

The array is (y, x, slice), so its first axis is the readout. NIfTI counts right, anterior, superior and kolumn left,
posterior, superior, hence the signs of the affine. Voxel N // 2 of an axis is the centre of the Fourier transform.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ..acquisition import Geometry
from .atomic import atomic

Array = NDArray[np.float64]


def save_image(
    path: Path, image: Tensor, geometry: Geometry | None, overwrite: bool, attributes: Mapping[str, Any]
) -> None:
    """Magnitude (slice, y, x); slices at the same place become the fourth axis."""
    import nibabel

    data, affine = volume(image.abs().float().numpy(), geometry)
    nifti: Any = nibabel.Nifti1Image(data, affine)  # type: ignore[no-untyped-call]
    code = 1 if geometry is not None else 0
    nifti.set_sform(affine, code)
    nifti.set_qform(affine, code)
    nifti.header.set_xyzt_units("mm", "sec")
    nifti.header.set_dim_info(freq=0, phase=1, slice=2)
    nifti.header["descrip"] = b"kolumn magnitude"
    with atomic(path, overwrite) as beside:
        nibabel.save(nifti, beside)


def volume(image: NDArray[np.float32], geometry: Geometry | None) -> tuple[NDArray[np.float32], Array]:
    """The array (y, x, slice[, t]) and its affine (4, 4), from an image (slice, y, x)."""
    n, y, x = image.shape
    g = geometry or Geometry(matrix=(y, x), fov=(float(y), float(x), 1.0))
    # Pixels of the geometry, also where the image was cropped or left larger around the same centre.
    size = (g.fov[0] / g.matrix[0], g.fov[1] / g.matrix[1])
    order, n_times, spacing, first = _stack(g, n)
    stack = image[order].reshape(n_times, n // n_times, y, x)
    read, phase, normal = (np.asarray(v, np.float64) for v in (g.read_dir, g.phase_dir, g.slice_dir))
    affine = np.eye(4)
    affine[:3, :3] = np.stack([read * size[0], phase * size[1], normal * spacing], axis=1)
    affine[:3, 3] = first - read * size[0] * (y // 2) - phase * size[1] * (x // 2)
    data = np.ascontiguousarray(stack.transpose(2, 3, 1, 0))
    return data[..., 0] if n_times == 1 else data, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine


def _stack(g: Geometry, n: int) -> tuple[NDArray[np.int64], int, float, Array]:
    """Order of the slices along the normal, repetitions apart; their number, spacing, and the first position."""
    positions = np.asarray(g.positions, np.float64)
    plain = np.arange(n)
    thickness = float(g.fov[2])
    if len(positions) != n:
        return plain, 1, thickness, positions[0]
    along = np.round(positions @ np.asarray(g.slice_dir), 3)
    places = np.unique(along)
    times = n // len(places)
    counts = np.unique(along, return_counts=True)[1]
    # Images that do not fill a grid of places and times are stacked as they come.
    if not (counts == times).all():
        return plain, 1, thickness, positions[0]
    by_place = np.stack([np.flatnonzero(along == place) for place in places])  # (place, time)
    spacing = float(np.diff(places).mean()) if len(places) > 1 else thickness
    return by_place.T.reshape(-1), times, spacing, positions[by_place[0, 0]]
