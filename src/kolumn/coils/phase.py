"""The phase of sensitivity maps, which eigenvectors leave open."""

from __future__ import annotations

import torch
from torch import Tensor


def first_virtual_coil(calibration: Tensor) -> Tensor:
    """Principal component over the coils, complex (coil,), its loudest coil real and positive: the phase reference.

    Args:
        calibration: complex (coil, cy, cx), not all zero.
    """
    flat = (calibration / calibration.abs().max()).flatten(1)
    first = torch.linalg.eigh((flat @ flat.mH).cpu())[1][:, -1].to(flat.device)
    loudest = first[first.abs().argmax()]
    return first * loudest.conj().sgn()


def align(v: Tensor, reference: Tensor) -> Tensor:
    """Turn each v (..., coil) so that its inner product with the reference (coil,) is real and positive."""
    s = v @ reference.conj()
    return v * torch.where(s.abs() > 0, s.conj().sgn(), torch.ones_like(s))[..., None]
