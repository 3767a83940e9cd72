"""Total variation and its proximal map."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..operators.gradient import Gradient
from ..shapes import PLANE
from .shrink import clip, magnitude


def total_variation(x: Tensor, isotropic: bool = True, weight: float | Tensor = 1.0) -> Tensor:
    """TV(x) = sum over pixels of c |D x|, D being periodic forward differences along y and x.

    |D x| is the length of both, sqrt(|d_y|^2 + |d_x|^2), or without ``isotropic`` |d_y| + |d_x|.

    Reference: Nonlinear total variation based noise removal algorithms, Rudin, Osher and Fatemi, 1992,
    doi:10.1016/0167-2789(92)90242-F.

    Args:
        x: image (..., y, x).
        isotropic: which of the two.
        weight: c of each pixel, a number or real (y, x).

    Returns:
        Tensor: real (...).
    """
    return (weight * magnitude(Gradient().forward(x), _joint(isotropic))).sum((0, *PLANE))


def prox_tv(x: Tensor, t: float | Tensor, iterations: int = 50, isotropic: bool = True) -> Tensor:
    """argmin_u 1/2 ||u - x||^2 + t TV(u), by fast gradient projection on the dual problem.

        r = clip(s + D (x - D^H s) / 8, t),  s = r + (k - 1) / k_next (r - r_before),  u = x - D^H r,

    with k from 1 by k_next = (1 + sqrt(1 + 4 k^2)) / 2. r is t times the dual variable of the paper, so that t = 0
    needs no case of its own. The answer is as exact as ``iterations`` make it.

    Reference: Fast gradient-based algorithms for constrained total variation image denoising and deblurring problems,
    Beck and Teboulle, 2009, doi:10.1109/TIP.2009.2028250; there the differences end at the border.

    Args:
        x: image (..., y, x).
        t: strength >= 0, a number or real (..., 1, 1).
        iterations: steps, at least 0.
        isotropic: see :func:`total_variation`.
    """
    D = Gradient()
    r = s = torch.zeros_like(x).expand(2, *x.shape)
    k = 1.0
    for _ in range(iterations):
        r_before, r = r, clip(s + D.forward(x - D.adjoint(s)) / 8, t, _joint(isotropic))
        k_before, k = k, (1 + math.sqrt(1 + 4 * k * k)) / 2
        s = r + (k_before - 1) / k * (r - r_before)
    return x - D.adjoint(r)


def _joint(isotropic: bool) -> int | None:
    return 0 if isotropic else None
