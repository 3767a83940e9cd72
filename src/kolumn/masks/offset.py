"""Equispaced columns whose two halves interleave under conjugate symmetry ("magic")."""

from __future__ import annotations

import torch
from torch import Tensor

from .counts import column_mask, columns, outer


def offset(shape: tuple[int, int], acceleration: float, center: float, generator: torch.Generator) -> Tensor:
    """Equispaced columns; those at negative frequencies lie midway between the mirror images of the positive ones.

    The k-space of a real image obeys X[-k] = conj X[k], so a column also tells of its mirror image, and columns that
    fall on each other's mirror images are wasted. The n columns outside the centre therefore go, in turn, to

        k_i = +-(c + 1 + floor((i + u) L / n)),   i = 0 ... n - 1,  sign (-1)^(i + b)

    with c the half width of the centre, L the number of frequencies beyond it, u and b random. The two halves
    are each 2 L / n apart and half a spacing offset from each other. The acceleration is met exactly.

    Differs from the paper, which has whole-number spacings and so undershoots the acceleration; for its code see
    :func:`kolumn.masks.fastmri.fastmri_magic`.

    Reference: Defazio, "Offset Sampling Improves Deep Learning based Accelerated MRI Reconstructions by Exploiting
    Symmetry", 2019, arXiv:1912.01101.

    Args:
        shape: (ky, kx) of k-space, samples.
        acceleration: all columns over acquired columns, at least 1.
        center: fraction of the columns in the fully sampled centre.
        generator: the only source of randomness.

    Returns:
        Tensor: bool (1, kx).

    Raises:
        ArgumentError: a value outside its range, or a centre wider than all that is acquired.
    """
    n, width = columns(shape, acceleration, center)
    kx = shape[1]
    width = max(width, 1)  # the zero frequency is its own mirror image
    half = width // 2
    frequencies = max((kx - 1) // 2 - half, 0)
    pairs = min(n - width, 2 * frequencies)
    u = torch.rand(1, generator=generator, dtype=torch.float64)
    first = int(torch.randint(2, (1,), generator=generator))
    i = torch.arange(pairs)
    sign = 1 - 2 * ((i + first) % 2)
    k = half + 1 + ((i + u) * frequencies / max(pairs, 1)).long()
    mask = column_mask(kx, width, kx // 2 + sign * k)
    # Up to two columns have no mirror image outside the centre: taken last, when all the others are.
    return column_mask(kx, width, torch.cat([kx // 2 + sign * k, outer(mask)[: n - width - pairs]]))
