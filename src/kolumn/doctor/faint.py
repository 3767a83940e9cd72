"""Columns that count as sampled and hold next to nothing."""

from __future__ import annotations

from ..shapes import READOUT
from .finding import Finding, ranges, several
from .patient import Patient

FAINT = 1e-2  # of the next louder column, which holds at least the noise


def faint(patient: Patient) -> Finding | None:
    """Columns far below the noise of the others: not sampled, and then compressed or rounded to something not zero.

    Taken for data, they tell the reconstruction that k-space is empty there, and the image comes out blurred.

    Args:
        patient: the scan.
    """
    columns = patient.mask.any(READOUT)
    loudness = patient.energy.sum(READOUT).sqrt()
    # Most columns may be faint, where lines were skipped: so look for a step anywhere but among the few loudest.
    ordered = loudness[columns].sort().values[: -max(1, len(columns) // 20)]
    ratio = ordered[1:] / ordered[:-1]
    if not len(ratio) or float(ratio.max()) < 1 / FAINT:
        return None
    step = int(ratio.argmax())
    quiet = (columns & (loudness <= ordered[step])).nonzero().flatten().tolist()
    what = (
        f"{several(len(quiet), 'column')} ({ranges(quiet)}) hold {1 / float(ratio[step]):.0e} of what the quietest "
        "other one holds, and count as sampled"
    )
    advice = f"set them to 0, or give a mask: kspace[..., {_index(quiet)}] = 0"
    return Finding("faint", "warning", what, advice)


def _index(columns: list[int]) -> str:
    return str(columns) if len(columns) <= 12 else "columns"
