"""Readout and phase encode in each other's place."""

from __future__ import annotations

from ..shapes import PHASE, READOUT
from .finding import Finding, several
from .patient import Patient


def transposed(patient: Patient) -> Finding | None:
    """Rows skipped where columns should be: the readout is acquired whole, only phase-encode lines are skipped.

    Rows missing at an edge alone are an asymmetric echo or zero filling, and normal.

    Args:
        patient: the scan.
    """
    rows, columns = patient.mask.any(PHASE), patient.mask.any(READOUT)
    inside = rows.nonzero().flatten()
    gaps = int(inside[-1] - inside[0]) + 1 - len(inside)
    if gaps < 2 or not bool(columns.all()) or not bool((patient.mask == rows[:, None]).all()):
        return None
    what = f"{several(gaps, 'row')} between others skipped and all {len(columns)} columns there: the mask is of rows"
    advice = "the last axis must be the phase encode: kspace = np.swapaxes(kspace, -1, -2), and the mask alike"
    return Finding("transposed", "warning", what, advice)
