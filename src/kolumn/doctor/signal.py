"""K-space without a loud middle."""

from __future__ import annotations

from .finding import Finding
from .patient import Patient

LEAST = 32  # samples along each axis, below which the middle is most of it
LOUD = 2.0  # times the mean energy: noise alone reaches 1.5


def signal(patient: Patient) -> Finding | None:
    """Noise alone: the loudest 9 x 9 samples are no louder than the others.

    Args:
        patient: the scan.
    """
    if min(patient.energy.shape) < LEAST:
        return None
    middle = float(patient.signal.square().sum())
    mean = float(patient.energy[patient.mask].mean())
    if middle > LOUD * mean:
        return None
    what = f"no middle: the loudest 9 x 9 samples have {middle / mean:.1f} times the mean energy, as noise alone has"
    return Finding("signal", "problem", what, "a noise scan, another dataset, or numbers read as the wrong type?")
