"""What images are scored against."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ..acquisition import Acquisition
from ..nn.level import noise_level
from ..recon import ZeroFilled
from ..recon.prepare import finish
from ..shapes import COIL

_PARTS = 8  # of the image along each axis: the size of what may be its darkest part
_FAR_BELOW = 0.5  # in noise it is 0.6 to 1 times the floor: filters of the receiver darken the rim


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
    """The root mean square of a root sum of squares where there is no signal: sqrt(n) sigma, (*batch, 1, 1).

    sigma comes from the ends of the readout, where sharp edges of a phantom without noise have signal, too. Noise of
    that strength would be everywhere in the image; where the darkest part of it is far below, that is the floor.

    Args:
        whole: all of k-space (*batch, coil, ky, kx).
    """
    floor = whole.kspace.shape[COIL] ** 0.5 * noise_level(whole)
    image = root_sum_of_squares(whole)
    size = [max(1, n // _PARTS) for n in image.shape[-2:]]
    power = image.square().reshape(-1, 1, *image.shape[-2:])
    darkest = avg_pool2d(power, size, [-(-n // 2) for n in size]).amin((-2, -1)).sqrt().reshape(floor.shape)
    return torch.where(darkest < _FAR_BELOW * floor, darkest, floor)


REFERENCES: dict[str, Callable[[Acquisition], Tensor]] = {"rss": root_sum_of_squares, "unbiased": unbiased}
