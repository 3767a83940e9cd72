"""Fat, which is of another phase than the water next to it."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor
from torch.nn.functional import avg_pool2d

from .draw import uniform

_BODY = 0.08  # of the brightest: less is air, once it has been blurred
_EDGE = 0.03  # softness of the inner edge of the rim, in shares of the body around a pixel


def fat_phase(magnitude: Tensor, generator: Generator) -> Tensor:
    """The factor (1 - f) + f exp(i phi), f being the share of fat in a pixel: near 0 where f is a half and phi is pi.

    Fat resonates at 3.5 ppm below water. Until the echo that is one angle phi for all of it, with an edge as sharp as
    the anatomy where it meets water, which no smooth phase follows. Fat is here what is bright, as in T1 weighting,
    or lies under the skin, or both.

    Args:
        magnitude: image (y, x), about 0 to 1.
        generator: where the random numbers come from.

    Returns:
        Tensor: complex (y, x).
    """
    where = uniform(generator, 0, 3)
    bright = magnitude.abs() / (float(magnitude.abs().flatten().quantile(0.99)) or 1.0)
    fat = torch.zeros_like(magnitude)
    if where < 2:
        least, edge = uniform(generator, 0.4, 0.9), uniform(generator, 0.02, 0.1)
        fat = torch.sigmoid((bright - least) / edge)
    if where > 1:
        fat = torch.maximum(fat, _rim(bright, generator))
    phi = uniform(generator, -math.pi, math.pi)
    return 1 - fat + fat * torch.polar(torch.ones(()), torch.tensor(phi))


def _rim(magnitude: Tensor, generator: Generator) -> Tensor:
    """The outermost 1 to 8 % of the body, soft at its inner edge."""
    size = min(magnitude.shape)
    body = (_blurred(magnitude, round(0.03 * size)) > _BODY).to(magnitude)
    around = _blurred(body, max(1, round(uniform(generator, 0.015, 0.12) * size)))
    return body * torch.sigmoid((0.85 - around) / _EDGE)


def _blurred(image: Tensor, radius: int) -> Tensor:
    return avg_pool2d(image[None], 2 * radius + 1, 1, radius)[0]
