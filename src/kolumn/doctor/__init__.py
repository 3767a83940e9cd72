"""What is wrong with this file? A table of checks, each of which knows one disease of k-space.

for finding in examine(open_scan("brain.h5")):
    print(finding.severity, finding.what, finding.advice)
"""

from __future__ import annotations

from collections.abc import Callable

from ..io import Scan
from .calibration import calibration
from .centre import centre
from .clipping import clipping
from .coil_axis import coil_axis
from .coil_slice import coil_slice
from .coils import dead_coils, weak_coils
from .domain import domain
from .facts import facts
from .faint import faint
from .finding import Finding
from .gaps import gaps
from .header import header
from .noise import noise
from .oversampling import oversampling
from .patient import Patient, look
from .signal import signal
from .spikes import spikes
from .transposed import transposed
from .unsampled import unsampled
from .values import values

__all__ = ["CHECKS", "Finding", "Patient", "diagnose", "examine", "facts", "look", "problem_of"]

# In this order: what a check relies on is checked before it.
CHECKS: dict[str, Callable[[Patient], Finding | None]] = {
    "values": values,
    "coil axis": coil_axis,
    "domain": domain,
    "signal": signal,
    "centre": centre,
    "coil and slice": coil_slice,
    "transposed": transposed,
    "oversampling": oversampling,
    "unsampled": unsampled,
    "gaps": gaps,
    "faint": faint,
    "calibration": calibration,
    "dead coils": dead_coils,
    "weak coils": weak_coils,
    "spikes": spikes,
    "clipping": clipping,
    "noise": noise,
    "header": header,
}


def examine(scan: Scan, dataset: str | None = None) -> list[Finding]:
    """Look at the first, middle and last slice of a scan and say what is worth knowing, the worst first.

    Args:
        scan: the file.
        dataset: the name with which it was opened, or None.

    Raises:
        FormatError: the file cannot be read.
    """
    return diagnose(look(scan, dataset))


def problem_of(scan: Scan, number: int, dataset: str | None = None) -> str:
    """What makes the image of a slice wrong, with advice, in one line; empty where nothing was found.

    Args:
        scan: the file.
        number: of the slice.
        dataset: the name with which it was opened, or None.

    Raises:
        FormatError: the file cannot be read.
    """
    found = [f for f in diagnose(look(scan, dataset, (number,))) if f.severity == "problem"]
    return f"the image will be wrong: {found[0].what}; {found[0].advice}" if found else ""


def diagnose(patient: Patient) -> list[Finding]:
    """Run all checks; a file whose axes are wrong is not looked at further, since nothing else would hold."""
    found = []
    for check in CHECKS.values():
        if not patient.slices and check is not values:
            break
        finding = check(patient)
        if finding is not None:
            found.append(finding)
            if finding.severity == "problem" and check is not values:
                break
    return sorted(found, key=lambda f: ("problem", "warning", "note").index(f.severity))
