"""Which samples are kept."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """M: k-space to k-space, 0 where not sampled. A projection, so it is its own adjoint.

    Attributes:
        mask: bool, broadcasts to (*batch, coil, ky, kx).
    """

    mask: Tensor

    def forward(self, kspace: Tensor) -> Tensor:
        """M y."""
        return kspace * self.mask

    def adjoint(self, kspace: Tensor) -> Tensor:
        """M^H y = M y."""
        return kspace * self.mask
