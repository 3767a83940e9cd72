"""The circulant matrix nearest to A^H A, which transforms along the same axes undo."""

from __future__ import annotations

import torch
from torch import Tensor

from ..shapes import COIL, READOUT
from .uncentred import Uncentred


def circulant(A: Uncentred) -> Tensor:
    """c, the diagonal of F A^H A F^H: real >= 0, uncentred (set, *batch, y, x), with y = 1 for a mask of whole columns.

    The transform of map j times the wave k is that of the map, moved by k. What the mask m keeps of its energy is

        c(k) = sum over j and q of m_j(q) P_j(q - k),       P_j = |fft maps_j|^2 / n^2

    over both axes and their n pixels, or for whole columns over kx alone and as the mean over rows. Of all matrices
    F^H diag(c) F it is the one nearest to A^H A in the Frobenius norm.

    Reference: An optimal circulant preconditioner for Toeplitz systems, T. Chan, 1988, doi:10.1137/0909051.
    """
    maps, mask = A.coils.maps, A.turn_mask(A.centred_mask[(None,) * max(0, 3 - A.centred_mask.ndim)])
    P = torch.fft.fftn(maps, dim=A.dims, norm="forward").abs().square_()
    if mask.shape[READOUT] == 1:
        P = P.mean(READOUT, keepdim=True)
    if mask.shape[COIL] == 1:
        P = P.sum(COIL, keepdim=True)
    kept = torch.fft.fftn(mask.to(P.dtype), dim=A.dims) * torch.fft.fftn(P, dim=A.dims).conj()
    return torch.fft.ifftn(kept, dim=A.dims).real.sum(COIL).clamp_min(0)
