"""Acquired lines that are hidden from the reconstruction, to see how well it predicts them."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from ..acquisition import Acquisition
from ..masks.measure import calibration


def hide(acquisition: Acquisition, seed: int, fraction: float = 0.08) -> Tensor:
    """The mask of what is hidden: ``fraction`` of what was acquired, all of it outside the calibration region.

    Whole columns where whole columns were acquired, else samples: one at random from each of so many equal groups,
    ordered by their distance from the centre, so that strong and weak lines are hidden in proportion. All False
    where there is nothing to hide.

    Args:
        acquisition: one entry; the masks of a series are hidden from each on its own.
        seed: of the choice.
        fraction: of all that was acquired.
    """
    planes = acquisition.mask.reshape(-1, *acquisition.mask.shape[-2:])
    generator = Generator().manual_seed(seed)
    return torch.stack([_hide(p, fraction, generator) for p in planes]).reshape(acquisition.mask.shape)


def _hide(mask: Tensor, fraction: float, generator: Generator) -> Tensor:
    outside = mask.clone()
    outside[calibration(mask)] = False
    places = outside.flatten().nonzero()[:, 0]
    n = min(max(2, round(fraction * int(mask.sum()))), len(places) // 2)
    hidden = torch.zeros_like(mask).flatten()
    if n:
        ordered = places[_distance(mask).flatten()[places].argsort(stable=True)]
        first = torch.arange(n) * len(places) // n
        size = (torch.arange(1, n + 1) * len(places) // n) - first
        within = torch.rand(n, generator=generator)
        hidden[ordered[(first + (within * size).long()).to(places.device)]] = True
    return hidden.reshape(mask.shape)


def _distance(mask: Tensor) -> Tensor:
    """Squared distance from the centre of k-space, a half being its edge; of the columns alone where those are all."""
    y, x = (((torch.arange(n, device=mask.device) - n // 2) / n).square() for n in mask.shape)
    return y[:, None] + x
