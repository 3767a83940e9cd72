"""Every R-th column and a fully sampled centre: the mask of parallel imaging."""

from __future__ import annotations

import torch
from torch import Tensor

from .counts import column_mask, columns


def equispaced(shape: tuple[int, int], acceleration: float, center: float, generator: torch.Generator) -> Tensor:
    """Every R-th column from a random first one, besides the centre.

        columns floor((u + j) R), j = 0, 1, ...,   u uniform in [0, 1), R the acceleration

    The centre comes on top of the regular columns, so the true acceleration is *below* the one asked for; what the
    acceleration fixes is the spacing, which GRAPPA and SENSE need. With R not a whole number the gaps alternate.

    Reference: Griswold et al., "Generalized autocalibrating partially parallel acquisitions (GRAPPA)", 2002,
    doi:10.1002/mrm.10171.

    Args:
        shape: (ky, kx) of k-space, samples.
        acceleration: R, the spacing of the columns, at least 1.
        center: fraction of the columns in the fully sampled centre.
        generator: the only source of randomness.

    Returns:
        Tensor: bool (1, kx).

    Raises:
        ArgumentError: a value outside its range, or a centre wider than ``kx / acceleration`` columns.
    """
    n, width = columns(shape, acceleration, center)
    kx = shape[1]
    u = torch.rand(1, generator=generator, dtype=torch.float64)
    lines = ((u + torch.arange(n + 1)) * acceleration).long()
    return column_mask(kx, width, lines[lines < kx])
