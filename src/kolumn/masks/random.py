"""Random columns with a fully sampled centre: the mask of compressed sensing."""

from __future__ import annotations

import torch
from torch import Tensor

from .counts import column_mask, columns, outer


def random(shape: tuple[int, int], acceleration: float, center: float, generator: torch.Generator) -> Tensor:
    """Uniformly random columns besides the centre, exactly as many as the acceleration asks for.

        n = round(kx / acceleration) columns: round(kx center) in the middle, the others drawn without replacement

    Differs from fastMRI's random mask, which tosses a coin for each column and so meets the acceleration only on
    average; for that one see :func:`kolumn.masks.fastmri.fastmri_random`.

    Reference: Lustig, Donoho, Pauly, "Sparse MRI: The application of compressed sensing for rapid MR imaging", 2007,
    doi:10.1002/mrm.21391.

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
    mask = column_mask(shape[1], width)
    free = outer(mask)
    chosen = free[torch.randperm(len(free), generator=generator)[: n - width]]
    return column_mask(shape[1], width, chosen)
