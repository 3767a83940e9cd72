"""Locally low rank: series of images in which few things happen at a time in each place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Generator, Tensor

from ..acquisition import Acquisition
from ..errors import ArgumentError
from ..prox import nuclear_norm, prox_low_rank
from ..shapes import COIL
from .compressed import CompressedSensing
from .penalty import Penalty, ProximalPenalty
from .wavelet import random_shift


@dataclass(frozen=True, kw_only=True)
class LocallyLowRank(CompressedSensing):
    """x = argmin 1/2 ||A x - y||^2 + lambda sum over blocks of ||C_b x||_*, for a series of frames.

    C_b x has a row for each pixel of a block and a column for each frame; its nuclear norm is small where the frames
    are combinations of few. The last batch axis holds the frames, (*batch, frame, coil, ky, kx), and their masks
    should differ. Maps are estimated from the mean over the frames. With ``spin`` the grid of blocks is shifted at
    random from iteration to iteration; the objective that is reported is that of the grid at rest.

    References: Local versus global low-rank promotion in dynamic MRI series reconstruction, Trzasko and Manduca, 2011
    (Proc. ISMRM 19:4371); Accelerating parameter mapping with a locally low rank constraint, Zhang, Pauly and Levesque,
    2015, doi:10.1002/mrm.25161.

    Attributes:
        lam: see :class:`CompressedSensing`, as are the others.
        block: rows and columns of a block, pixels.
        spin: whether to shift the grid of blocks.
    """

    SERIES: ClassVar[bool] = True  # the last batch axis is one problem

    block: int = 8
    spin: bool = True
    max_iterations: int = 300

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.block < 1:
            raise ArgumentError(f"block is {self.block}; wanted at least 1 pixel")

    def penalty(self, x: Tensor, weight: Tensor | None = None) -> Penalty:
        """The nuclear norms."""
        return NuclearNorm(self.block, self.seed if self.spin else None)

    def calibrating(self, entry: Acquisition) -> Acquisition:
        """One for all frames: the mean of each sample over the frames that have it."""
        k = entry.kspace
        count = entry.mask.expand(*k.shape[:COIL], *entry.mask.shape[-3:]).sum(0)
        block = None if entry.calibration is None else entry.calibration.mean(0)
        return replace(entry, kspace=k.sum(0) / count.clamp_min(1), mask=count > 0, calibration=block)


class NuclearNorm(ProximalPenalty):
    """g = the sum of nuclear norms."""

    size = 10.0  # noise has singular values of about sqrt(pixels) + sqrt(frames) times its standard deviation

    def __init__(self, block: int, seed: int | None) -> None:
        self._block = block
        self._generator = None if seed is None else Generator().manual_seed(seed)
        self.random = seed is not None

    def value(self, u: Tensor) -> Tensor:
        """Sum of the nuclear norms."""
        return nuclear_norm(u, self._block).sum()

    def prox(self, x: Tensor, t: float) -> Tensor:
        """Singular value thresholding, on the grid of this iteration."""
        return prox_low_rank(x, t, self._block, random_shift(self._generator, self._block))
