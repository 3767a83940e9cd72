"""Receive coils that are never twice the same."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from ..phantoms import loop_field
from .draw import chance, log_uniform, uniform, whole

_COARSE = 25  # points along a side: fields are smooth, so the rest is interpolated
_WIRE = 0.15


def random_coils(n_coils: int, shape: tuple[int, int], generator: Generator) -> Tensor:
    """The fields of loops around the body, each at a place, of a size and at a gain of its own.

    Now and then some of them, up to half, are weak or dead, as those far from the body are.

        s_c = g_c (B_x - i B_y),   B the field of a loop (see :func:`kolumn.phantoms.loop_field`)

    Args:
        n_coils: number of coils.
        shape: (y, x), pixels.
        generator: where the random numbers come from.

    Returns:
        Tensor: complex64 (coil, y, x), the root sum of squares 1 on average; ones for one coil.
    """
    if n_coils == 1:
        return torch.ones(1, *shape, dtype=torch.complex64)
    longer = max(shape)
    y, x = (torch.linspace(-n / longer, n / longer, _COARSE) for n in shape)
    points = torch.stack((x.expand(_COARSE, -1), y[:, None].expand(-1, _COARSE), torch.zeros(_COARSE, _COARSE)), -1)
    points = points.reshape(-1, 3)
    start, far = uniform(generator, 0, 2 * math.pi), uniform(generator, 1.1, 1.8)
    size = min(max(3.5 / n_coils, 0.25), 0.8) * uniform(generator, 0.7, 1.4)
    jitter = torch.randn(n_coils, 6, generator=generator)
    fields = []
    for i, z in enumerate(jitter.tolist()):
        angle = start + 2 * math.pi * (i + 0.2 * z[0]) / n_coils
        r = far * math.exp(0.08 * z[1])
        a, b = r * shape[1] / longer, r * shape[0] / longer
        centre = torch.tensor((a * math.cos(angle), b * math.sin(angle), 0.3 * z[2]))
        inwards = -torch.tensor((math.cos(angle) / a, math.sin(angle) / b, 0.15 * z[3]))
        field = loop_field(points, centre, inwards / inwards.norm(), size * math.exp(0.1 * z[4]), _WIRE)
        gain = torch.polar(torch.tensor(math.exp(0.25 * z[5])), torch.tensor(uniform(generator, 0, 2 * math.pi)))
        fields.append(gain * torch.complex(field[:, 0], -field[:, 1]))
    coarse = torch.stack(fields).reshape(n_coils, _COARSE, _COARSE)
    if n_coils > 2 and chance(generator, 0.15):
        weak = torch.randperm(n_coils, generator=generator)[: whole(generator, 1, n_coils // 2)]
        coarse[weak] *= log_uniform(generator, 0.01, 0.3)
    s = _finer(coarse, shape)
    return s / s.abs().square().sum(0).mean().sqrt()


def _finer(coarse: Tensor, shape: tuple[int, int]) -> Tensor:
    parts = torch.stack((coarse.real, coarse.imag), 1)
    fine = torch.nn.functional.interpolate(parts, shape, mode="bicubic", align_corners=True)
    return torch.complex(fine[:, 0], fine[:, 1])
