"""Sensitivity maps of a whole acquisition."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import Tensor

from ..acquisition import Acquisition
from ..errors import ArgumentError, CalibrationError
from ..shapes import COIL, READOUT
from .calibration import LIMIT, calibration_block
from .espirit import espirit
from .walsh import walsh

MAPS: dict[str, Callable[..., Tensor]] = {"espirit": espirit, "walsh": walsh}


def estimate_maps(acquisition: Acquisition, method: str = "espirit", **options: Any) -> Tensor:
    """Maps of each entry of the batch from its own calibration lines, and from nothing else.

    Args:
        acquisition: k-space (*batch, coil, ky, kx).
        method: "espirit" or "walsh"; the keys of MAPS.
        options: of that method; a tensor (*batch) has a value for each entry.

    Returns:
        Tensor: complex (*batch, coil, y, x), with a leading set axis where ``n_maps`` > 1.

    Raises:
        CalibrationError: too few calibration lines.
        ArgumentError: an unknown method.
    """
    if method not in MAPS:
        raise ArgumentError(f"unknown way to estimate maps: {method!r}; there is {', '.join(MAPS)}")
    k = acquisition.kspace
    if acquisition.n_coils == 1:
        return torch.ones_like(k)
    batch = k.shape[:COIL]
    shape = (k.shape[-2], k.shape[-1])
    places = list(product(*(range(n) for n in batch)))
    entries = [acquisition.entry(*index) for index in places]
    blank = [len(entries) > 1 and not bool(torch.count_nonzero(entry.kspace)) for entry in entries]
    if all(blank):
        raise CalibrationError("k-space is all zero; there is nothing to estimate maps from")
    found = [
        None if skip else MAPS[method](calibration_block(entry, limit=LIMIT), shape, **_own(options, index))
        for entry, skip, index in zip(entries, blank, places, strict=True)
    ]
    like = next(m for m in found if m is not None)
    maps = [torch.zeros_like(like) if m is None else m for m in found]  # an empty slice of a volume has none
    stacked = torch.stack(maps, dim=like.ndim - 3)  # behind the set axis, if there is one
    return stacked.reshape(*stacked.shape[: like.ndim - 3], *batch, *k.shape[COIL:READOUT], *shape)


def _own(options: dict[str, Any], index: tuple[int, ...]) -> dict[str, Any]:
    return {name: float(v[index]) if isinstance(v, Tensor) else v for name, v in options.items()}
