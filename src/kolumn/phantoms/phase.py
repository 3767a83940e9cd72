"""The smooth phase that every measured image has."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from .checks import Shape, require_shape
from .fields import plane_waves


def smooth_phase(shape: Shape, generator: Generator, strength: float = 1.0) -> Tensor:
    """A smooth phase factor: off-resonance, delays and eddy currents leave one behind.

        P(y, x) = exp(i s phi(y, x)),   phi = polynomial of order 2 + random waves, mean 0, root mean square 1

    on [-1, 1)^2, the waves no shorter than 3/4 of the field of view.

    Args:
        shape: (y, x), pixels.
        generator: where the random numbers come from.
        strength: s, root mean square of the phase over the image, radian; 0 gives ones.

    Returns:
        Tensor: complex64 (y, x) of unit modulus.

    Raises:
        ArgumentError: a shape below 16 pixels.
    """
    require_shape(shape)
    y, x = ((torch.arange(n) - n // 2) * (2 / n) for n in shape)
    y, x = y[:, None], x[None, :]
    a = torch.randn(5, generator=generator)
    phi = a[0] * y + a[1] * x + a[2] * y * y + a[3] * y * x + a[4] * x * x
    phi = phi + plane_waves(generator, 1.5, 4.0, 12)(y, x, 0.0)
    phi = phi - phi.mean()
    phi = phi / phi.square().mean().sqrt()
    return torch.polar(torch.ones_like(phi), strength * phi)
