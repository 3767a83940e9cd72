"""Random samples with a Gaussian density, in one and two dimensions."""

from __future__ import annotations

import torch
from torch import Tensor

from .counts import centred, column_mask, columns, outer, samples

WIDTH = 1 / 6  # standard deviation over the side of k-space: the edge lies at 3 sigma


def gaussian(shape: tuple[int, int], acceleration: float, center: float, generator: torch.Generator) -> Tensor:
    """Random columns, denser towards the middle, besides the fully sampled centre.

        p(k) proportional to exp(-k^2 / (2 s^2)),   s = kx / 6,   drawn without replacement

    Reference: Lustig, Donoho, Pauly, "Sparse MRI: The application of compressed sensing for rapid MR imaging", 2007,
    doi:10.1002/mrm.21391 (variable density; theirs is a power law).

    Args:
        shape: (ky, kx) of k-space, samples.
        acceleration: all columns over acquired columns, at least 1; met exactly.
        center: fraction of the columns in the fully sampled centre.
        generator: the only source of randomness.

    Returns:
        Tensor: bool (1, kx).

    Raises:
        ArgumentError: a value outside its range, or a centre wider than all that is acquired.
    """
    n, width = columns(shape, acceleration, center)
    kx = shape[1]
    free = outer(column_mask(kx, width))
    return column_mask(kx, width, free[draw(_log_density(kx)[free], n - width, generator)])


def gaussian2d(shape: tuple[int, int], acceleration: float, center: float, generator: torch.Generator) -> Tensor:
    """Random samples of a plane with a Gaussian density, besides a fully sampled block in the middle.

        p(ky, kx) proportional to exp(-ky^2 / (2 sy^2) - kx^2 / (2 sx^2)),   s = side / 6

    For a plane of two phase encodes (3-D scans). ``center`` is the fraction of each side, see :func:`.counts.samples`.

    Args:
        shape: (ky, kx) of k-space, samples.
        acceleration: all samples over acquired samples, at least 1; met exactly.
        center: side of the fully sampled block over the side of k-space.
        generator: the only source of randomness.

    Returns:
        Tensor: bool (ky, kx).

    Raises:
        ArgumentError: a value outside its range, or a block larger than all that is acquired.
    """
    n, (height, width) = samples(shape, acceleration, center)
    ky, kx = shape
    mask = torch.zeros(ky, kx, dtype=torch.bool)
    mask[centred(ky, height), centred(kx, width)] = True
    free = outer(mask)
    density = (_log_density(ky)[:, None] + _log_density(kx)).flatten()
    mask.view(-1)[free[draw(density[free], n - height * width, generator)]] = True
    return mask


def _log_density(n: int) -> Tensor:
    k = torch.arange(n, dtype=torch.float64) - n // 2
    return -0.5 * (k / (WIDTH * n)) ** 2


def draw(log_weights: Tensor, n: int, generator: torch.Generator) -> Tensor:
    """Indices of ``n`` entries drawn without replacement, with chances proportional to the weights.

    The largest ``n`` of ``log w + g``, g Gumbel noise: Efraimidis, Spirakis, "Weighted random sampling with a
    reservoir", 2006, doi:10.1016/j.ipl.2005.11.003.
    """
    u = torch.rand(log_weights.shape, generator=generator, dtype=torch.float64)
    return torch.topk(log_weights - torch.log(-torch.log(u)), n).indices
