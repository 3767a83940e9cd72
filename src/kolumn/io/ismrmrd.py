"""ISMRMRD raw files, read without the ``ismrmrd`` package.

A group ``dataset`` holds ``xml`` and ``data``, one compound of head, trajectory and samples a readout. In a file
converted from several measurements the last ``dataset*`` is the image.

Reference: Inati et al., "ISMRM Raw Data Format: A Proposed Standard for MRI Raw Datasets", 2017, doi:10.1002/mrm.26089.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError
from . import hdf5
from .header import Header, Space, parse_header
from .readouts import Complex, Grid, Ints, Readouts, geometry_of, loader, noise_covariance, sort
from .scan import Scan

# Flags count from 1.
NOISE, CALIBRATION, CALIBRATION_AND_IMAGING, REVERSE = 19, 20, 21, 22
NEITHER = (
    23,
    24,
    26,
    27,
    28,
    29,
    30,
)  # navigator, phase correction, feedback, dummy, feedback, surface coil, phase stab.
COMPRESSED = (53, 54, 55, 56)
COUNTERS = ("repetition", "set", "phase", "contrast", "slice")
NEEDED = (
    *COUNTERS, "flags", "number_of_samples", "active_channels", "discard_pre", "discard_post", "center_sample",
    "sample_time_us", "position", "read_dir", "phase_dir", "slice_dir", "kspace_encode_step_1", "kspace_encode_step_2",
)  # fmt: skip


def _groups(there: dict[str, hdf5.Dataset]) -> list[str]:
    """Groups that hold readouts, the first measurement first."""
    names = [n.rpartition("/")[0] for n, d in there.items() if n.rpartition("/")[2] == "data" and "head" in d.fields]
    names = [n for n in names if f"{n}/xml" in there]
    return sorted(names, key=lambda n: [int(t) if t.isdigit() else t for t in re.split(r"(\d+)", n)])


def sniff(path: Path, head: bytes) -> bool:
    """HDF5 with readouts and a header in one group."""
    return head.startswith(hdf5.MAGIC) and bool(_groups(hdf5.contents(path)))


def open_ismrmrd(path: Path, dataset: str | None = None) -> Scan:
    """Open an ISMRMRD file; the heads are read at once, samples an image at a time.

    Args:
        path: the file.
        dataset: name of the group; None: the last one, which is the image where noise was measured before.

    Raises:
        FormatError: damaged, not Cartesian, compressed, without imaging readouts, or undersampled 3-D.
    """
    there = hdf5.contents(path)
    groups = _groups(there)
    if dataset is not None and dataset not in groups:
        raise FormatError(f"{path} has no measurement {dataset!r}; it has: {', '.join(groups)}")
    group = dataset or groups[-1]
    header = parse_header(hdf5.text(path, f"{group}/xml"), str(path))
    if header.trajectory not in ("", "cartesian"):
        raise FormatError(f"{path} has a {header.trajectory[:40]} trajectory; kolumn reconstructs Cartesian scans only")
    table = f"{group}/data"
    heads = hdf5.heads(path, table, there[table])
    _check_heads(path, heads)

    def fetch(indices: Ints, coils: int, samples: int) -> Complex:
        return hdf5.rows(path, table, indices, coils, samples)

    readouts = _readouts(path, heads, header, fetch)
    s = sort(readouts, _grid(header, readouts))
    noise, geometry = noise_covariance(s), geometry_of(s)
    shape = (s.coils, *s.grid.encoded[:2])
    apart = bool((readouts.calibration & ~readouts.imaging).any())
    both = bool((readouts.calibration & readouts.imaging).any()) or header.calibration == "embedded"
    kind = "separate" if apart else "embedded" if both else ""
    details = {**header.details, "readouts": str(len(heads)), "measurement": group}
    return Scan(
        path, "ismrmrd", shape, s.n_slices, loader(s, geometry, noise), geometry, noise is not None, kind, details
    )


def _flag(heads: NDArray[Any], *flags: int) -> NDArray[np.bool_]:
    bits = np.uint64(sum(1 << (flag - 1) for flag in flags))
    return np.asarray((heads["flags"].astype(np.uint64) & bits) != 0)


def _check_heads(path: Path, heads: NDArray[Any]) -> None:
    missing = [name for name in NEEDED if name not in (heads.dtype.names or ())]
    if missing:
        raise FormatError(f"{path}: the heads of the readouts lack {', '.join(missing[:5])}")
    if any(heads.dtype[n].shape != (3,) for n in ("position", "read_dir", "phase_dir", "slice_dir")):
        raise FormatError(f"{path}: the heads of the readouts hold directions that are not three numbers")
    scalars = [n for n in NEEDED if n not in ("position", "read_dir", "phase_dir", "slice_dir")]
    odd = [n for n in scalars if heads.dtype[n].shape or (heads.dtype[n].kind not in "iu") != (n == "sample_time_us")]
    if odd:
        raise FormatError(f"{path}: the heads of the readouts hold {', '.join(odd[:5])} in another type than ISMRMRD's")
    if not len(heads):
        raise FormatError(f"{path} holds no readouts")
    if _flag(heads, *COMPRESSED).any():
        raise FormatError(f"{path} holds compressed readouts (flags 53-56); convert it again without compression")


def _readouts(path: Path, heads: NDArray[Any], header: Header, fetch: Any) -> Readouts:
    skipped, noise = _flag(heads, *NEITHER), _flag(heads, NOISE)
    alone, both = _flag(heads, CALIBRATION), _flag(heads, CALIBRATION_AND_IMAGING)
    image = ~skipped & ~noise & (~alone | both | (header.calibration == "embedded"))
    if "encoding_space_ref" in (heads.dtype.names or ()) and image.any():
        # A second encoding (a reference of another size) belongs on another grid.
        image &= heads["encoding_space_ref"] == heads["encoding_space_ref"][np.flatnonzero(image)[0]]
    pre, post = heads["discard_pre"].astype(np.int64), heads["discard_post"].astype(np.int64)
    reverse, samples = _flag(heads, REVERSE), heads["number_of_samples"].astype(np.int64)
    first = np.where(reverse, post, pre)
    encoded = header.encoded.matrix if header.encoded else (int(samples.max()), 0, 1)
    centre = heads["center_sample"].astype(np.int64)
    # Some converters leave 0 where they mean the middle.
    centre = np.where((centre == 0) & (samples + encoded[0] // 2 > encoded[0]), samples // 2, centre)
    # Siemens' images come out of an inverse transform turned by 180 degrees in the plane; see docs/concepts.
    sign = -1.0 if "siemens" in header.vendor.lower() else 1.0
    return Readouts(
        path=path,
        imaging=image,
        calibration=~skipped & ~noise & (alone | both) & (header.calibration != "embedded"),
        noise=noise & ~skipped,
        reverse=reverse,
        image=np.stack([heads[name].astype(np.int64) for name in COUNTERS], axis=1),
        line=heads["kspace_encode_step_1"].astype(np.int64) - _centre(header, 1),
        partition=heads["kspace_encode_step_2"].astype(np.int64) - _centre(header, 2),
        coils=heads["active_channels"].astype(np.int64),
        samples=samples,
        first=first,
        kept=samples - pre - post,
        centre=centre - first,
        dwell=heads["sample_time_us"].astype(np.float64),
        position=heads["position"].astype(np.float64),
        read_dir=sign * heads["read_dir"].astype(np.float64),
        phase_dir=sign * heads["phase_dir"].astype(np.float64),
        slice_dir=heads["slice_dir"].astype(np.float64),
        fetch=fetch,
    )


def _centre(header: Header, step: int) -> int:
    limit = header.limits.get(f"kspace_encoding_step_{step}")
    if limit is not None:
        return limit[2]
    return header.encoded.matrix[step] // 2 if header.encoded else 0


def _grid(header: Header, r: Readouts) -> Grid:
    used = np.flatnonzero(r.imaging)
    if header.encoded is None:
        raise FormatError(f"{r.path}: the header has no encodedSpace, so the readouts cannot be placed")
    encoded, recon = header.encoded, header.recon or header.encoded
    if used.size and int(r.kept[used].max()) > encoded.matrix[0]:
        n = int(r.kept[used].max())
        raise FormatError(f"{r.path}: readouts have {n} samples and the encoded matrix only {encoded.matrix[0]}")
    matrix = [_pixels(encoded, recon, axis) for axis in range(3)]
    fov = [min(a, b) for a, b in zip(recon.fov, encoded.fov, strict=True)]
    return Grid(
        encoded.matrix, encoded.fov, (matrix[0], matrix[1], matrix[2]), (fov[0], fov[1], fov[2]), header.bandwidth
    )


def _pixels(encoded: Space, recon: Space, axis: int) -> int:
    n = encoded.matrix[axis]
    # The scanner may interpolate to a finer matrix later; the pixels of k-space are what was measured.
    return max(1, min(n, round(n * min(recon.fov[axis] / encoded.fov[axis], 1.0))))
