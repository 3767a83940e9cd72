"""Single samples that stick out."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from .finding import Finding, several
from .patient import Patient, plane_mask

LOUD = 60.0  # times the energy of the neighbours: for noise, once in 10^13 samples
NEAR = 8  # the middle: 1 / NEAR of the axis on each side of the peak
WINDOW = 5


def spikes(patient: Patient) -> Finding | None:
    """Outlying samples far from the centre: a spark or static discharge, which lays stripes over the whole image.

    Args:
        patient: the scan.
    """
    found = []
    for number, one in zip(patient.numbers, patient.slices, strict=True):
        ratio = _ratio(one.kspace / patient.largest, plane_mask(one)) * _far(patient)
        loud = (ratio > LOUD).amax(0).nonzero().tolist()
        found += [(float(ratio[:, y, x].max()), number, y, x) for y, x in loud]
    if not found:
        return None
    found.sort(reverse=True)
    energy, number, y, x = found[0]
    places = ", ".join(f"({n}, {row}, {column})" for _, n, row, column in found[:3])
    what = (
        f"{several(len(found), 'spike')} at (slice, row, column) {places}, up to {energy**0.5:.0f} times its neighbours"
    )
    advice = f"take out each one: kspace[{number}, :, {y}, {x}] = 0; if the machine makes more, have it looked at"
    return Finding("spikes", "warning", what, advice)


def _far(patient: Patient) -> Tensor:
    """Where k-space is quiet, (ky, kx)."""
    far = []
    for centre, n in zip(patient.peak, patient.mask.shape, strict=True):
        far.append((torch.arange(n) - centre).abs() > max(1, n // NEAR))
    return far[0][:, None] | far[1]


def _ratio(k: Tensor, mask: Tensor) -> Tensor:
    """Energy of each sample over the mean of its acquired neighbours in a window, (coil, ky, kx)."""
    energy = k.abs().square()
    pad, area = WINDOW // 2, WINDOW**2
    around = area * avg_pool2d(energy[:, None], WINDOW, 1, pad)[:, 0] - energy
    count = area * avg_pool2d(mask[None, None].float(), WINDOW, 1, pad)[0, 0] - mask.float()
    return torch.where((count > area / 4) & (around > 0), energy * count / around, 0.0)
