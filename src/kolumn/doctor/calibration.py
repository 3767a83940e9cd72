"""The fully sampled middle of k-space, which tells the coils apart."""

from __future__ import annotations

from ..masks import calibration as region
from .finding import Finding
from .patient import Patient

NEEDED = 6  # a window of espirit


def calibration(patient: Patient) -> Finding | None:
    """An undersampled scan of several coils whose fully sampled centre is too small to learn from.

    Args:
        patient: the scan.
    """
    one = patient.slices[patient.best]
    if one.n_coils == 1 or bool(patient.mask.all()):
        return None
    if one.calibration is not None:
        rows, width = one.calibration.shape[-2:]
    else:
        rows, width = (len(range(n)[part]) for n, part in zip(patient.mask.shape, region(patient.mask), strict=True))
    if min(rows, width) >= NEEDED:
        return None
    what = f"undersampled, and the fully sampled centre has {width} columns of {rows} rows: wanted {NEEDED} and more"
    refuse = "sense" if min(rows, width) == 5 else "sense and grappa"
    walsh = "" if min(rows, width) < 2 else "--maps walsh, or "
    advice = f"{refuse} will refuse: kolumn recon --maps FILE of another scan, or {walsh}--method zero-filled"
    return Finding("calibration", "warning", what, advice)
