"""Noise as receive coils make it: Gaussian, correlated between neighbours, of unlike strength."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from ..errors import ArgumentError
from ..shapes import COIL, shape_text
from .checks import require_count


def coil_covariance(n_coils: int, generator: Generator, correlation: float = 0.3, spread: float = 0.2) -> Tensor:
    """A noise covariance of coils in a ring.

        Psi_ij = d_i d_j rho^|i - j| exp(i (phi_i - phi_j)),   |i - j| counted the shorter way round the ring

    which is positive definite for rho < 1; d is log-normal, scaled to a mean variance of 1.

    References:
        The NMR phased array, P. B. Roemer et al., 1990, doi:10.1002/mrm.1910160203.

    Args:
        n_coils: number of coils.
        generator: where the random numbers come from.
        correlation: rho, between neighbours, 0 to below 1.
        spread: standard deviation of log d.

    Returns:
        Tensor: complex64 (coil, coil), Hermitian, positive definite.

    Raises:
        ArgumentError: n_coils below 1 or a correlation outside of [0, 1).
    """
    require_count("n_coils", n_coils)
    if not 0 <= correlation < 1:
        raise ArgumentError(f"correlation is {correlation}; wanted 0 to below 1")
    normal = torch.randn(n_coils, generator=generator, dtype=torch.float64)
    turn = 2 * math.pi * torch.rand(n_coils, generator=generator, dtype=torch.float64)
    d = torch.polar(torch.exp(spread * normal), turn)
    d = d * math.sqrt(n_coils) / torch.linalg.vector_norm(d)
    i = torch.arange(n_coils)
    apart = (i[:, None] - i[None]).abs()
    apart = torch.minimum(apart, n_coils - apart)
    psi: Tensor = d[:, None] * d.conj()[None] * correlation**apart
    return psi.to(torch.complex64)


def complex_noise(shape: tuple[int, ...], covariance: Tensor, generator: Generator) -> Tensor:
    """Complex Gaussian noise, correlated between coils, white in everything else.

        n = L w,   L L^H = Psi,   E[w w^H] = 1,   so that E[n n^H] = Psi

    Args:
        shape: (..., coil, ky, kx).
        covariance: Psi, complex (coil, coil), Hermitian, positive definite.
        generator: where the random numbers come from.

    Returns:
        Tensor: of ``shape`` and the type of the covariance.

    Raises:
        ArgumentError: the covariance does not fit the coils or is not positive definite.
    """
    if len(shape) < 3 or tuple(covariance.shape) != (shape[COIL], shape[COIL]):
        raise ArgumentError(f"covariance is {shape_text(covariance)}; wanted one row a coil of the shape {shape}")
    L, failed = torch.linalg.cholesky_ex(covariance)
    if int(failed):
        raise ArgumentError("the noise covariance is not positive definite; add a little to its diagonal")
    w = torch.randn(shape, generator=generator, dtype=covariance.dtype)
    return torch.einsum("ij,...jyx->...iyx", L, w)
