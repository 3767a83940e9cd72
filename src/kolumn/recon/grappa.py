"""GRAPPA: skipped columns of k-space as linear combinations of their acquired neighbours."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import product

import torch
from torch import Tensor

from ..acquisition import Acquisition
from ..coils import calibration_block, combine, linear_image
from ..errors import ArgumentError, CalibrationError
from ..fourier import ifft2
from ..shapes import COIL, PHASE, READOUT
from .sets import join_sets

Offsets = tuple[int, ...]


@dataclass(frozen=True)
class Grappa:
    """y(c, k) = sum over coils, rows and nearby acquired columns of w y, with w fitted to the calibration lines.

    Each pattern of acquired neighbours has its own weights, w = T S^H (S S^H + lam)^-1, where the columns of S are
    the neighbourhoods found in the calibration lines and those of T the samples in their middle. So any mask of
    whole columns will do, not only a regular one. Two differences from the reference make that work where the gaps are
    wide: every neighbourhood is divided by its own size, so that the loud middle of k-space does not decide alone;
    and lam is the one that predicts the other half of the calibration rows best, for each pattern. Columns outside
    the outermost acquired ones, and in gaps wider than the calibration lines, stay 0 as in zero-filled.
    The coils are joined by root sum of squares, or by maps where the acquisition has them.

    Reference: Generalized autocalibrating partially parallel acquisitions (GRAPPA), Griswold et al., 2002,
    doi:10.1002/mrm.10171.

    Attributes:
        rows: height of the neighbourhood along the readout, samples, odd.
        columns: acquired columns used for a missing one, half on each side.
    """

    rows: int = 5
    columns: int = 2

    def __post_init__(self) -> None:
        if self.rows < 1 or self.rows % 2 == 0:
            raise ArgumentError(f"rows is {self.rows}; wanted an odd number >= 1")
        if self.columns < 2 or self.columns % 2:
            raise ArgumentError(f"columns is {self.columns}; wanted an even number >= 2")

    def __call__(self, acquisition: Acquisition, /) -> Tensor:
        """Acquisition to complex image (*batch, y, x).

        Raises:
            ArgumentError: the mask does not skip whole columns.
            CalibrationError: too few calibration lines for the gaps between the columns.
        """
        filled = self.fill(acquisition)
        if acquisition.maps is None:
            return ifft2(filled.squeeze(COIL)) if acquisition.n_coils == 1 else linear_image(filled).to(filled.dtype)
        maps = acquisition.maps
        sets = maps if maps.ndim > filled.ndim else maps[None]
        return join_sets(torch.stack([combine(ifft2(filled), m) for m in sets]))

    def fill(self, acquisition: Acquisition) -> Tensor:
        """K-space (*batch, coil, ky, kx) with the skipped columns filled in."""
        if not acquisition.columns_only:
            raise ArgumentError("grappa fills whole skipped columns and this mask is two-dimensional; use sense")
        batch = acquisition.kspace.shape[:COIL]
        entries = [self._fill_entry(acquisition.entry(*i)) for i in product(*(range(n) for n in batch))]
        return torch.stack(entries).reshape(acquisition.kspace.shape)

    def _fill_entry(self, entry: Acquisition) -> Tensor:
        acquired = entry.mask.reshape(-1, entry.mask.shape[PHASE]).any(0)
        if bool(acquired.all()) or not bool(torch.count_nonzero(entry.kspace)):
            return entry.kspace
        block = calibration_block(entry, limit=(128, entry.kspace.shape[PHASE]), least=max(3, self.rows))
        if not bool(torch.count_nonzero(block)):
            raise CalibrationError("the calibration lines are all zero; give another file, or use zero-filled")
        block = block / block.abs().max()
        out = entry.kspace.clone()
        neighbours = _windows(entry.kspace, self.rows)
        for offsets, missing in _patterns(acquired, self.columns, block.shape[PHASE]).items():
            weights = _fit(block, offsets, self.rows)
            sources = neighbours[:, :, missing[:, None] + torch.tensor(offsets, device=missing.device)]
            out[..., missing] = torch.einsum("tsor,syxor->tyx", weights, sources)
        return out


def _windows(kspace: Tensor, rows: int) -> Tensor:
    """The ``rows`` samples around each one along the readout, 0 outside: (coil, ky, kx, rows)."""
    padded = torch.nn.functional.pad(kspace, (0, 0, rows // 2, rows // 2))
    return padded.unfold(READOUT, rows, 1)


def _patterns(acquired: Tensor, columns: int, width: int) -> dict[Offsets, Tensor]:
    """Missing columns, grouped by the distances to the acquired ones that will be their sources.

    A pattern has to fit at least twice into the ``width`` calibration columns, so far sources are given up first.
    """
    where = acquired.nonzero().flatten().tolist()
    groups: dict[Offsets, list[int]] = defaultdict(list)
    gaps = False
    for c in (~acquired).nonzero().flatten().tolist():
        left = [x - c for x in where if x < c][-columns // 2 :]
        right = [x - c for x in where if x > c][: columns // 2]
        if not left or not right:
            continue
        gaps = True
        while right[-1] - left[0] > width - 2 and len(left) + len(right) > 2:
            _drop_farthest(left, right)
        if right[-1] - left[0] <= width - 2:
            groups[(*left, *right)].append(c)
    if gaps and not groups:
        raise CalibrationError(
            f"grappa has {width} calibration columns, too few for every gap of this mask; "
            "acquire more of them, lower the acceleration, or use sense"
        )
    return {offsets: torch.tensor(c, device=acquired.device) for offsets, c in groups.items()}


def _drop_farthest(left: list[int], right: list[int]) -> None:
    if len(right) == 1 or (len(left) > 1 and -left[0] > right[-1]):
        left.pop(0)
    else:
        right.pop()


def _fit(block: Tensor, offsets: Offsets, rows: int) -> Tensor:
    """Weights of one pattern, complex (coil to, coil from, offset, row)."""
    n = len(block)
    S, T = _neighbourhoods(block, offsets, rows)
    blocks = max(1, S.shape[-2] // 16)
    half = (torch.arange(S.shape[-2], device=S.device) * 2 * blocks // S.shape[-2]) % 2 == 0
    parts = [_moments(S[:, r].flatten(1), T[:, r].flatten(1)) for r in (half, ~half)]
    lam = _held_out(*parts)
    gram, cross = (a + b for a, b in zip(*(p[:2] for p in parts), strict=True))
    return _solve(gram, cross, lam).reshape(n, n, len(offsets), rows)


def _neighbourhoods(block: Tensor, offsets: Offsets, rows: int) -> tuple[Tensor, Tensor]:
    """S (coil offset row, cy, cx) and T (coil, cy, cx), each place divided by the size of its neighbourhood."""
    cy, cx = block.shape[1:]
    start, end, half = max(0, -offsets[0]), cx - max(0, offsets[-1]), rows // 2
    near = block.unfold(READOUT, rows, 1)  # coil, cy - rows + 1, cx, rows
    S = torch.stack([near[:, :, start + o : end + o] for o in offsets], dim=1).permute(0, 1, 4, 2, 3).flatten(0, 2)
    T = block[:, half : cy - half, start:end]
    energy = S.abs().square().mean(0)
    size = (energy + 0.01 * energy.mean()).sqrt()
    return S / size, T / size


def _moments(S: Tensor, T: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """S S^H, T S^H and the energy of T, in units of the mean energy of S."""
    gram = S @ S.mH
    scale = gram.diagonal().real.mean()
    return gram / scale, T @ S.mH / scale, T.abs().square().sum() / scale


def _held_out(first: tuple[Tensor, Tensor, Tensor], second: tuple[Tensor, Tensor, Tensor]) -> float:
    """The lam whose weights from one half predict the other half best, both ways."""
    lams = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
    errors = [_prediction_error(first, second, lam) + _prediction_error(second, first, lam) for lam in lams]
    return lams[errors.index(min(errors))]


def _prediction_error(train: tuple[Tensor, Tensor, Tensor], test: tuple[Tensor, Tensor, Tensor], lam: float) -> float:
    """||T - w S||^2 / ||T||^2 from the moments alone."""
    w = _solve(train[0], train[1], lam)
    gram, cross, energy = test
    error = energy + ((w @ gram) * w.conj()).sum().real - 2 * (w * cross.conj()).sum().real
    return float(error / energy)


def _solve(gram: Tensor, cross: Tensor, lam: float) -> Tensor:
    """Weights cross (gram + lam mean(diag gram))^-1."""
    ridge = lam * gram.diagonal().real.mean() * torch.eye(len(gram), dtype=gram.dtype, device=gram.device)
    return torch.linalg.solve(gram + ridge, cross, left=False)
