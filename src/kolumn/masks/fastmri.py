"""The masks of the fastMRI challenge, equal bit for bit to those of the ``fastmri`` package, version 0.3.0.

They follow NumPy's legacy generator (Mersenne Twister), seeded with the characters of the file name, so that the
same file gets the same mask everywhere. Even one (center, acceleration) pair is drawn from the generator first.

Reference: Zbontar et al., "fastMRI: An Open Dataset and Benchmarks for Accelerated MRI", 2018, arXiv:1811.08839.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..errors import ArgumentError
from .counts import columns

Choice = float | Sequence[float]
Flags = NDArray[np.bool_]


def fastmri_random(shape: tuple[int, int], acceleration: Choice, center: Choice, seed: str | int) -> Tensor:
    """Random columns: each outside the centre is acquired with the same probability.

        p = (kx / R - w) / (kx - w),   w = round(kx center)

    The acceleration R is met on average only.

    Args:
        shape: (ky, kx) of k-space, samples.
        acceleration: R, or several, one of which is drawn.
        center: fraction of the columns in the fully sampled centre, one for each acceleration.
        seed: name of the file (folders are left out), or a number.

    Returns:
        Tensor: bool (1, kx).

    Raises:
        ArgumentError: a value outside its range, a centre wider than all that is acquired, or an empty name.
    """
    rng, R, w = _start(shape, acceleration, center, seed)
    kx = shape[1]
    if w == kx:
        raise ArgumentError(f"center takes all {kx} columns, which leaves nothing to draw; use the mask 'full'")
    p = (kx / R - w) / (kx - w)
    return _with_centre(rng.uniform(size=kx) < p, w)


def fastmri_equispaced(shape: tuple[int, int], acceleration: Choice, center: Choice, seed: str | int) -> Tensor:
    """Nearly equispaced columns whose spacing makes up for the centre (``EquispacedMaskFractionFunc``).

        columns round(o + j s) < kx - 1,   s = R (kx - w) / (kx - R w),   o drawn from 0 ... round(s) - 1

    The spacing s is seldom a whole number, so the gaps vary by one; the public test data is so too.
    Arguments, result and errors: see :func:`fastmri_random`.
    """
    rng, R, w = _start(shape, acceleration, center, seed)
    kx = shape[1]
    if R * w >= kx:
        raise ArgumentError(f"center takes all of the {kx / R:g} columns of acceleration {R:g}; lower either")
    spacing = (R * (w - kx)) / (w * R - kx)
    first = rng.randint(0, high=round(spacing))
    chosen = np.zeros(kx, dtype=np.bool_)
    chosen[np.around(np.arange(first, kx - 1, spacing)).astype(np.intp)] = True
    return _with_centre(chosen, w)


def fastmri_magic(shape: tuple[int, int], acceleration: Choice, center: Choice, seed: str | int) -> Tensor:
    """Equispaced columns, those at negative frequencies two off the mirror images (``MagicMaskFractionFunc``).

        frequencies k = a + j s >= 0  and  k = -1 - b - j s,   s = round(kx / (round(kx / R) - w)),
        (a, b) = (o + 1, o + 2) for even o, (o + 2, o - 1) for odd o, which is drawn from 0 ... s - 1

    Reference: Defazio, "Offset Sampling Improves Deep Learning based Accelerated MRI Reconstructions by Exploiting
    Symmetry", 2019, arXiv:1912.01101. Arguments, result and errors: see :func:`fastmri_random`.
    """
    rng, R, w = _start(shape, acceleration, center, seed)
    kx = shape[1]
    w = max(w, 1)
    rest = round(kx / R) - w
    if rest < 1:
        raise ArgumentError(f"center takes all of the {kx / R:g} columns of acceleration {R:g}; lower either")
    spacing = round(kx / rest)
    o = rng.randint(0, high=spacing)
    a, b = (o + 1, o + 2) if o % 2 == 0 else (o + 2, o - 1)
    chosen = np.zeros(kx, dtype=np.bool_)
    chosen[kx // 2 + a :: spacing] = True
    chosen[: kx // 2][::-1][b::spacing] = True
    return _with_centre(chosen, w)


def _start(
    shape: tuple[int, int], acceleration: Choice, center: Choice, seed: str | int
) -> tuple[np.random.RandomState, float, int]:
    """The generator, the acceleration drawn, and the columns of the centre that goes with it."""
    accelerations, centers = (list(x) if isinstance(x, Sequence) else [x] for x in (acceleration, center))
    if len(accelerations) != len(centers) or not centers:
        raise ArgumentError(f"{len(accelerations)} accelerations and {len(centers)} centers; wanted one for each")
    rng = np.random.RandomState(_seed(seed))
    choice = rng.randint(len(centers))
    R = accelerations[choice]
    return rng, R, columns(shape, R, centers[choice])[1]


def _seed(seed: str | int) -> int | tuple[int, ...]:
    if isinstance(seed, str):
        name = PurePath(seed).name
        if not name:
            raise ArgumentError(f"the file name {seed!r} is empty; a fastMRI mask is seeded by the name of its file")
        return tuple(map(ord, name))
    if not 0 <= seed < 2**32:
        raise ArgumentError(f"seed is {seed}; wanted a whole number from 0 to {2**32 - 1}")
    return seed


def _with_centre(chosen: Flags, w: int) -> Tensor:
    # Where kx is odd and w even this centre lies one column right of counts.centred.
    start = (len(chosen) - w + 1) // 2
    mask = chosen.copy()
    mask[start : start + w] = True
    return torch.from_numpy(mask)[None]
