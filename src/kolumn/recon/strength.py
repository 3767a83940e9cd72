"""Regularisation strength, in units that come with the data."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from ..acquisition import Acquisition
from ..errors import ArgumentError

UNITS = ("sigma", "max")


class Strength(NamedTuple):
    """lambda = value * unit of the data.

    Attributes:
        value: a number >= 0.
        unit: "sigma", the standard deviation of the noise of a coil; "max", the largest magnitude of A^H y; or "",
            which is sigma where the noise is known and max where it is not.
    """

    value: float
    unit: str = ""


def parse_strength(lam: str | float) -> Strength | None:
    """``0.002``, ``"1.5sigma"`` or ``"0.002max"`` to a strength; None for ``"auto"``.

    Raises:
        ArgumentError: anything else, or a negative number.
    """
    if lam == "auto":
        return None
    text = str(lam).strip()
    unit = next((u for u in UNITS if text.endswith(u)), "")
    try:
        value = float(text.removesuffix(unit))
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ArgumentError(f'lam is {lam!r}; wanted "auto", or a number >= 0, alone or as in "1.5sigma" or "0.002max"')
    return Strength(value, unit)


def unit_of(strength: Strength | None, acquisition: Acquisition) -> str:
    """The unit of a strength: its own, or what the acquisition allows.

    Raises:
        ArgumentError: sigma, and the noise is not known.
    """
    known = acquisition.noise is not None and bool(acquisition.noise.diagonal().real.mean() > 0)
    unit = strength.unit if strength is not None and strength.unit else ("sigma" if known else "max")
    if unit == "sigma" and not known:
        raise ArgumentError("lam is in units of sigma and the noise is not known; whiten first, or give it in max")
    return unit


def unit_size(unit: str, acquisition: Acquisition, largest: float) -> float:
    """What one unit is for this acquisition.

    Args:
        unit: of UNITS.
        acquisition: one with a noise covariance, for "sigma".
        largest: the largest magnitude of A^H y.
    """
    if unit == "max":
        return largest
    assert acquisition.noise is not None
    return float(torch.sqrt(acquisition.noise.diagonal().real.mean()))
