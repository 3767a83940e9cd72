"""What images are scored against."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ..acquisition import Acquisition
from ..nn.level import noise_level
from ..recon import ZeroFilled
from ..recon.prepare import finish
from ..shapes import COIL


def root_sum_of_squares(whole: Acquisition) -> Tensor:
    """Root sum of squares of the coil images (the magnitude, for one coil), noise and all."""
    return finish(ZeroFilled()(whole), whole).abs()


def unbiased(whole: Acquisition) -> Tensor:
    """The same less its noise floor: sqrt(max(r^2 - n sigma^2, 0)).

    Noise adds n sigma^2 to the mean of r^2, n being the number of coils, so that air is grey in r. A method that takes
    noise away is right there, and scored as wrong; SSIM looks at air as at all else.

    Reference: The Rician distribution of noisy MRI data, Gudbjartsson and Patz, 1995, doi:10.1002/mrm.1910340618.

    Args:
        whole: all of k-space (*batch, coil, ky, kx), from which sigma is taken where no noise scan says it.
    """
    return (root_sum_of_squares(whole).square() - noise_floor(whole).square()).clamp_min(0).sqrt()


def noise_floor(whole: Acquisition) -> Tensor:
    """sqrt(n) sigma, the root mean square of a root sum of squares where there is no signal, (*batch, 1, 1)."""
    return whole.kspace.shape[COIL] ** 0.5 * noise_level(whole)


REFERENCES: dict[str, Callable[[Acquisition], Tensor]] = {"rss": root_sum_of_squares, "unbiased": unbiased}
