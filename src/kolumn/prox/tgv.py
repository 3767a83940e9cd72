"""Second-order total generalised variation and its proximal map."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..operators.gradient import Gradient, SymmetricGradient
from ..shapes import PLANE
from .shrink import clip, magnitude

ALPHA_1, ALPHA_0 = 1.0, 2.0  # weights of the first and of the second differences, as Knoll et al. have them
_NORM = 12.0  # of (x, w) -> (D x - w, E w), squared: at most (17 + sqrt 33) / 2 = 11.4


def total_generalized_variation(x: Tensor, w: Tensor, weight: float | Tensor = 1.0) -> Tensor:
    """TGV(x) = min over w of alpha_1 ||D x - w||_{2,1} + alpha_0 ||E w||_{2,1}; this is the value at a given w.

    Images that rise evenly cost nothing inside, where TV turns them into stairs. D and E are periodic differences of
    images and symmetrised ones of vector fields; alpha_1 = 1, alpha_0 = 2.

    References: Total generalized variation, Bredies, Kunisch and Pock, 2010, doi:10.1137/090769521; Second order total
    generalized variation (TGV) for MRI, Knoll et al., 2011, doi:10.1002/mrm.22595.

    Args:
        x: image (..., y, x).
        w: vector field (2, ..., y, x).
        weight: how much each pixel counts in both norms, a number or real (y, x).

    Returns:
        Tensor: real (...).
    """
    first = magnitude(Gradient().forward(x) - w, 0)
    second = magnitude(SymmetricGradient().forward(w), 0)
    return (weight * (ALPHA_1 * first + ALPHA_0 * second)).sum((0, *PLANE))


def prox_tgv(x: Tensor, t: float | Tensor, iterations: int = 200) -> tuple[Tensor, Tensor]:
    """The u and w that minimise 1/2 ||u - x||^2 + t (alpha_1 ||D u - w||_{2,1} + alpha_0 ||E w||_{2,1}).

    Primal-dual steps,

        p = clip(p + sigma (D u' - w'), t alpha_1),    u = (u + tau (x - D^H p)) / (1 + tau),    u' = 2 u - u_before,
        q = clip(q + sigma E w', t alpha_0),           w = w + tau (p - E^H q),                  w' = 2 w - w_before

    with tau = sigma = 1 / sqrt 12, from u = x and w = p = q = 0. The answer is as exact as ``iterations`` make it.

    Reference: A first-order primal-dual algorithm for convex problems with applications to imaging, Chambolle and
    Pock, 2011, doi:10.1007/s10851-010-0251-1.

    Args:
        x: image (..., y, x).
        t: strength >= 0, a number or real (..., 1, 1).
        iterations: steps, at least 0.

    Returns:
        tuple: u (..., y, x) and w (2, ..., y, x).
    """
    D, E = Gradient(), SymmetricGradient()
    tau = sigma = 1 / math.sqrt(_NORM)
    u = u_bar = x
    w = w_bar = p = torch.zeros_like(x).expand(2, *x.shape)
    q = torch.zeros_like(x).expand(3, *x.shape)
    for _ in range(iterations):
        p = clip(p + sigma * (D.forward(u_bar) - w_bar), t * ALPHA_1, 0)
        q = clip(q + sigma * E.forward(w_bar), t * ALPHA_0, 0)
        u_before, u = u, (u + tau * (x - D.adjoint(p))) / (1 + tau)
        w_before, w = w, w + tau * (p - E.adjoint(q))
        u_bar, w_bar = 2 * u - u_before, 2 * w - w_before
    return u, w
