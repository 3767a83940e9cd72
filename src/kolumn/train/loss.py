"""What training makes small."""

from __future__ import annotations

import torch
from torch import Tensor

from ..shapes import PLANE

_SMALL = 1e-4  # a relative error that is as good as none


def relative_error(image: Tensor, target: Tensor) -> Tensor:
    """The mean over the batch of half the relative error in each of two norms.

        L = mean over the batch of e,   e = 1/2 (||x - t||_2 / ||t||_2 + ||x - t||_1 / ||t||_1)

    The 2-norm is what PSNR looks at; the 1-norm keeps what is faint, and air, clean. Each image counts alike, however
    bright.

    Args:
        image: x, complex (*batch, y, x).
        target: t, the same.
    """
    return _errors(image, target).mean()


def log_error(image: Tensor, target: Tensor) -> Tensor:
    """The mean over the batch of log(e + 1e-4), e as in :func:`relative_error`: what training descends.

    A tenth less error counts alike at 2 % and at 30 %, as it does in decibels. Else single coils at 8x decide what is
    learned, and many coils at 2x, which are all but solved, have no say.

    Args:
        image: x, complex (*batch, y, x).
        target: t, the same.
    """
    return (_errors(image, target) + _SMALL).log().mean()


def _errors(image: Tensor, target: Tensor) -> Tensor:
    error = image - target
    total = torch.zeros(target.shape[:-2], device=target.device, dtype=target.real.dtype)
    for p in (2, 1):
        size = torch.linalg.vector_norm(target, p, dim=PLANE).clamp_min(torch.finfo(target.dtype).tiny)
        total = total + torch.linalg.vector_norm(error, p, dim=PLANE) / size / 2
    return total
