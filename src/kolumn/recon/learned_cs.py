"""Compressed sensing with learned thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .learned import Learned


@dataclass(frozen=True, kw_only=True)
class LearnedCompressedSensing(Learned):
    """Wavelets on a nearly real image with thresholds and penalties that were learned, by :class:`kolumn.nn.LearnedCS`.

    Attributes:
        weights: see :class:`Learned`, as are the others.
    """

    METHOD: ClassVar[str] = "learned-cs"
