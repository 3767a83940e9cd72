"""A receiver that was turned up too far."""

from __future__ import annotations

import torch

from .finding import Finding, ranges
from .patient import Patient

SAME = 4  # samples at exactly the largest value
ROUNDING = 1e-6


def clipping(patient: Patient) -> Finding | None:
    """Several samples of a coil at exactly its largest value: the middle of k-space was cut off by the receiver.

    Args:
        patient: the scan.
    """
    parts = torch.view_as_real(patient.kspace).abs().flatten(1)
    top = parts.amax(1, keepdim=True)
    same = ((parts >= top * (1 - ROUNDING)) & (top > 0)).sum(1)
    clipped = (same >= SAME).nonzero().flatten().tolist()
    if not clipped:
        return None
    what = f"clipped: coil {ranges(clipped)} holds its largest value {int(same.max())} times"
    return Finding("clipping", "warning", what, "nothing brings it back: scan again with a lower receiver gain")
