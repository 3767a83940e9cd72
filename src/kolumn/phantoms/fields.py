"""Smooth random functions of continuous coordinates, so that a phantom is the same at every matrix size."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor


@dataclass(frozen=True)
class Waves:
    """A sum of random plane waves: zero mean, unit variance, infinitely smooth.

        f(p) = sqrt(2 / M) sum_m cos(k_m . p + phi_m)

    Attributes:
        vectors: the wave vectors k, (axis, wave), radian per unit of p.
        phases: phi, (wave,), radian.
    """

    vectors: Tensor
    phases: Tensor

    def __call__(self, *axes: Tensor | float) -> Tensor:
        """Value at p = (axes), one number or tensor for each axis; they broadcast."""
        angle = self.phases
        for p, k in zip(axes, self.vectors, strict=True):
            angle = angle + torch.as_tensor(p)[..., None] * k
        return angle.cos_().sum(-1) * math.sqrt(2 / len(self.phases))


def plane_waves(
    generator: Generator, shortest: float, longest: float, count: int = 24, depth: float = math.inf
) -> Waves:
    """Waves in (y, x, z) without a preferred direction in the plane.

    Args:
        generator: where the random numbers come from.
        shortest: shortest wavelength in the plane, in the unit of the coordinates.
        longest: longest wavelength; between them it is log-uniform.
        count: number of waves M.
        depth: typical wavelength along z; infinite means that nothing changes along z.
    """
    u, angle, phase = torch.rand(3, count, generator=generator)
    k = 2 * math.pi / (shortest * (longest / shortest) ** u)
    z = torch.randn(count, generator=generator) * (2 * math.pi / depth)
    turn = 2 * math.pi * angle
    return Waves(torch.stack((k * turn.sin(), k * turn.cos(), z)), 2 * math.pi * phase)


def ring_waves(generator: Generator, fewest: int, most: int, depth: float, count: int = 24) -> Waves:
    """Waves in (angle, depth, z) that close around a ring: between ``fewest`` and ``most`` periods in 2 pi.

    Args:
        generator: where the random numbers come from.
        fewest: smallest number of periods around the ring.
        most: largest number.
        depth: typical wavelength along the depth and along z.
        count: number of waves M.
    """
    periods = torch.randint(fewest, most + 1, (count,), generator=generator).float()
    sign = torch.randint(0, 2, (count,), generator=generator).float() * 2 - 1
    across = torch.randn(2, count, generator=generator) * (2 * math.pi / depth)
    phase = 2 * math.pi * torch.rand(count, generator=generator)
    return Waves(torch.stack((periods * sign, across[0], across[1])), phase)
