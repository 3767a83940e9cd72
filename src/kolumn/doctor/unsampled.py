"""Numbers where nothing was sampled."""

from __future__ import annotations

from ..acquisition import Acquisition
from ..shapes import READOUT
from .finding import Finding, ranges, several
from .patient import Patient, plane_mask


def unsampled(patient: Patient) -> Finding | None:
    """Samples that count as not acquired and yet are not zero: other programs may take them for data.

    Either a ``mask`` beside k-space that was not applied to it, or rounding errors of a conversion.

    Args:
        patient: the scan.
    """
    for which, one in enumerate(patient.slices):
        there = patient.stored(which)
        if there is None or (not there[1] and not patient.undersampled):
            continue  # a few columns are the business of `gaps`
        values, has_mask = there
        loud = values.abs().amax(0) * ~plane_mask(one)
        if bool((loud > 0).any()):
            share = float(loud.max() / values.abs().max())
            where = _where(one, loud.amax(READOUT).nonzero().flatten().tolist(), int((loud > 0).sum()))
            real = has_mask and float(loud.max()) > 0.1 * patient.largest * float(patient.noise.min())
            return _finding(f"{where} up to {share:.1g} of the largest sample", has_mask, real)
    return None


def _where(one: Acquisition, columns: list[int], samples: int) -> str:
    if not one.columns_only:
        return f"{several(samples, 'sample')} outside the mask hold"
    return f"{several(len(columns), 'column')} that count as not sampled ({ranges(columns)}) hold"


def _finding(what: str, has_mask: bool, real: bool) -> Finding:
    if real:
        advice = "kolumn reads with the mask; to use all samples delete it: del h5py.File(name, 'r+')['mask']"
        return Finding("unsampled", "warning", f"{what}: the mask in the file was not applied to its k-space", advice)
    advice = "nothing to do: kolumn reads them as 0; for other programs: kspace = kspace * mask"
    return Finding("unsampled", "note", what if has_mask else f"{what}, and there is no mask", advice)
