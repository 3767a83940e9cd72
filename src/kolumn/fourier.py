"""The centred orthonormal Fourier pair, in one and two dimensions.

    X[k] = N^(-1/2) sum_n x[n] exp(-2 pi i (k - c)(n - c) / N),    c = N // 2

Index ``N // 2`` is the origin on both sides, for even and odd N: ``ifftshift``, ``fft(norm="ortho")``,
``fftshift``. It is the convention of fastMRI and of ``bart fft -u``, and unitary, so the adjoint is the inverse.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .shapes import PHASE, PLANE, READOUT


def _centred(x: Tensor, dims: tuple[int, ...], inverse: bool) -> Tensor:
    transform = torch.fft.ifftn if inverse else torch.fft.fftn
    y = transform(torch.fft.ifftshift(x, dims), dim=dims, norm="ortho")
    return torch.fft.fftshift(y, dims)


def fft2(image: Tensor) -> Tensor:
    """Image (..., y, x) to k-space (..., ky, kx)."""
    return _centred(image, PLANE, inverse=False)


def ifft2(kspace: Tensor) -> Tensor:
    """K-space (..., ky, kx) to image (..., y, x); inverse and adjoint of :func:`fft2`."""
    return _centred(kspace, PLANE, inverse=True)


def fft1(x: Tensor, dim: int = PHASE) -> Tensor:
    """Centred transform along one axis."""
    return _centred(x, (dim,), inverse=False)


def ifft1(x: Tensor, dim: int = PHASE) -> Tensor:
    """Centred inverse transform along one axis; inverse and adjoint of :func:`fft1`."""
    return _centred(x, (dim,), inverse=True)


def crop(image: Tensor, shape: tuple[int, int]) -> Tensor:
    """Centre crop of the last two axes, index ``N // 2`` staying the centre; a larger ``shape`` keeps the axis."""
    for dim, n in zip(PLANE, shape, strict=True):
        size = image.shape[dim]
        n = min(n, size)
        image = image.narrow(dim, size // 2 - n // 2, n)
    return image


def remove_oversampling(kspace: Tensor, n: int) -> Tensor:
    """Crop the readout to ``n`` samples *in the image*, which leaves aliasing along the phase encode untouched.

    The scanner samples the readout denser than needed, for free. Dropping every second k-space sample instead
    would fold the outer halves back in.
    """
    size = kspace.shape[READOUT]
    if n >= size:
        return kspace
    lines = ifft1(kspace, READOUT).narrow(READOUT, size // 2 - n // 2, n)
    return fft1(lines, READOUT)
