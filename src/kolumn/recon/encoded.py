"""What is known of an encoding operator, whatever the data: entries with the same maps and mask share it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from ..acquisition import Acquisition
from ..operators import Condensed, Encoding, condensed, encoding
from ..operators.uncentred import Uncentred
from ..shapes import COIL, PHASE
from .kspace_metric import Metric, find_metric


@dataclass(frozen=True)
class Encoded:
    """The encoding operator of an entry, and what was found out about it.

    Attributes:
        A: the operator.
        G: A^H A, with fewer coils where that comes to the same.
        alike: whether there is one coil that sees everything alike, so that A^H A = |maps|^2 F^H M F.
    """

    A: Encoding
    G: Uncentred | Condensed
    alike: bool

    @cached_property
    def metric(self) -> Metric | None:
        """Of k-space, for one image in several coils, all with the same columns skipped; else None."""
        maps, mask = self.A.coils.maps, self.A.sampling.mask
        columns = self.A.uncentred.dims == (PHASE,) and mask.numel() == maps.shape[PHASE]
        return find_metric(self.A.uncentred) if columns and maps.ndim == 4 and not self.alike else None


def encode(acquisition: Acquisition) -> Encoded:
    """The operator of one entry, and what there is to find out about it at once."""
    A = encoding(acquisition)
    return Encoded(A, condensed(A.uncentred), _alike(A.coils.maps))


def _alike(maps: Tensor) -> bool:
    return maps.shape[0] == maps.shape[COIL] == 1 and bool((maps == maps.flatten()[0]).all())
