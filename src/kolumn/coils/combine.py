"""From coil images to one image."""

from __future__ import annotations

import torch
from torch import Tensor

from ..fourier import ifft2
from ..shapes import COIL, PLANE


def root_sum_of_squares(coil_images: Tensor) -> Tensor:
    """sqrt(sum_c |z_c|^2), real.

    Reference: The NMR phased array, Roemer et al., 1990, doi:10.1002/mrm.1910160203.

    Args:
        coil_images: complex (*batch, coil, y, x).

    Returns:
        Tensor: real (*batch, y, x).
    """
    energy = torch.view_as_real(coil_images.resolve_conj()).square().sum(COIL - 1)  # far faster than vector_norm
    return (energy[..., 0] + energy[..., 1]).sqrt()


def combine(coil_images: Tensor, maps: Tensor) -> Tensor:
    """sum_c conj(map_c) z_c: least squares for maps of unit root sum of squares.

    Args:
        coil_images: complex (*batch, coil, y, x).
        maps: complex, broadcasts to the coil images.

    Returns:
        Tensor: complex (*batch, y, x).
    """
    return (maps.conj() * coil_images).sum(COIL)


def linear_image(kspace: Tensor) -> Tensor:
    """The linear map of the lecture: centred inverse FFT of each coil and root sum of squares, real (*batch, y, x).

    Equal to ``root_sum_of_squares(ifft2(kspace))`` at little more than the time of its FFTs: a coil at a time stays in
    the cache; the shift of k-space only turns phases, which the magnitude forgets; and the shift of the image is done
    once, after the coils are summed.

    Args:
        kspace: complex (*batch, coil, ky, kx).
    """
    if kspace.requires_grad:  # what follows writes into one buffer, which cannot be differentiated
        return root_sum_of_squares(ifft2(kspace))
    batch, plane = kspace.shape[:COIL], kspace.shape[COIL + 1 :]
    flat = kspace.reshape(-1, *kspace.shape[COIL:])
    out = torch.empty(flat.shape[0], *plane, dtype=kspace.real.dtype, device=kspace.device)
    for image, coils in zip(out, flat, strict=True):
        image.copy_(_slice_energy(coils))
    return torch.fft.fftshift(out, PLANE).sqrt_().reshape(*batch, *plane)


def _slice_energy(coils: Tensor) -> Tensor:
    energy = torch.zeros(*coils.shape[1:-1], 2 * coils.shape[-1], dtype=coils.real.dtype, device=coils.device)
    image = torch.empty(coils.shape[1:], dtype=coils.dtype, device=coils.device)  # whatever the strides of k-space
    parts = torch.view_as_real(image).flatten(-2)
    for coil in coils:
        torch.fft.ifft2(coil, norm="ortho", out=image)
        energy.addcmul_(parts, parts)
    return energy.reshape(*coils.shape[1:], 2).sum(-1)
