"""An image in the place of k-space, or k-space that was transformed along one axis only."""

from __future__ import annotations

from torch import Tensor

from ..fourier import fft1, fft2
from .finding import Finding
from .patient import Patient

TOP = 0.01  # of all samples
MARGIN = 1.1  # k-space itself is ahead by 1.2 and more


def domain(patient: Patient) -> Finding | None:
    """Data that a Fourier transform concentrates: k-space has its energy in few samples, an image has not.

    Reading an image as k-space gives an image of a few bright dots.

    Args:
        patient: the scan.
    """
    k = patient.kspace
    both = _concentration(fft2(k))
    one = {dim: _concentration(fft1(k, dim)) for dim in (-2, -1)}
    here = _concentration(k)
    dim = max(one, key=lambda d: one[d])
    if max(both, one[dim]) < MARGIN * here:
        return None
    shares = f"the loudest 1 % of the samples hold {here:.0%} of the energy, after a Fourier transform {{:.0%}}"
    if both >= one[dim]:
        what = f"this looks like an image, not k-space: {shares.format(both)}"
        return Finding("domain", "problem", what, "transform it first: kspace = kolumn.fourier.fft2(image)")
    axis = "readout (ky)" if dim == -2 else "phase-encode axis (kx)"
    what = f"k-space was already transformed along the {axis}: {shares.format(one[dim])} along it"
    return Finding("domain", "problem", what, f"transform it back: kspace = kolumn.fourier.fft1(kspace, dim={dim})")


def _concentration(x: Tensor) -> float:
    energy = x.abs().square().sum(0).flatten()
    return float(energy.topk(max(1, round(TOP * energy.numel()))).values.sum() / energy.sum())
