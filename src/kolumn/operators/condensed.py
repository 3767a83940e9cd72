"""A^H A with fewer coils, where those of a row are nearly dependent."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..shapes import COIL, PHASE, READOUT
from .coils import Coils
from .uncentred import CACHED, Uncentred, by_rows

_NEGLIGIBLE = 1000  # times the rounding error of a number: the squared magnitude that left-out maps may have
_WORTH = 0.95  # of the coils: with more left, it stays as it was
_TILE = 32  # rows that get the same number of coils


@dataclass(frozen=True)
class Condensed:
    """G, which is A^H A but for next to nothing; see :func:`condensed`.

    Attributes:
        blocks: rows and A of them, with their coils.
    """

    blocks: tuple[tuple[slice, Uncentred], ...]

    def normal(self, image: Tensor) -> Tensor:
        """G x."""
        everything = slice(None)
        parts = [(rows, A.part(everything, everything)) for rows, A in self.blocks]
        return by_rows(image, self.blocks[0][1].coils.maps, parts)


def condensed(A: Uncentred) -> Uncentred | Condensed:
    """A^H A with as few coils as each row needs, for a mask of whole columns; else, or where that is all of them, A.

    With whole columns skipped rows are independent, and a unitary mix V of the coils of a row leaves A^H A as it is,
    since one mask is for all coils. The maps s (coil, x) of a row are smooth, so that few eigenvectors of s s^H hold
    nearly all of them: with those as V, the last rows of V^H s are next to nothing. Left out are as many of them as
    have squared magnitudes that sum to at most 1000 eps at every pixel of the row, eps being the rounding error of a
    number. Hence, in complex64,

        0 <= A^H A - G <= 1000 eps = 1.2e-4

    and on scans of 7 and 8 coils ||A^H A x - G x|| was 4e-6 to 2e-5 of ||A^H A x||.

    Reference: Coil compression for accelerated imaging with Cartesian sampling, Zhang, Pauly, Vasanawala and Lustig,
    2013, doi:10.1002/mrm.24267.
    """
    maps, mask = A.coils.maps, A.centred_mask
    n_sets, n_coils, plane = maps.shape[0], maps.shape[COIL], maps.shape[READOUT:]
    one_mask = mask.ndim < 3 or mask.shape[COIL] == 1
    one_image = maps.numel() == n_sets * n_coils * plane.numel()
    if A.dims != (PHASE,) or not one_mask or not one_image or n_coils == 1:
        return A
    rows = maps.reshape(n_sets, n_coils, *plane).permute(2, 1, 0, 3).flatten(2)  # (y, coil, set and x)
    _, V = torch.linalg.eigh(rows @ rows.mH)
    mixed = (V.mH @ rows).unflatten(2, (n_sets, -1)).permute(2, 1, 0, 3)  # maps, the weakest coil first
    need = _needed(mixed)
    if float(need.sum()) > _WORTH * n_coils * len(need):
        return A
    shape = (n_sets, *maps.shape[1:COIL])
    blocks = _blocks(need.tolist(), n_sets * plane[1])
    return Condensed(tuple((rows, Uncentred(Coils(_part(mixed, n, rows, shape)), mask)) for rows, n in blocks))


def _part(mixed: Tensor, n: int, rows: slice, shape: tuple[int, ...]) -> Tensor:
    """The strongest n coils of some rows, with the axes of the batch."""
    kept = mixed[:, -n:, rows]
    return kept.reshape(*shape, *kept.shape[1:]).contiguous()


def _needed(mixed: Tensor) -> Tensor:
    """How many coils each row needs, at least one, of maps (set, coil, y, x) with the weakest first."""
    limit = _NEGLIGIBLE * torch.finfo(mixed.dtype).eps
    n_coils = mixed.shape[COIL]
    seen = mixed.real.new_zeros(mixed.shape[READOUT:])
    need = torch.full(seen.shape[:1], n_coils, device=seen.device)
    for coil in range(n_coils - 1):
        seen += torch.view_as_real(mixed[:, coil]).square().sum((0, -1))  # far faster than abs
        negligible = seen.amax(-1) <= limit
        if not bool(negligible.any()):
            break
        need -= negligible.long()
    return need


def _blocks(need: list[int], size: int) -> list[tuple[slice, int]]:
    """Rows and their number of coils; neighbours with the same one together, as long as they stay in the cache."""
    blocks: list[tuple[slice, int]] = []
    for start in range(0, len(need), _TILE):
        tile = need[start : start + _TILE]
        n, end = max(tile), start + len(tile)
        if blocks and blocks[-1][1] == n and (end - blocks[-1][0].start) * n * size <= CACHED:
            blocks[-1] = slice(blocks[-1][0].start, end), n
        else:
            blocks.append((slice(start, end), n))
    return blocks
