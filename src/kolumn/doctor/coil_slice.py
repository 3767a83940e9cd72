"""Coils and slices in each other's place."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from .finding import Finding
from .patient import Patient

KERNEL = 5
REGION = 32  # samples around the peak
COILS = 0.75  # of the energy: slices further apart than neighbours reach 0.6
ALIKE = 0.2
PLAIN = ("fastmri", "npy", "npz")  # formats where an axis is only a position


def coil_slice(patient: Patient) -> Finding | None:
    """Axes of coils and slices that are swapped, which makes a stack of wrong images.

    Two coils see the same body, and their ratio is smooth: a small kernel predicts the k-space of one from that of the
    other. Two slices are two bodies. Where a file of one coil is so predictable, its slices are coils.

    Args:
        patient: the scan.
    """
    if len(patient.slices) < 2 or patient.scan.format not in PLAIN or min(patient.mask.shape) < REGION:
        return None
    slices = [one.kspace[int(patient.signal.argmax())] for one in patient.slices]
    across = _predictability(patient, slices)
    # One sample predicts that of a neighbouring slice or of a repetition, and never that of another coil.
    if across < COILS or _predictability(patient, slices, kernel=1) > ALIKE:
        return None
    n = patient.scan.n_slices
    if patient.scan.shape[0] == 1:
        what = f"the {n} slices of one coil look like one slice seen by {n} coils ({across:.0%} predictable)"
        return Finding("coil and slice", "warning", what, "if they are coils, store (1, coil, ky, kx): kspace[None]")
    coils = list(patient.kspace[patient.signal.argsort(descending=True)[:3]])
    within = _predictability(patient, coils)
    if 1 - within < 2 * (1 - across) and _predictability(patient, coils, kernel=1) < ALIKE:
        return None
    what = f"coils and slices look swapped: {across:.0%} of a slice follows from another, {within:.0%} of a coil"
    advice = "wanted (slice, coil, ky, kx): kspace = np.swapaxes(kspace, 0, 1)"
    return Finding("coil and slice", "problem", what, advice)


def _predictability(patient: Patient, parts: list[Tensor], kernel: int = KERNEL) -> float:
    """Mean share of the energy of one that a linear kernel makes of another, over all pairs."""
    whole = _middle(patient.mask, patient.peak).float()
    whole = avg_pool2d(whole[None], kernel, 1).flatten() > 1 - 0.5 / kernel**2
    middles = [_middle(part / part.abs().max(), patient.peak) for part in parts]
    pairs = [(a, b) for i, a in enumerate(middles) for j, b in enumerate(middles) if i != j]
    return sum(_predicted(a, b, whole, kernel) for a, b in pairs) / len(pairs)


def _middle(k: Tensor, peak: tuple[int, int]) -> Tensor:
    for dim, centre in enumerate(peak):
        k = k.narrow(dim, min(max(centre - REGION // 2, 0), k.shape[dim] - REGION), REGION)
    return k


def _predicted(a: Tensor, b: Tensor, whole: Tensor, kernel: int) -> float:
    """1 - |W w - a|^2 / |a|^2, each neighbourhood divided by its size: the loud middle shall not decide alone."""
    W = b.unfold(0, kernel, 1).unfold(1, kernel, 1).flatten(0, 1).flatten(1).to(torch.complex128)
    edge = kernel // 2
    t = a[edge : a.shape[0] - edge, edge : a.shape[1] - edge].flatten().to(torch.complex128)
    size = torch.linalg.vector_norm(W, dim=1)
    there = whole & (size > 0)
    if int(there.sum()) <= 4 * kernel**2:
        return 0.0
    W, t = W[there] / size[there, None], t[there] / size[there]
    w = torch.linalg.pinv(W.mH @ W, hermitian=True) @ (W.mH @ t)
    return 1 - float((t - W @ w).abs().square().sum() / t.abs().square().sum().clamp_min(1e-300))
