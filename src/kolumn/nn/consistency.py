"""Agreement with the measured data, as a layer through which gradients flow."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Protocol

import torch
from torch import Tensor

from ..shapes import PHASE, PLANE, READOUT
from ..solvers import conjugate_gradients
from .linear import linear

_ROUNDING = 100  # times the machine epsilon
_FAITHFUL, _STEPS = 0.08, 8  # lam, and conjugate gradients, where measured samples are to stay as they are


class Normal(Protocol):
    """What has A^H A."""

    def normal(self, image: Tensor, /) -> Tensor:
        """A^H A x, (set, *batch, y, x)."""


def consistent(
    G: Normal,
    b: Tensor,
    z: Tensor,
    lam: Tensor,
    n_steps: int,
    begin: Tensor | None = None,
    c: Tensor | None = None,
) -> Tensor:
    """The x = argmin 1/2 ||A x - y||^2 + lam/2 ||x - z||^2, by a few conjugate gradients from x = x_0.

        x = x_0 + d,   (A^H A + lam) d = A^H y - A^H A x_0 - lam (x_0 - z)

    Gradients are those of these very steps, not of the solution they approach. An entry stands still once what is left
    is rounding: quotients of that have no gradient worth having, nor always a finite one. A mask that is full takes one
    step, a single coil two; after that the loop ends.

    Reference: MoDL: model-based deep learning architecture for inverse problems, Aggarwal, Mani and Jacob, 2019,
    arXiv:1712.02862.

    Args:
        G: A^H A.
        b: A^H y, complex (set, *batch, y, x).
        z: of the same shape.
        lam: > 0, real (1, *batch, 1, 1).
        n_steps: of conjugate gradients, at most; A^H A is applied once more than that.
        begin: x_0 of the same shape; None: z.
        c: the :func:`kolumn.operators.circulant` nearest to A^H A: the conjugate gradients are then preconditioned by
            (c + lam)^(1/2) in k-space; None: they are not.
    """
    least = _ROUNDING * torch.finfo(b.dtype).eps
    x = z if begin is None else begin
    r = b - normal(G, x) - (0 if begin is None else lam * (x - z))
    r = torch.where(dot(r, r) > least**2 * dot(b, b), r, 0)
    C = None if c is None else preconditioner(c, lam)
    steps = conjugate_gradients(lambda v: normal(G, v) + lam * v, r, dot, least, C)
    for step in islice(steps, n_steps):
        if not bool((step.residual > least).any()):
            break
    return x + step.x


def faithful(G: Normal, b: Tensor, z: Tensor, lam: Tensor) -> Tensor:
    """Data consistency with lam = 0.08 at most: where A is a projection, 93 % of each measured sample and 7 % of z's.

    Measured noise stays in the image. What a network learns for its last lam takes it away, for it has learned from
    images without.

    Args:
        G: A^H A.
        b: A^H y, complex (set, *batch, y, x).
        z: of the same shape.
        lam: the learned one, real (1, *batch, 1, 1); it counts where it is smaller.
    """
    return consistent(G, b, z, lam.clamp_max(_FAITHFUL), _STEPS)


def preconditioner(c: Tensor, lam: Tensor) -> Callable[[Tensor], Tensor]:
    """The map of r to F^H (c + lam)^(-1/2) F r.

    The root, since F A^H A F^H is not diagonal: with c + lam itself what was not measured, where c is next to nothing,
    gets more than its share of the first few steps.
    """
    scale = (c + lam).rsqrt()
    dims = (PHASE,) if c.shape[READOUT] == 1 else PLANE
    return lambda r: torch.fft.ifftn(torch.fft.fftn(r, dim=dims) * scale, dim=dims)


def normal(G: Normal, x: Tensor) -> Tensor:
    """A^H A x as a layer."""
    return linear(x, G.normal, G.normal)


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Re <a, b> for each entry: over sets, y and x; (1, *batch, 1, 1)."""
    a, b = torch.view_as_real(a.resolve_conj()), torch.view_as_real(b.resolve_conj())
    return (a * b).sum((0, -3, -2, -1), keepdim=True)[..., 0]
