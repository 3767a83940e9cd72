"""The unrolled network: a small denoiser and data consistency in turns."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from ..acquisition import Acquisition
from ..errors import ArgumentError
from .channels import from_channels, to_channels
from .checks import require_counts
from .consistency import consistent, faithful
from .denoiser import Denoiser
from .precision import in_bfloat16
from .start import start


class Unrolled(nn.Module):
    """A few steps of SENSE, then cascades of a denoiser D_i and of data consistency, i = 1 .. n_cascades.

        z = x + p D_i(conj(p) x, sigma)
        x = argmin 1/2 ||A x - y||^2 + lam_i/2 ||x - z||^2,   lam_i = exp(alpha_i) + exp(beta_i) sigma^2

    The second line is a few conjugate gradients with the encoding operator itself, which is why any number of coils,
    any mask and any matrix will do. The first cascades take most of them: later ones learn a larger lam_i, with which
    they converge faster. sigma is the noise of the data, x, y and sigma being in units of the brightness of
    the first x, and p is the smooth phase of that; alpha_i and beta_i are learned. Neither unit nor phase of the data
    matter: f(c y, |c| sigma) = c f(y, sigma) for complex c.

    References: MoDL: model-based deep learning architecture for inverse problems, Aggarwal, Mani and Jacob, 2019,
    arXiv:1712.02862; Learning a variational network for reconstruction of accelerated MRI data, Hammernik et al., 2018,
    arXiv:1704.00447.

    Args:
        n_cascades: how often both are done.
        channels: of the denoisers' first level.
        levels: how often they halve the image.
        n_steps: conjugate gradients of the first data consistency.
        n_last: those of the last; in between they change evenly.
        n_again: how many cascades before the last are done a second time before it, if there are so many, with the
            denoisers that they have and penalties of their own.
        n_start: conjugate gradients of SENSE to begin with.
        seed: of the first weights.

    Attributes:
        mixed: whether convolutions compute in bfloat16; all else is in the precision of the data in any case.

    Raises:
        ArgumentError: an option below 1, n_again below 0.
    """

    NEEDS_MAPS: ClassVar[bool] = True

    def __init__(
        self,
        n_cascades: int = 6,
        channels: int = 16,
        levels: int = 3,
        n_steps: int = 12,
        n_last: int = 2,
        n_again: int = 2,
        n_start: int = 5,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.options = {
            "n_cascades": n_cascades,
            "channels": channels,
            "levels": levels,
            "n_steps": n_steps,
            "n_last": n_last,
            "n_start": n_start,
        }
        require_counts(**self.options)
        self.options["n_again"] = n_again
        if n_again < 0:
            raise ArgumentError(f"n_again is {n_again}; wanted 0 or more")
        self.order = [*range(n_cascades - 1), *range(max(0, n_cascades - 1 - n_again), n_cascades)]
        n = len(self.order)
        self.n_steps = [round(n_steps - i * (n_steps - n_last) / max(1, n - 1)) for i in range(n)]
        self.n_start, self.multiple, self.mixed = n_start, 2**levels, False
        generator = Generator().manual_seed(seed)
        self.denoisers = nn.ModuleList(Denoiser(3, 2, channels, levels, generator) for _ in range(n_cascades))
        self.alpha = nn.Parameter(torch.full((n,), -3.0))
        self.beta = nn.Parameter(torch.full((n,), 4.0))

    @staticmethod
    def completed(options: dict[str, int]) -> dict[str, int]:
        """Options with those that files from before there were n_last and n_again do not have."""
        return {"n_last": options["n_steps"], "n_again": 0, **options}

    def forward(self, acquisition: Acquisition, /, denoise: bool = True) -> Tensor:
        """Acquisition to complex image (*batch, y, x).

        Args:
            acquisition: k-space, with maps unless it has a single coil.
            denoise: whether the last lam_i is the learned one, which asks less for the data the noisier they are; else
                it is 0.08 at most.

        Raises:
            ArgumentError: several coils without maps, or several sets of maps.
        """
        G, b, x, p, sigma, scale, seen, _ = start(acquisition, self.n_start)
        last = len(self.order) - 1
        cascades = zip(self.order, self.alpha.exp(), self.beta.exp(), self.n_steps, strict=True)
        for number, (i, alpha, beta, n_steps) in enumerate(cascades):
            channels = to_channels(x * p.conj(), sigma, multiple=self.multiple, dtype=alpha.dtype)
            with in_bfloat16(self.mixed, x.device):
                change = self.denoisers[i](channels)
            z = x + p * from_channels(change, x)
            lam = alpha + beta * sigma.square()
            x = faithful(G, b, z, lam) if number == last and not denoise else consistent(G, b, z, lam, n_steps)
        return (x * scale)[0] * seen
