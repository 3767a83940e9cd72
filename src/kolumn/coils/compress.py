"""Coil compression: fewer virtual coils that keep nearly all of the signal."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..acquisition import Acquisition
from ..errors import ArgumentError
from ..shapes import COIL


def compression_matrix(kspace: Tensor, n_coils: int) -> Tensor:
    """The first ``n_coils`` left singular vectors of the coil-by-samples matrix, (n_coils, coil).

    Reference: Array compression for MRI with large coil arrays, Buehrer et al., 2007, doi:10.1002/mrm.21237.

    Args:
        kspace: complex (*batch, coil, ky, kx); whiten it first, else loud coils win over good ones.
        n_coils: virtual coils to keep.

    Raises:
        ArgumentError: not between 1 and the number of coils.
    """
    n = kspace.shape[COIL]
    if not 1 <= n_coils <= n:
        raise ArgumentError(f"cannot compress {n} coils to {n_coils}; wanted 1 to {n}")
    flat = kspace.movedim(COIL, 0).flatten(1)
    _, vectors = torch.linalg.eigh((flat @ flat.mH).cpu().to(torch.complex128))
    return vectors.flip(-1)[:, :n_coils].mH.to(kspace.dtype).to(kspace.device).resolve_conj()


def compress(acquisition: Acquisition, n_coils: int) -> Acquisition:
    """The acquisition with ``n_coils`` virtual coils in order of energy; maps are turned alike, noise too.

    Raises:
        ArgumentError: see :func:`compression_matrix`.
    """
    T = compression_matrix(acquisition.kspace, n_coils)

    def turn(x: Tensor) -> Tensor:
        return torch.einsum("vc,...cyx->...vyx", T, x)

    mask, maps, noise, block = acquisition.mask, acquisition.maps, acquisition.noise, acquisition.calibration
    if mask.ndim >= 3 and mask.shape[COIL] > 1:
        mask = mask.all(COIL, keepdim=True)
    return replace(
        acquisition,
        kspace=turn(acquisition.kspace) * mask,
        mask=mask,
        maps=None if maps is None else turn(maps),
        noise=None if noise is None else T @ noise @ T.mH,
        calibration=None if block is None else turn(block),
    )
