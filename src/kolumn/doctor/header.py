"""Numbers in the header that cannot be."""

from __future__ import annotations

from .finding import Finding
from .patient import Patient

STRONGEST = 30.0  # tesla, above any magnet for imaging
FIELD = "field strength (T)"


def header(patient: Patient) -> Finding | None:
    """A field strength that no magnet has, so that reports do not repeat it.

    Args:
        patient: the scan.
    """
    try:
        field = float(patient.scan.details.get(FIELD, "0"))
    except ValueError:
        return None
    if 0 <= field <= STRONGEST:
        return None
    meant = f", perhaps {field / 1e6:.3g} T in millionths" if 1e3 < field < 3e7 else ""
    return Finding("header", "note", f"the header says {field:g} T{meant}", "the image does not depend on it")
