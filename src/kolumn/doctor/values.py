"""NaN, infinity or nothing at all."""

from __future__ import annotations

from .finding import Finding
from .patient import Patient


def values(patient: Patient) -> Finding | None:
    """Slices that cannot be loaded because of their numbers: one NaN makes a whole image NaN.

    Args:
        patient: the scan.
    """
    if not patient.failures:
        return None
    where = ", ".join(str(i) for i, _ in patient.failures)
    what = patient.failures[0][1].partition(";")[0]
    advice = (
        "convert the file again, or: kspace = np.nan_to_num(kspace, nan=0, posinf=0, neginf=0)"
        if "NaN" in what
        else "leave these slices out, or convert the file again"
    )
    return Finding("values", "problem", f"slice {where}: {what}", advice)
