"""The unrolled network with its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from .learned import Learned


@dataclass(frozen=True, kw_only=True)
class LearnedUnrolled(Learned):
    """Denoiser and data consistency in turns, by :class:`kolumn.nn.Unrolled`; or fastMRI's E2E-VarNet.

    Attributes:
        weights: see :class:`Learned`, as are the others.
    """

    METHOD: ClassVar[str] = "unrolled"
