"""The Shepp-Logan head, as an image and as its exact Fourier transform."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .checks import Shape, require_shape

# Added brightness, half axes a and b, centre x and y, angle in degrees; in units of half the field of view, y up.
ELLIPSES = (
    (1.0, 0.6900, 0.920, 0.00, 0.0000, 0.0),
    (-0.8, 0.6624, 0.874, 0.00, -0.0184, 0.0),
    (-0.2, 0.1100, 0.310, 0.22, 0.0000, -18.0),
    (-0.2, 0.1600, 0.410, -0.22, 0.0000, 18.0),
    (0.1, 0.2100, 0.250, 0.00, 0.3500, 0.0),
    (0.1, 0.0460, 0.046, 0.00, 0.1000, 0.0),
    (0.1, 0.0460, 0.046, 0.00, -0.1000, 0.0),
    (0.1, 0.0460, 0.023, -0.08, -0.6050, 0.0),
    (0.1, 0.0230, 0.023, 0.00, -0.6060, 0.0),
    (0.1, 0.0230, 0.046, 0.06, -0.6050, 0.0),
)


def shepp_logan(shape: Shape, supersample: int = 4) -> Tensor:
    """The head phantom of Shepp and Logan with the higher contrast of Toft.

        f(x, y) = sum_e A_e [(u / a_e)^2 + (v / b_e)^2 <= 1],   (u, v) = R(-phi_e) (x - x_e, y - y_e)

    on [-1, 1)^2 over the field of view with index N // 2 at the origin, each pixel the mean of
    ``supersample``^2 points in it.

    References:
        The Fourier reconstruction of a head section, L. A. Shepp and B. F. Logan, 1974,
        doi:10.1109/TNS.1974.6499235. The Radon transform: theory and implementation, P. Toft, PhD thesis,
        Technical University of Denmark, 1996 (the modified brightness).

    Args:
        shape: (y, x), pixels.
        supersample: points along each side of a pixel; 1 samples its centre and leaves the edges jagged.

    Returns:
        Tensor: float32 (y, x), 0 to 1, exactly 0 outside.

    Raises:
        ArgumentError: a shape below 16 pixels.
    """
    require_shape(shape)
    y, x = (_positions(n, supersample) for n in shape)
    y, x = -y[:, None], x[None, :]
    image = torch.zeros(y.numel(), x.numel(), dtype=torch.float64)
    for value, a, b, x0, y0, angle in ELLIPSES:
        c, s = _turn(angle)
        u, v = c * (x - x0) + s * (y - y0), c * (y - y0) - s * (x - x0)
        image += value * ((u / a) ** 2 + (v / b) ** 2 <= 1)
    image = image.clamp_min(1e-9) - 1e-9  # 1 - 0.8 - 0.2 leaves a rounding error, and air is exactly 0
    return torch.nn.functional.avg_pool2d(image[None], supersample)[0].float()


def shepp_logan_kspace(shape: Shape) -> Tensor:
    """The exact Fourier transform of the continuous Shepp-Logan head, sampled on the k-space grid.

        F(k_x, k_y) = sum_e A_e a_e b_e J_1(2 pi K_e) / K_e exp(-2 pi i (k_x x_e + k_y y_e)),
        K_e^2 = (a_e k_u)^2 + (b_e k_v)^2,   (k_u, k_v) = R(-phi_e) (k_x, k_y)

    in the scaling of :func:`kolumn.fourier.fft2`. No pixels are involved, so a reconstruction from it is free of
    the "inverse crime" and shows the Gibbs ringing of a real scan.

    References:
        Three-dimensional analytical magnetic resonance imaging phantom in the Fourier domain, C. G. Koay,
        J. E. Sarlls and E. Oezarslan, 2007, doi:10.1002/mrm.21292.

    Args:
        shape: (ky, kx), samples.

    Returns:
        Tensor: complex64 (ky, kx).

    Raises:
        ArgumentError: a shape below 16 samples.
    """
    require_shape(shape)
    # The field of view is 2 units long, so neighbouring samples are 1/2 apart; rows run downwards, y upwards.
    ky, kx = ((torch.arange(n, dtype=torch.float64) - n // 2) / 2 for n in shape)
    ky, kx = -ky[:, None], kx[None, :]
    total = torch.zeros(shape, dtype=torch.complex128)
    for value, a, b, x0, y0, angle in ELLIPSES:
        c, s = _turn(angle)
        K = torch.hypot(a * (c * kx + s * ky), b * (c * ky - s * kx))
        disc = torch.where(K == 0, math.pi, torch.special.bessel_j1(2 * math.pi * K) / K.clamp_min(1e-300))
        total += value * a * b * disc * torch.exp(-2j * math.pi * (kx * x0 + ky * y0))
    return (total * math.sqrt(shape[0] * shape[1]) / 4).to(torch.complex64)


def _positions(n: int, supersample: int) -> Tensor:
    i = (torch.arange(n * supersample, dtype=torch.float64) + 0.5) / supersample - 0.5
    return (i - n // 2) * (2 / n)


def _turn(degrees: float) -> tuple[float, float]:
    return math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
