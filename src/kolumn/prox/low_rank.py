"""Locally low rank series of images."""

from __future__ import annotations

import torch
from torch import Tensor

from ..shapes import PLANE


def nuclear_norm(x: Tensor, block: int = 8, shift: tuple[int, int] = (0, 0)) -> Tensor:
    """Sum of singular values of the Casorati matrices of a series: a row for each pixel of a block, a column a frame.

    Blocks of ``block`` x ``block`` pixels tile the plane from (0, 0) on, after rolling it by ``shift``; those at the
    end are smaller where the size is no multiple.

    References: Local versus global low-rank promotion in dynamic MRI series reconstruction, Trzasko and Manduca, 2011
    (Proc. ISMRM 19:4371); Accelerating parameter mapping with a locally low rank constraint, Zhang, Pauly and Levesque,
    2015, doi:10.1002/mrm.25161.

    Args:
        x: series (..., frame, y, x).
        block: rows and columns of a block, at least 1.
        shift: how far to roll the images along y and x first.

    Returns:
        Tensor: real (...).
    """
    energies = torch.linalg.eigvalsh(_gram(_casorati(_roll(x, shift), block)))
    return energies.clamp_min(0).sqrt().sum((-3, -2, -1)).to(x.real.dtype)


def prox_low_rank(x: Tensor, t: float | Tensor, block: int = 8, shift: tuple[int, int] = (0, 0)) -> Tensor:
    """argmin_u 1/2 ||u - x||^2 + t nuclear_norm(u): each singular value of each Casorati matrix moves towards 0 by t.

    With C = U S V^H that is C V max(1 - t / S, 0) V^H, where V and S^2 are of the Gram matrix C^H C: of the size of the
    number of frames, and so much faster than as many singular value decompositions. The squares are in double
    precision, which resolves singular values down to 1e-8 of the largest.

    Reference: A singular value thresholding algorithm for matrix completion, Cai, Candes and Shen, 2010,
    doi:10.1137/080738970.

    Args:
        x: series (..., frame, y, x).
        t: threshold >= 0, a number or real (..., 1, 1, 1).
        block: see :func:`nuclear_norm`.
        shift: likewise; the series is rolled back.
    """
    C = _casorati(_roll(x, shift), block)
    energies, V = torch.linalg.eigh(_gram(C))
    s = energies.clamp_min(torch.finfo(energies.dtype).tiny).sqrt()  # positive, or else 0 / 0 where t = 0
    V_thresholded = V * (1 - t / s).clamp_min(0)[..., None, :]
    thresholded = C @ (V_thresholded @ V.mH).to(C.dtype)
    return _roll(_series(thresholded, x.shape, block), (-shift[0], -shift[1]))


def _gram(C: Tensor) -> Tensor:
    wide = C.to(torch.complex128 if C.is_complex() else torch.float64)
    return wide.mH @ wide


def _casorati(x: Tensor, b: int) -> Tensor:
    """(..., frame, y, x) to (..., block along y, block along x, pixel, frame).

    Smaller blocks at the end are filled up with zeros: rows of zeros change no singular value, and stay zeros.
    """
    ny, nx = x.shape[-2:]
    x = torch.nn.functional.pad(x, (0, -nx % b, 0, -ny % b))
    x = x.reshape(*x.shape[:-2], -(-ny // b), b, -(-nx // b), b)
    return x.movedim(-5, -1).transpose(-4, -3).flatten(-3, -2)


def _series(C: Tensor, shape: torch.Size, b: int) -> Tensor:
    """The inverse of :func:`_casorati`."""
    x = C.reshape(*C.shape[:-2], b, b, C.shape[-1]).movedim(-1, -5).transpose(-3, -2)
    return x.flatten(-4, -3).flatten(-2)[..., : shape[-2], : shape[-1]].contiguous()


def _roll(x: Tensor, shift: tuple[int, int]) -> Tensor:
    return x if shift == (0, 0) else torch.roll(x, shift, PLANE)
