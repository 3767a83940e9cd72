"""The coils on another axis than the one they belong to."""

from __future__ import annotations

from torch import Tensor

from .finding import Finding
from .patient import Patient

MOST_COILS = 128
LOUD = 0.5


def coil_axis(patient: Patient) -> Finding | None:
    """A coil axis that stands last or in the middle: (slice, ky, kx, coil) is what many tools save.

    Along an axis of k-space nearly all energy lies within an eighth of the samples; along the coils it does not.

    Args:
        patient: the scan.
    """
    shape = tuple(patient.kspace.shape)
    share = [_concentration(patient.energy_along(axis)) for axis in range(3)]
    small = 1 if shape[1] < shape[2] else 2
    if shape[small] > min(MOST_COILS, shape[3 - small] // 2) or share[small] >= LOUD:
        return None
    stack = patient.scan.n_slices if shape[0] == 1 else shape[0]
    if stack <= shape[small] or (shape[0] > 1 and share[0] < max(LOUD, share[small])):
        return None
    size = " x ".join(map(str, ((patient.scan.n_slices, *shape) if shape[0] > 1 else (stack, *shape[1:]))))
    move = f"np.moveaxis(kspace, {small - 3}, {'1' if shape[0] > 1 else '0'})"
    what = f"axis {small - 3} of {size} looks like the coils: {shape[small]} entries, none of them much louder"
    return Finding("coil axis", "problem", what, f"wanted (slice, coil, ky, kx): kspace = {move}")


def _concentration(profile: Tensor) -> float:
    """Largest share of the energy within an eighth of the axis, which may wrap around; 0 for a single entry."""
    n = len(profile)
    if n == 1:
        return 0.0
    width = max(1, round(n / 8))
    around = profile.repeat(2)[: n + width - 1]
    return float(around.unfold(0, width, 1).sum(1).max() / profile.sum())
