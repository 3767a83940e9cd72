"""Slices of a file as the frames of one dynamic series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from ..acquisition import Acquisition


def stack(frames: Sequence[Acquisition]) -> Acquisition:
    """Acquisitions (coil, ky, kx) to one (frame, coil, ky, kx); what else belongs to them is that of the first.

    Each keeps its mask, and its calibration block where all have one of the same size; maps are left out.
    """
    rows = max(f.mask.shape[-2] for f in frames)
    masks = torch.stack([f.mask.expand(1, rows, -1) for f in frames])
    blocks = [f.calibration for f in frames if f.calibration is not None]
    alike = len(blocks) == len(frames) and len({b.shape for b in blocks}) == 1
    return replace(
        frames[0],
        kspace=torch.stack([f.kspace for f in frames]),
        mask=masks[0] if bool((masks == masks[:1]).all()) else masks,
        calibration=torch.stack(blocks) if alike else None,
        maps=None,
    )
