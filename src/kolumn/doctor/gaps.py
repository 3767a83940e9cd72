"""A few columns without data in a scan that is otherwise complete."""

from __future__ import annotations

from ..masks import acceleration
from ..shapes import READOUT
from .finding import Finding, ranges
from .patient import Patient


def gaps(patient: Patient) -> Finding | None:
    """Empty columns in an otherwise full scan: zero filling at the edges, or lines that were lost.

    They count as not sampled, so that the scan is a little undersampled although nobody meant it to be.

    Args:
        patient: the scan.
    """
    missing = (~patient.mask.any(READOUT)).nonzero().flatten().tolist()
    there = patient.stored(patient.best)
    if not missing or patient.undersampled or (there is not None and there[1]):
        return None
    faint = float(there[0].abs()[..., missing].max()) / patient.largest if there is not None else 0.0
    held = f"at most {faint:.0e} of the largest sample" if faint else "nothing"
    n = patient.mask.shape[1]
    what = f"nearly all columns are there: {len(missing)} of {n} ({ranges(missing)}) hold {held}"
    factor = acceleration(patient.mask, tuple(patient.mask.shape))
    advice = f"kolumn takes them as not sampled (acceleration {factor:.2f}); mask=np.ones({n}) says that they were"
    return Finding("gaps", "note", what, advice)
