"""Phases of simulated scans: smooth ones, as every scan has, and finer ones."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from ..phantoms import smooth_phase
from .draw import chance, log_uniform, uniform
from .images.field import random_field


def random_phase(shape: tuple[int, int], generator: Generator) -> Tensor:
    """A phase factor (y, x): smooth, sometimes none, sometimes with an echo off the centre, or with sharp steps."""
    strength = 0.0 if chance(generator, 0.15) else uniform(generator, 0.1, 2.5)
    phase = smooth_phase(shape, generator, strength)
    angle = torch.full(shape, uniform(generator, -math.pi, math.pi))
    if chance(generator, 0.3):
        for n, dim in zip(shape, (0, 1), strict=True):
            slope = uniform(generator, -2, 2) * 2 * math.pi / n
            angle = angle + (slope * (torch.arange(n) - n // 2)).unsqueeze(1 - dim)
    if chance(generator, 0.12):
        step = random_field(shape, generator, uniform(generator, 0.1, 0.5) * min(shape)) > uniform(generator, 0, 1.5)
        angle = angle + uniform(generator, -math.pi, math.pi) * step
    return phase * torch.polar(torch.ones(shape), angle)


def ripples(shape: tuple[int, int], generator: Generator) -> Tensor:
    """A phase factor (y, x) finer than calibration lines follow, as tissue, vessels and susceptibility leave it."""
    angle = random_field(shape, generator, log_uniform(generator, 0.05, 0.5) * min(shape))
    return torch.polar(torch.ones(shape), log_uniform(generator, 0.03, 0.5) * angle)
