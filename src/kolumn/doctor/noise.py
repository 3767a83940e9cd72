"""Coils of unlike noise, and no noise scan to weigh them by."""

from __future__ import annotations

from .finding import Finding
from .patient import Patient

UNLIKE = 3.0


def noise(patient: Patient) -> Finding | None:
    """Noise levels that differ a lot between the coils, in a file without a noise scan.

    Args:
        patient: the scan.
    """
    levels = patient.noise[patient.noise > 0]
    if patient.slices[patient.best].noise is not None or len(levels) < 2:
        return None
    spread = float(levels.max() / levels.min())
    if spread < UNLIKE:
        return None
    what = f"no noise scan, and the noise of the coils differs {spread:.1f} times"
    return Finding("noise", "note", what, "whiten by the edge of k-space: kolumn recon --whiten edge")
