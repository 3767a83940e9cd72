"""The U-Net as a reconstructor: zero-filled image in, image out."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Generator, Tensor, nn

from ..acquisition import Acquisition
from ..coils import linear_image, root_sum_of_squares
from ..errors import ArgumentError
from ..operators import encoding
from .body import UNetBody
from .channels import from_channels, to_channels
from .checks import require_counts, require_one_set
from .consistency import consistent, faithful
from .level import brightness, noise_level, or_one
from .phase import smooth_phase
from .precision import in_bfloat16


class UNet(nn.Module):
    """x = x_0 + p U(conj(p) x_0, sigma), x_0 being the zero-filled image: A^H y with maps or for one coil, else RSS.

    U is a :class:`UNetBody`, in units of the brightness of each entry's own x_0, and p the smooth phase of x_0. sigma
    is the noise of the data. Neither unit nor phase of the data matter: f(c y, |c| sigma) = c f(y, sigma). The last
    layer starts at 0, so that untrained x = x_0.

    With ``consistency`` the data have the last word, as in :class:`Unrolled`:

        x = argmin 1/2 ||A x - y||^2 + lam/2 ||x - z||^2,   lam = exp(alpha) + exp(beta) sigma^2

    References: U-Net: convolutional networks for biomedical image segmentation, Ronneberger, Fischer and Brox, 2015,
    arXiv:1505.04597; Deep convolutional neural network for inverse problems in imaging, Jin et al., 2017,
    arXiv:1611.03679.

    Args:
        channels: of the first level.
        levels: how often the image is halved.
        norm: a key of NORMS.
        consistency: conjugate gradients of the data consistency at the end; 0: none.
        seed: of the first weights.

    Attributes:
        mixed: whether convolutions compute in bfloat16; all else is in the precision of the data in any case.

    Raises:
        ArgumentError: channels or levels below 1, or another norm.
    """

    NEEDS_MAPS: ClassVar[bool] = True

    def __init__(
        self, channels: int = 32, levels: int = 3, norm: str = "group", consistency: int = 0, seed: int = 0
    ) -> None:
        super().__init__()
        require_counts(channels=channels, levels=levels)
        if consistency < 0:
            raise ArgumentError(f"consistency is {consistency}; wanted 0 or more conjugate gradients")
        self.options = {"channels": channels, "levels": levels, "norm": norm, "consistency": consistency}
        self.multiple, self.consistency, self.mixed = 2**levels, consistency, False
        self.body = UNetBody(3, 2, channels, levels, norm, Generator().manual_seed(seed))
        nn.init.zeros_(self.body.last.weight)
        self.alpha = nn.Parameter(torch.tensor(-3.0)) if consistency else None
        self.beta = nn.Parameter(torch.tensor(4.0)) if consistency else None

    def forward(self, acquisition: Acquisition, /, denoise: bool = True) -> Tensor:
        """Acquisition to complex image (*batch, y, x).

        Args:
            acquisition: k-space, with maps unless it has a single coil.
            denoise: whether lam is the learned one; else it is 0.08 at most.

        Raises:
            ArgumentError: several sets of maps, data consistency for several coils without maps, or ``denoise`` is
                off and there is no data consistency.
        """
        require_one_set(acquisition)
        x = _zero_filled(acquisition)
        scale, p = brightness(x), smooth_phase(x, acquisition.mask)
        sigma = noise_level(acquisition) / or_one(scale)
        image = x * p.conj() / or_one(scale)
        channels = to_channels(image, sigma, multiple=self.multiple, dtype=self.body.last.weight.dtype)
        with in_bfloat16(self.mixed, x.device):
            change = self.body(channels)
        x = x + scale * p * from_channels(change, x)
        if self.alpha is None or self.beta is None:
            if not denoise:
                raise ArgumentError("denoise is off, and this U-Net has no data consistency (consistency=0)")
            return x
        A = encoding(acquisition)
        b, lam = A.adjoint(acquisition.kspace), (self.alpha.exp() + self.beta.exp() * sigma.square())[None]
        x = consistent(A, b, x[None], lam, self.consistency) if denoise else faithful(A, b, x[None], lam)
        return x[0] * root_sum_of_squares(A.coils.maps[0])


def _zero_filled(acquisition: Acquisition) -> Tensor:
    k = acquisition.kspace
    if acquisition.maps is None and acquisition.n_coils > 1:
        return linear_image(k).to(k.dtype)
    return encoding(acquisition).adjoint(k)[0]
