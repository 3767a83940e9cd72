"""One image from the images of several sets of maps."""

from __future__ import annotations

import torch
from torch import Tensor


def join_sets(images: Tensor) -> Tensor:
    """Root sum of squares over the sets, with the phase of the strongest: (set, *batch, y, x) to (*batch, y, x).

    With two sets the second holds what wraps around; both belong into the picture.
    """
    if images.shape[0] == 1:
        return images[0]
    magnitude = images.abs()
    strongest = images.gather(0, magnitude.argmax(0, keepdim=True))[0]
    return magnitude.square().sum(0).sqrt() * torch.sgn(strongest)
