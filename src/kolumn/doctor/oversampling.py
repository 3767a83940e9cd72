"""A readout sampled denser than the image needs."""

from __future__ import annotations

from torch import Tensor

from ..fourier import ifft1, ifft2
from .finding import Finding
from .patient import Patient

EMPTY = 0.02  # energy of the outer quarters over that of the inner half


def oversampling(patient: Patient) -> Finding | None:
    """Readout oversampling, which scanners do for free: unless it is removed the image is half air and twice the work.

    With a header its matrix decides; without, outer quarters of the image that are almost empty.

    Args:
        patient: the scan.
    """
    ny = patient.scan.shape[1]
    geometry = patient.scan.geometry
    if geometry is not None:
        over = ny / geometry.matrix[0]
        if over < 1.2:
            return None
        what = f"the readout is oversampled {over:.3g} times: {ny} samples for {geometry.matrix[0]} pixels"
        return Finding("oversampling", "note", what, "nothing to do: kolumn recon crops it, the header says so")
    lines = ifft1(patient.kspace, -2).abs().square().sum((0, 2))
    image = ifft2(patient.kspace).abs().square().sum(0)
    if _outer(lines) < EMPTY:
        what = f"the outer quarters of the readout hold {_outer(lines):.1%} of the inner half: oversampled twice?"
        advice = f"if so: kspace = kolumn.fourier.remove_oversampling(kspace, {ny // 2})"
        return Finding("oversampling", "note", what, advice)
    if not patient.undersampled and _outer(image.sum(0)) < EMPTY:
        what = "the image is empty in its outer quarters along the last axis, as an oversampled readout is"
        advice = "if the last axis is the readout: kspace = np.swapaxes(kspace, -1, -2)"
        return Finding("oversampling", "note", what, advice)
    return None


def _outer(profile: Tensor) -> float:
    n = len(profile)
    inner = profile[n // 4 : n - n // 4].sum()
    return float((profile.sum() - inner) / inner)
