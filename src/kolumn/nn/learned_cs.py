"""Compressed sensing with learned thresholds: a network of which every number can be read."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor, nn

from ..acquisition import Acquisition
from ..operators import Wavelet
from ..shapes import PLANE
from .checks import require_counts
from .consistency import consistent, faithful
from .linear import linear
from .start import start

_RELAXED = 1.7  # of ADMM, where 1 is none
_TINY = 1e-12  # coefficients, in units of the brightness, whose gradient is lost in rounding


class LearnedCS(nn.Module):
    """A few iterations of relaxed ADMM on 1/2 ||A x - y||^2 + R(W x), i = 1 .. n_iterations.

        h = 1.7 x - 0.7 z + u,   z = p W_i^H garrote(W_i conj(p) h, t_i),   u = h - z
        x = argmin 1/2 ||A x - y||^2 + lam_i/2 ||x - (z - u)||^2, by preconditioned conjugate gradients from x
        t_i = exp(theta_il) + exp(eta_l) sigma at level l,   lam_i = exp(alpha_i) + exp(beta_i) sigma^2

    from a few steps of SENSE, z = x and u = 0. W_i is the Haar wavelet on a grid that is elsewhere in each iteration,
    which blurs the grid away; the coarsest approximation is not shrunk. The garrote, max(1 - t^2 / c^2, 0) c, leaves
    large coefficients nearly as they are, where |.|_1 takes t from each. p is the smooth phase of the first x, without
    which an image is nearly real: real and imaginary parts are shrunk each on its own, and the threshold of imaginary
    ones is exp(gamma_l) t_i. x, y and the noise sigma are in units of the brightness of the first x. Only theta, eta,
    gamma, alpha and beta are learned, 128 numbers by default.

    References: Revisiting l1-wavelet compressed-sensing MRI in the era of deep learning, Gu, Yaman, Moeller, Ellermann,
    Ugurbil and Akcakaya, 2022, doi:10.1073/pnas.2201062119 (four wavelets at rest there); Translation-invariant
    de-noising, Coifman and Donoho, 1995, doi:10.1007/978-1-4612-2544-7_9; Wavelet shrinkage denoising using the
    non-negative garrote, Gao, 1998, doi:10.1080/10618600.1998.10474789; for p: Homodyne detection in magnetic
    resonance imaging, Noll, Nishimura and Macovski, 1991, doi:10.1109/42.79473.

    Args:
        n_iterations: of ADMM.
        levels: of the wavelets.
        n_steps: conjugate gradients of each iteration.
        n_start: conjugate gradients of SENSE to begin with.

    Raises:
        ArgumentError: an option below 1.
    """

    NEEDS_MAPS: ClassVar[bool] = True

    def __init__(self, n_iterations: int = 20, levels: int = 4, n_steps: int = 2, n_start: int = 4) -> None:
        super().__init__()
        self.options = {"n_iterations": n_iterations, "levels": levels, "n_steps": n_steps, "n_start": n_start}
        require_counts(**self.options)
        self.n_steps, self.n_start, self.levels = n_steps, n_start, levels
        self.wavelet = Wavelet("haar", levels)
        self.theta = nn.Parameter(torch.linspace(-2, -3.5, n_iterations)[:, None].repeat(1, levels))
        self.eta = nn.Parameter(torch.full((levels,), -1.5))
        self.gamma = nn.Parameter(torch.full((levels,), 0.7))
        self.alpha = nn.Parameter(torch.full((n_iterations,), -2.3))
        self.beta = nn.Parameter(torch.full((n_iterations,), 0.7))

    def forward(self, acquisition: Acquisition, /, denoise: bool = True) -> Tensor:
        """Acquisition to complex image (*batch, y, x).

        Args:
            acquisition: k-space, with maps unless it has a single coil.
            denoise: whether the last lam_i is the learned one; else it is 0.08 at most.

        Raises:
            ArgumentError: several coils without maps, or several sets of maps.
        """
        G, b, x, p, sigma, scale, seen, c = start(acquisition, self.n_start, preconditioned=True)
        W, details = self.wavelet, self._details(x)
        noise = _by_level(self.eta.exp(), details) * sigma
        imaginary = _by_level(self.gamma.exp(), details)
        z, u = x, torch.zeros_like(x)
        parameters = zip(self.theta.exp(), self.alpha.exp(), self.beta.exp(), strict=True)
        for i, (theta, alpha, beta) in enumerate(parameters):
            h = _RELAXED * x + (1 - _RELAXED) * z + u
            there, back = self._shifts(i)
            coefficients = linear((h * p.conj()).roll(there, PLANE), W.forward, W.adjoint)
            t = _by_level(theta, details) + noise
            shrunk = torch.complex(garrote(coefficients.real, t), garrote(coefficients.imag, imaginary * t))
            z = p * linear(shrunk, W.adjoint, W.forward).roll(back, PLANE)
            u = h - z
            lam = alpha + beta * sigma.square()
            if i == len(self.theta) - 1 and not denoise:
                x = faithful(G, b, z - u, lam)
            else:
                x = consistent(G, b, z - u, lam, self.n_steps, x, c)
        return (x * scale)[0] * seen

    def _shifts(self, i: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """How far the image is rolled in iteration i, and back: all rows and columns of the coarsest grid in turn."""
        n = 2**self.levels
        y, x = 5 * i % n, 11 * i % n
        return (y, x), (-y, -x)

    def _details(self, image: Tensor) -> Tensor:
        """Where the coefficients of each level lie, the finest first: 1 there and 0 elsewhere, real (level, y, x)."""
        details = image.real.new_zeros(self.levels, *image.shape[-2:])
        for level, detail in enumerate(details):
            for size, value in ((level, 1.0), (level + 1, 0.0)):
                rows, columns = (-(-n // 2**size) for n in image.shape[-2:])
                detail[:rows, :columns] = value
        return details


def _by_level(values: Tensor, details: Tensor) -> Tensor:
    return (values[:, None, None].to(details) * details).sum(0)


def garrote(c: Tensor, t: Tensor) -> Tensor:
    """max(1 - t^2 / c^2, 0) c of real c, with finite gradients through c and t."""
    return c * (1 - (t / c.abs().clamp_min(_TINY)).clamp_max(1).square())
