"""What a network is trained on: what a scanner gave, and the image behind it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..acquisition import Acquisition
from ..coils import combine, estimate_maps, root_sum_of_squares, soft_support
from ..errors import CalibrationError


@dataclass(frozen=True)
class Sample:
    """A batch to train on, or a single one.

    Attributes:
        acquisition: undersampled k-space (*batch, coil, ky, kx) with maps.
        target: the image to be found, complex (*batch, y, x), in the units of the k-space.
    """

    acquisition: Acquisition
    target: Tensor

    def to(self, device: str | torch.device) -> Sample:
        """The same on another device."""
        return Sample(self.acquisition.to(device), self.target.to(device))


def clean_target(coil_images: Tensor, maps: Tensor) -> Tensor:
    """The image that noise-free coil images make, seen through the maps that a network is given.

        t = sqrt(sum_c |z_c|^2) exp(i arg sum_c conj(s_c) z_c)

    With the true maps that is the image itself; with estimated ones it has their phase, the only one that the network
    can know, and the full magnitude, which is what its image is compared with.

    Args:
        coil_images: z, complex (*batch, coil, y, x).
        maps: s, complex (*batch, coil, y, x).
    """
    return root_sum_of_squares(coil_images) * torch.sgn(combine(coil_images, maps))


def estimated_maps(acquisition: Acquisition) -> Tensor:
    """Maps as methods estimate them from undersampled data: espirit, or walsh with few lines, times the soft support.

    Raises:
        CalibrationError: fewer than two calibration lines.
    """
    try:
        maps = estimate_maps(acquisition, "espirit", outside=1.0)
    except CalibrationError:
        maps = estimate_maps(acquisition, "walsh")
    return maps * soft_support(acquisition)


def stack(samples: list[Sample]) -> Sample:
    """Single samples of one shape and number of coils to a batch; what is known of the noise is that of the first."""
    acquisitions = [s.acquisition for s in samples]
    first = acquisitions[0]
    rows = max(a.mask.shape[-2] for a in acquisitions)
    masks = torch.stack([a.mask.expand(1, rows, a.mask.shape[-1]) for a in acquisitions])
    maps = [a.maps for a in acquisitions if a.maps is not None]
    batch = replace(
        first,
        kspace=torch.stack([a.kspace for a in acquisitions]),
        mask=masks,
        maps=torch.stack(maps) if maps else None,
    )
    return Sample(batch, torch.stack([s.target for s in samples]))
