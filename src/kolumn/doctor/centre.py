"""Where the middle of k-space is."""

from __future__ import annotations

from ..masks import calibration
from .finding import Finding
from .patient import Patient

NORMAL = 3  # samples that gradient delays and shims shift the peak


def centre(patient: Patient) -> Finding | None:
    """A peak of k-space that is not at N // 2: in a corner (the order of the FFT), or off by many samples.

    The wrong order puts a checkerboard over the phase and swaps the quarters of the coil maps; a peak off the centre
    spoils calibration and everything that trusts the phase to be smooth.

    Args:
        patient: the scan.
    """
    sizes = patient.energy.shape
    shift = [(p - n // 2 + n // 2) % n - n // 2 for p, n in zip(patient.peak, sizes, strict=True)]
    turned = [axis for axis, (d, n) in zip((-2, -1), zip(shift, sizes, strict=True), strict=True) if abs(d) > 3 * n / 8]
    at = f"the peak of k-space is at row {patient.peak[0]}, column {patient.peak[1]} of {sizes[0]} x {sizes[1]}"
    if turned:
        axes = ", ".join(map(str, turned))
        what = f"{at}, in FFT order along axis {axes}: wanted it in the middle, at {sizes[0] // 2}, {sizes[1] // 2}"
        return Finding("centre", "problem", what, f"kspace = np.fft.fftshift(kspace, axes=({axes},))")
    off = f"{at}, off the centre by {shift[0]:+d} rows and {shift[1]:+d} columns"
    roll = f"kspace = np.roll(kspace, ({-shift[0]}, {-shift[1]}), axis=(-2, -1))"
    if max(map(abs, shift)) > NORMAL:
        advice = f"zero-fill a partly acquired k-space to its full size, else {roll}, and the mask alike"
        return Finding("centre", "warning", off, advice)
    if shift[1] and _outside(patient):
        return Finding("centre", "note", f"{off}: at the rim of the calibration lines", f"normal; else {roll}")
    return None


def _outside(patient: Patient) -> bool:
    """Whether the peak has less than NORMAL calibration columns on one of its sides."""
    if patient.slices[patient.best].calibration is not None:
        return False
    columns = calibration(patient.mask)[1]
    return min(patient.peak[1] - columns.start, columns.stop - 1 - patient.peak[1]) < NORMAL
