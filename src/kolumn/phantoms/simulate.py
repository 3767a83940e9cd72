"""A scan that never happened: image, coils and noise to an Acquisition."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Generator, Tensor

from ..acquisition import Acquisition, Geometry, acquire
from ..errors import ArgumentError
from ..fourier import fft2
from ..shapes import COIL, require_broadcast
from .anatomy import THICKNESS, anatomy_volume, field_of_view
from .arrays import ARRAYS
from .checks import Shape, require_count, require_name, require_shape
from .noise import coil_covariance, complex_noise
from .phase import smooth_phase
from .shepp_logan import shepp_logan

BODY = 0.05  # of the brightest pixel: what is above belongs to the body


def _anatomy_t1(n_slices: int, shape: Shape, generator: Generator) -> Tensor:
    return anatomy_volume(n_slices, shape, generator, "t1")


def _anatomy_t2(n_slices: int, shape: Shape, generator: Generator) -> Tensor:
    return anatomy_volume(n_slices, shape, generator, "t2")


def _shepp_logan(n_slices: int, shape: Shape, generator: Generator) -> Tensor:
    return shepp_logan(shape).expand(n_slices, *shape)


PHANTOMS: dict[str, Callable[[int, Shape, Generator], Tensor]] = {
    "anatomy": _anatomy_t1,
    "anatomy-t2": _anatomy_t2,
    "shepp-logan": _shepp_logan,
}


def simulate(
    image: Tensor,
    maps: Tensor,
    covariance: Tensor | None = None,
    snr: float | None = None,
    generator: Generator | None = None,
) -> Acquisition:
    """Fully sampled multi-coil k-space of an image.

        k_c = F (s_c x) + n_c,   E[n n^H] = Psi = g Psi_0

    with g from the signal-to-noise ratio: a number, not decibels, the mean of |x| over the body divided by the
    standard deviation of the noise in the real part of the coil-combined image sum_c conj(s_c) c_c, which is
    also that of its magnitude,

        snr = mean |x| / sigma,   sigma^2 = mean of s^H Psi s / 2,   both over pixels with |x| above 5 % of max |x|

    References:
        The NMR phased array, P. B. Roemer et al., 1990, doi:10.1002/mrm.1910160203.

    Args:
        image: x, (*batch, y, x), real or complex; the ratio is that of the whole batch.
        maps: s, complex (coil, y, x) of unit root sum of squares.
        covariance: Psi_0, complex (coil, coil); None: the identity. With ``snr`` None it is used as it is.
        snr: the ratio above; infinity, or None without a covariance, means no noise.
        generator: where the noise comes from; needed where there is noise.

    Returns:
        Acquisition: with ``noise`` the covariance Psi, None without noise, and without maps.

    Raises:
        ArgumentError: shapes that do not fit, snr <= 0, or noise without a generator.
    """
    require_broadcast("maps", maps, (maps.shape[0], *image.shape[-2:]), "maps (coil, y, x)")
    kspace = fft2(maps * image.unsqueeze(COIL))
    if snr is not None and not snr > 0:
        raise ArgumentError(f"snr is {snr}; wanted a ratio above 0 (a number, not decibels), or None for no noise")
    if snr == math.inf or (snr is None and covariance is None):
        return _all_sampled(kspace, None)
    if generator is None:
        raise ArgumentError("noise needs a generator; pass torch.Generator().manual_seed(0)")
    psi = torch.eye(len(maps), dtype=kspace.dtype) if covariance is None else covariance
    if snr is not None:
        psi = psi * _noise_scale(image, maps, psi, snr)
    return _all_sampled(kspace + complex_noise(tuple(kspace.shape), psi, generator), psi)


def _noise_scale(image: Tensor, maps: Tensor, covariance: Tensor, snr: float) -> float:
    """The scale g of :func:`simulate`."""
    magnitude = image.abs()
    body = magnitude > BODY * magnitude.max()
    variance = torch.einsum("iyx,ij,jyx->yx", maps.conj(), covariance, maps).real / 2
    sigma = magnitude[body].mean() / snr
    return float(sigma**2 / variance.expand_as(magnitude)[body].mean())


def _all_sampled(kspace: Tensor, noise: Tensor | None) -> Acquisition:
    return acquire(kspace, mask=torch.ones(kspace.shape[-1], dtype=torch.bool), noise=noise)


def phantom(
    kind: str = "anatomy",
    shape: Shape = (256, 256),
    n_coils: int = 8,
    n_slices: int = 1,
    snr: float | None = 50.0,
    array: str = "biot-savart",
    seed: int = 0,
) -> tuple[Acquisition, Tensor]:
    """A complete simulated scan and the image behind it; the same seed gives the same bits.

    Args:
        kind: a key of PHANTOMS: ``"anatomy"`` (T1), ``"anatomy-t2"`` or ``"shepp-logan"``.
        shape: (y, x), pixels.
        n_coils: receive coils.
        n_slices: slices of 5 mm, from top to bottom.
        snr: mean signal over noise of the coil-combined image, a number; see :func:`simulate`. None: no noise.
        array: a key of ARRAYS: ``"biot-savart"`` or ``"birdcage"``.
        seed: of everything that is random. The head is the same at every shape, n_coils, array and snr.

    Returns:
        tuple: the fully sampled Acquisition, k-space (slice, coil, ky, kx), with noise covariance (None without
        noise) and geometry (220 mm, 5 mm slices) but without maps; and the image, complex64 (slice, y, x).

    Raises:
        ArgumentError: an unknown kind or array, n_coils or n_slices below 1, a shape below 16, or snr <= 0.
    """
    require_name("phantom", kind, {**PHANTOMS})
    require_name("array", array, {**ARRAYS})
    require_count("n_slices", n_slices)
    require_shape(shape)
    maps = ARRAYS[array](n_coils, shape)
    generator = torch.Generator().manual_seed(seed)
    image = PHANTOMS[kind](n_slices, shape, generator)
    image = image * smooth_phase(shape, generator)
    covariance = coil_covariance(n_coils, generator)
    acquisition = simulate(image, maps, covariance, math.inf if snr is None else snr, generator)
    return replace(acquisition, geometry=_geometry(shape, n_slices)), image


def _geometry(shape: Shape, n_slices: int) -> Geometry:
    """Rows run to the back, columns to the left, slices to the feet: a right-handed axial stack."""
    heights = [((n_slices - 1) / 2 - i) * THICKNESS for i in range(n_slices)]
    return Geometry(
        matrix=(shape[0], shape[1]),
        fov=(*field_of_view(shape), THICKNESS),
        positions=tuple((0.0, 0.0, z) for z in heights),
        read_dir=(0.0, 1.0, 0.0),
        phase_dir=(1.0, 0.0, 0.0),
        slice_dir=(0.0, 0.0, -1.0),
    )
