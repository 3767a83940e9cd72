"""The l1 norm of wavelet coefficients and its proximal map."""

from __future__ import annotations

import torch
from torch import Tensor

from ..operators.wavelet import Wavelet
from ..shapes import PLANE
from .shrink import magnitude, shrink


def wavelet_norm(x: Tensor, wavelet: Wavelet, shift: tuple[int, int] = (0, 0)) -> Tensor:
    """Sum of the magnitudes of the wavelet coefficients W x; the approximation, which is not sparse, is left out.

    Args:
        x: image (..., y, x).
        wavelet: W.
        shift: how far to roll the image along y and x first.

    Returns:
        Tensor: real (...).
    """
    z = wavelet.forward(_roll(x, shift))
    rows, columns = wavelet.approximation(x.shape)
    z[..., :rows, :columns] = 0
    return magnitude(z).sum(PLANE)


def prox_wavelet(x: Tensor, t: float | Tensor, wavelet: Wavelet, shift: tuple[int, int] = (0, 0)) -> Tensor:
    """argmin_u 1/2 ||u - x||^2 + t wavelet_norm(u) = W^H shrink(W x, t), with the approximation as it is.

    It is exact, since W is orthogonal. A shift that differs from iteration to iteration blurs the grid of the wavelets
    away (cycle spinning).

    Reference: Translation-invariant de-noising, Coifman and Donoho, 1995, doi:10.1007/978-1-4612-2544-7_9.

    Args:
        x: image (..., y, x).
        t: threshold >= 0, a number or a real tensor that broadcasts to x.
        wavelet: W.
        shift: how far to roll the image along y and x first; it is rolled back.
    """
    z = wavelet.forward(_roll(x, shift))
    rows, columns = wavelet.approximation(x.shape)
    kept = z[..., :rows, :columns]
    z = shrink(z, t)
    z[..., :rows, :columns] = kept
    return _roll(wavelet.adjoint(z), (-shift[0], -shift[1]))


def _roll(x: Tensor, shift: tuple[int, int]) -> Tensor:
    return x if shift == (0, 0) else torch.roll(x, shift, PLANE)
