"""Images to train on, without any download: one file per family, and the table of families."""

from __future__ import annotations

from collections.abc import Callable

from torch import Generator, Tensor

from ...phantoms import CONTRASTS, anatomy
from ..draw import pick
from .layers import layers
from .leaves import leaves
from .lines import lines
from .photographs import read_photographs
from .slices import Slices, read_slices

__all__ = ["FAMILIES", "HELD_OUT", "Family", "Slices", "read_photographs", "read_slices"]

Family = Callable[[tuple[int, int], Generator], Tensor]


def _head(shape: tuple[int, int], generator: Generator) -> Tensor:
    return anatomy(shape, generator, pick(generator, tuple(CONTRASTS)), z=40.0 * (pick(generator, (-1, 0, 1))))


# (y, x), generator -> magnitude (y, x), about 0 to 1
FAMILIES: dict[str, Family] = {"leaves": leaves, "layers": layers, "lines": lines}

# Never trained on: what validation asks of a network is to go beyond the families it has seen.
HELD_OUT: dict[str, Family] = {"head": _head}
