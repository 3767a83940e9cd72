"""Variable-density Poisson discs: random samples of a plane that keep their distance."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .counts import centred, outer, samples

GROWTH = 2.5  # the distance between samples at the edge of k-space is 1 + GROWTH times that in the middle
TOLERANCE = 1.01  # how far over the target a radius may bring the count, before the surplus is dropped at random


def poisson(shape: tuple[int, int], acceleration: float, center: float, generator: torch.Generator) -> Tensor:
    """Random samples no closer to each other than a radius that grows with the distance from the centre.

        |k_i - k_j| >= min(r(k_i), r(k_j)),   r(k) = s (1 + 2.5 d(k))

    outside the centre, with d = 0 in the middle and 1 in the middle of each edge. Points are tried once each in
    random order, so no further point fits; s follows from the acceleration by bisection, which is then met exactly.
    ``center`` is the fraction of each side, see :func:`.counts.samples`.

    Reference: Cook, "Stochastic sampling in computer graphics", 1986, doi:10.1145/7529.8927; for MRI Vasanawala et al.,
    "Practical parallel imaging compressed sensing MRI", 2011, doi:10.1109/ISBI.2011.5872579.

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
    core = torch.zeros(ky, kx, dtype=torch.bool)
    core[centred(ky, height), centred(kx, width)] = True
    free = outer(core)
    order = free[torch.randperm(len(free), generator=generator)]
    wanted = n - height * width
    chosen = _fit(order.numpy(), _growth(shape), kx, wanted)
    keep = torch.randperm(len(chosen), generator=generator)[:wanted]
    core.view(-1)[torch.from_numpy(chosen)[keep]] = True
    return core


def _growth(shape: tuple[int, int]) -> NDArray[np.float64]:
    """The radius relative to that in the middle, (ky kx)."""
    y, x = ((np.arange(n) - n // 2) / max(n / 2, 1) for n in shape)
    d: NDArray[np.float64] = np.hypot(y[:, None], x).ravel()
    return 1 + GROWTH * d


def _fit(order: NDArray[np.int64], growth: NDArray[np.float64], kx: int, wanted: int) -> NDArray[np.int64]:
    """The sparsest set of samples found that still has ``wanted`` of them."""
    low, high = 0.0, 2.0 * np.sqrt(growth.size / max(wanted, 1)) + 1  # too dense, too sparse
    best = order
    for _ in range(30):
        if len(best) <= max(wanted * TOLERANCE, wanted + 1):
            break
        scale = 0.5 * (low + high)
        chosen = _throw(order, scale * growth, kx)
        if len(chosen) >= wanted:
            low, best = scale, chosen
        else:
            high = scale
    return best


def _throw(order: NDArray[np.int64], radius: NDArray[np.float64], kx: int) -> NDArray[np.int64]:
    """Go through the samples in the given order; take each that no earlier one's disc covers."""
    squared = np.ceil(radius**2).astype(np.int64)  # distances squared are whole numbers, so this loses nothing
    reach = int(np.sqrt(squared.max())) + 1
    stride = kx + 2 * reach
    discs: dict[int, NDArray[np.int64]] = {}
    row, column = np.divmod(order, kx)
    place = (row + reach) * stride + column + reach
    covered = np.zeros((radius.size // kx + 2 * reach) * stride, dtype=np.uint8)
    look = covered.data
    taken = []
    for i, (p, s) in enumerate(zip(place.tolist(), squared[order].tolist(), strict=True)):
        if not look[p]:
            taken.append(i)
            if s > 1:  # at most one pixel covers only itself
                if s not in discs:
                    discs[s] = _disc(s, stride)
                covered[p + discs[s]] = 1
    return order[taken]


def _disc(squared: int, stride: int) -> NDArray[np.int64]:
    """Offsets, in a flat array of that stride, of the points closer than the root of ``squared``."""
    reach = int(np.sqrt(squared)) + 1
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    offsets: NDArray[np.int64] = (y * stride + x)[y**2 + x**2 < squared]
    return offsets
