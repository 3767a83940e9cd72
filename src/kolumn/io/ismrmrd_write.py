"""ISMRMRD raw files written with h5py, in the layout of libismrmrd.

Coils' noise covariance C is kept as a made-up noise scan N with N N^H / n = C exactly, since the format has no
place for a matrix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..acquisition import Acquisition
from ..errors import ArgumentError
from ..masks import acceleration
from .atomic import atomic
from .header import build_header
from .source import Source

COUNTERS = np.dtype(
    [(f"kspace_encode_step_{i}", "<u2") for i in (1, 2)]
    + [(n, "<u2") for n in ("average", "slice", "contrast", "phase", "repetition", "set", "segment")]
    + [("user", "<u2", (8,))]
)
HEAD = np.dtype(
    [("version", "<u2"), ("flags", "<u8")]
    + [(n, "<u4") for n in ("measurement_uid", "scan_counter", "acquisition_time_stamp")]
    + [("physiology_time_stamp", "<u4", (3,))]
    + [(n, "<u2") for n in ("number_of_samples", "available_channels", "active_channels")]
    + [("channel_mask", "<u8", (16,))]
    + [(n, "<u2") for n in ("discard_pre", "discard_post", "center_sample", "encoding_space_ref")]
    + [("trajectory_dimensions", "<u2"), ("sample_time_us", "<f4")]
    + [(n, "<f4", (3,)) for n in ("position", "read_dir", "phase_dir", "slice_dir", "patient_table_position")]
    + [("idx", COUNTERS), ("user_int", "<i4", (8,)), ("user_float", "<f4", (8,))]
)
FIRST_IN_SLICE, LAST_IN_SLICE, NOISE, CALIBRATION, LAST_IN_MEASUREMENT = (1 << (f - 1) for f in (7, 8, 19, 20, 25))
DWELL = 5.0  # microseconds; the same for noise and image, so their ratio is 1
Readout = tuple[NDArray[Any], NDArray[np.float32]]


def save_kspace(path: Path, source: Source, overwrite: bool, attributes: Mapping[str, Any]) -> None:
    """K-space a readout at a time, sampled columns only, and after the noise scan.

    Raises:
        ArgumentError: a mask with gaps along the readout, which readouts cannot express.
    """
    import h5py

    coils, ky, kx = source.shape
    if max(coils, ky, kx, source.n_slices) > 65535:
        raise ArgumentError(f"k-space is {source.n_slices} x {coils} x {ky} x {kx}; ISMRMRD counts to 65535")
    first = next(iter(source))
    mode = "separate" if first.calibration is not None else "" if bool(first.mask.all()) else "embedded"
    floats = h5py.vlen_dtype(np.dtype("<f4"))
    record = np.dtype([("head", HEAD), ("traj", floats), ("data", floats)])
    with atomic(path, overwrite) as beside, h5py.File(beside, "w") as file:
        group = file.create_group("dataset")
        group.create_dataset("xml", (1,), h5py.string_dtype("utf-8"))[0] = build_header(
            coils, ky, kx, source.geometry, mode, _factor(first.mask.expand(1, ky, kx)[0])
        ).decode()
        table = group.create_dataset("data", (0,), record, maxshape=(None,), chunks=(16,))
        for rows in _batches(source):
            block = np.empty(len(rows), record)
            for i, (head, data) in enumerate(rows):
                block[i] = (head, np.zeros(0, np.float32), data)
                block[i]["head"]["scan_counter"] = len(table) + i
            table.resize(len(table) + len(rows), axis=0)
            table[-len(rows) :] = block


def _factor(mask: Tensor) -> int:
    """The step from column to column outside the middle where there is one that recurs, else the acceleration."""
    steps = [step for step in torch.nonzero(mask.any(0)).flatten().diff().tolist() if step > 1]
    regular = len(steps) > 1 and len(set(steps)) == 1
    return int(steps[0]) if regular else round(acceleration(mask, tuple(mask.shape)))


def _batches(source: Source) -> Iterator[list[Readout]]:
    """The readouts of the noise scan, then those of each slice."""
    for i, one in enumerate(source):
        if i == 0 and one.noise is not None:
            yield [_readout(source, 0, _noise_samples(one.noise), 0, 0, NOISE)]
        lines = list(_lines(source, i, one))
        lines[0][0]["flags"] |= np.uint64(FIRST_IN_SLICE)
        lines[-1][0]["flags"] |= np.uint64(LAST_IN_SLICE)
        if i == source.n_slices - 1:
            lines[-1][0]["flags"] |= np.uint64(LAST_IN_MEASUREMENT)
        yield lines


def _lines(source: Source, number: int, one: Acquisition) -> Iterator[Readout]:
    _, ky, kx = source.shape
    if one.calibration is not None:
        cy, cx = one.calibration.shape[-2:]
        for c in range(cx):
            yield _readout(source, number, one.calibration[..., c], kx // 2 - cx // 2 + c, cy // 2, CALIBRATION)
    mask = one.mask.expand(1, ky, kx)[0]
    for c in torch.nonzero(mask.any(0)).flatten().tolist():
        rows = torch.nonzero(mask[:, c]).flatten()
        first, last = int(rows[0]), int(rows[-1]) + 1
        if len(rows) != last - first or first > ky // 2:
            raise ArgumentError("the mask has gaps along the readout, which ISMRMRD cannot hold; write .h5 or .npz")
        yield _readout(source, number, one.kspace[:, first:last, c], c, ky // 2 - first, 0)


def _readout(source: Source, number: int, samples: Tensor, step: int, centre: int, flags: int) -> Readout:
    head = np.zeros((), HEAD)
    coils, n = samples.shape
    head["version"], head["flags"], head["sample_time_us"] = 1, flags, DWELL
    head["number_of_samples"], head["center_sample"] = n, centre
    head["available_channels"] = head["active_channels"] = coils
    head["channel_mask"] = [sum(1 << b for b in range(64) if 64 * w + b < coils) for w in range(16)]
    head["idx"]["kspace_encode_step_1"], head["idx"]["slice"] = step, number
    g = source.geometry
    head["position"] = source.position(number)
    head["read_dir"] = g.read_dir if g else (1, 0, 0)
    head["phase_dir"] = g.phase_dir if g else (0, 1, 0)
    head["slice_dir"] = g.slice_dir if g else (0, 0, 1)
    values = samples.to(torch.complex64).contiguous().numpy()
    return head, values.view(np.float32).reshape(-1)


def _noise_samples(covariance: Tensor) -> Tensor:
    """N (coil, n) with N N^H / n = C: a square root of C times rows of a Fourier matrix, which are orthogonal."""
    C = covariance.to(torch.complex128)
    values, vectors = torch.linalg.eigh((C + C.mH) / 2)
    root = vectors * values.clamp_min(0).sqrt().to(C.dtype)
    n = max(256, len(C))
    angle = torch.outer(torch.arange(len(C)), torch.arange(n)).double() * (2 * torch.pi / n)
    samples: Tensor = root @ torch.polar(torch.ones_like(angle), angle)
    return samples
