"""What is in a file, as plain values: for `kolumn info`, its JSON, and reports."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..acquisition import Geometry, Vector
from ..masks import acceleration
from ..masks import calibration as region
from ..shapes import READOUT
from .patient import Patient

Facts = dict[str, Any]
NO_DIRECTIONS = ("fastmri", "npy", "npz", "cfl")  # formats that do not say how the patient lay
PLANES = ("sagittal", "coronal", "axial")
TOWARDS = (("right", "left"), ("front", "back"), ("feet", "head"))  # of LPS, falling and rising


def facts(patient: Patient) -> Facts:
    """All that is known about a scan, as numbers and words that JSON can hold.

    What needs samples (mask, calibration, amplitude) is missing where no slice could be loaded.

    Args:
        patient: the scan.
    """
    scan = patient.scan
    coils, ky, kx = scan.shape
    found: Facts = {
        "file": str(scan.path),
        "format": scan.format,
        "slices": scan.n_slices,
        "coils": coils,
        "kspace": {"readout": ky, "phase encode": kx},
        "noise scan": scan.has_noise,
        "geometry": _geometry(scan.geometry, scan.format, ky) if scan.geometry else None,
        "details": dict(scan.details),
        "examined slices": list(patient.numbers),
    }
    if patient.slices:
        found |= {
            "mask": _mask(patient),
            "calibration": _calibration(patient),
            "amplitude": {
                "largest": patient.largest,
                "noise": float(patient.noise.median()) * patient.largest,
                "slice": patient.numbers[patient.best],
            },
        }
    return found


def _mask(patient: Patient) -> Facts:
    mask = patient.mask
    columns = mask.any(READOUT)
    by_columns = patient.slices[patient.best].columns_only or bool((mask == columns).all())
    kind = "full" if bool(mask.all()) else "columns" if by_columns else "2-D"
    there = columns.nonzero().flatten().tolist()
    return {
        "kind": kind,
        "pattern": _pattern(there) if kind == "columns" else "",
        "columns": len(there),
        "first column": there[0],
        "last column": there[-1],
        "of columns": len(columns),
        "acceleration": acceleration(mask, tuple(mask.shape)),
    }


def _pattern(columns: list[int]) -> str:
    """``every 3rd, denser in the middle``: the steps between sampled columns in words."""
    steps = np.diff(columns)
    usual = int(np.median(steps[steps > 1])) if (steps > 1).any() else 1
    if usual == 1:
        return "one block"
    other = set(steps.tolist()) - {1, usual}
    if other:
        return "irregular"
    ending = {2: "nd", 3: "rd"}.get(usual, "th")
    return f"every {usual}{ending}" + (", denser in the middle" if (steps == 1).any() else "")


def _calibration(patient: Patient) -> Facts:
    one = patient.slices[patient.best]
    how = patient.scan.calibration
    if one.calibration is not None:
        rows, width = one.calibration.shape[-2:]
        return {"how": how or "separate", "columns": width, "rows": rows, "first": None, "last": None}
    y, x = region(patient.mask)
    rows, width = (len(range(n)[part]) for n, part in zip(patient.mask.shape, (y, x), strict=True))
    full = bool(patient.mask.all())
    how = "full" if full else (how or "embedded") if width else "none"
    first, last = (x.start, x.stop - 1) if width else (None, None)
    return {"how": how, "columns": width, "rows": rows, "first": first, "last": last}


def _geometry(g: Geometry, file_format: str, ky: int) -> Facts:
    steps = torch.tensor(g.positions, dtype=torch.float64).diff(dim=0)
    known = file_format not in NO_DIRECTIONS
    return {
        "image": {"y": g.matrix[0], "x": g.matrix[1]},
        "readout oversampling": ky / g.matrix[0],
        "fov (mm)": {"y": g.fov[0], "x": g.fov[1]},
        "slice thickness (mm)": g.fov[2],
        "slice distance (mm)": float(torch.linalg.vector_norm(steps, dim=1).median()) if known and len(steps) else None,
        "first position (LPS, mm)": list(g.positions[0]) if known else None,
        "orientation": orientation(g) if known else None,
        "down": towards(g.read_dir) if known else None,
        "across": towards(g.phase_dir) if known else None,
    }


def orientation(g: Geometry) -> str:
    """``axial``, or ``axial, tilted 12 degrees``: the plane of the slices in words, from its normal."""
    normal = np.cross(g.read_dir, g.phase_dir)
    length = float(np.linalg.norm(normal))
    if length < 0.5:
        return "unknown"
    axis = int(np.abs(normal).argmax())
    tilt = float(np.degrees(np.arccos(min(1.0, abs(normal[axis]) / length))))
    return PLANES[axis] if tilt < 1 else f"{PLANES[axis]}, tilted {tilt:.0f} degrees"


def towards(direction: Vector) -> str:
    """The side of the patient that a direction mainly points to: ``left``, ``back``, ``head``, ..."""
    axis = int(np.abs(direction).argmax())
    return TOWARDS[axis][direction[axis] > 0]
