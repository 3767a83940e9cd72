"""Coils that are dead, or hear noise and little else."""

from __future__ import annotations

from torch import Tensor

from .finding import Finding, ranges
from .patient import Patient

WEAK = 0.2  # of the signal-to-noise ratio of the best coil


def dead_coils(patient: Patient) -> Finding | None:
    """Coils that are exactly zero: whitening and everything else that divides by their noise will fail.

    Args:
        patient: the scan.
    """
    dead = (patient.energy_along(0) == 0).nonzero().flatten().tolist()
    if not dead:
        return None
    n = len(patient.signal)
    what = f"{len(dead)} of {n} coils are dead: {_list(dead)} exactly 0"
    return Finding("dead coils", "warning", what, f"leave them out: kspace = {_without(dead)}")


def weak_coils(patient: Patient) -> Finding | None:
    """Coils whose middle of k-space stands out of their own noise far less than that of the best coil.

    They add noise to a root sum of squares and time to everything.

    Args:
        patient: the scan.
    """
    ratio = contrast(patient)
    alive = ratio[ratio > 0]
    weak = ((ratio > 0) & (ratio < WEAK * ratio.max())).nonzero().flatten().tolist()
    if not weak:
        return None
    numbers = ", ".join(f"{float(ratio[i]):.0f}" for i in weak[:6])
    what = (
        f"{len(weak)} of {len(ratio)} coils are close to noise: {_list(weak)} stand {numbers} "
        f"times out of the noise, the best {float(ratio.max()):.0f}"
    )
    keep = max(1, len(alive) - len(weak))
    advice = f"kolumn recon --whiten edge --coils {keep} compresses them away, as does kspace = {_without(weak)}"
    return Finding("weak coils", "warning", what, advice)


def contrast(patient: Patient) -> Tensor:
    """Signal at the peak over noise at the edge of k-space, (coil,); 0 for a dead coil, or one without any edge."""
    return (patient.signal / patient.noise).nan_to_num(nan=0.0, posinf=0.0)


def _list(coils: list[int]) -> str:
    return f"coil {coils[0]}" if len(coils) == 1 else f"coils {ranges(coils)}"


def _without(coils: list[int]) -> str:
    return f"np.delete(kspace, {coils}, axis=-3)"
