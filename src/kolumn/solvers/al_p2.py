"""Alternating directions for a quadratic data term and a penalty, with every step in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]
MU = 0.05  # found best, or close to it, for 4 and 8-fold undersampling of 8 coils


class SplitIterate(NamedTuple):
    """State after an iteration, valid until the next one is asked for; enough to go on from.

    Attributes:
        x: the solution so far.
        residual: relative change ||x - x_before|| / ||x||, a scalar.
        U: relaxed average of x - A^H A x.
        V: A^H v, v being the copy of A x.
        h: z + e, the copy of K x and its scaled multiplier.
    """

    x: Tensor
    residual: Tensor
    U: Tensor
    V: Tensor
    h: Tensor


def start_split(normal: Map | None, K: Map, x: Tensor) -> SplitIterate:
    """The state in which both copies agree with x."""
    Gx = torch.zeros_like(x) if normal is None else normal(x)
    return SplitIterate(x, torch.ones((), dtype=x.real.dtype, device=x.device), x - Gx, Gx, K(x))


def al_p2(
    normal: Map | None,
    b: Tensor,
    K: Map,
    KH: Map,
    invert: Map,
    prox: Map,
    state: SplitIterate,
    rho: float,
    mu: float = MU,
    relaxation: float = 1.8,
) -> Iterator[SplitIterate]:
    """Minimise 1/2 ||A x - y||^2 + g(K x) for A^H A <= 1; yields an iterate for each application of A^H A, without end.

    AL-P2 splits v = A x and z = K x. Its step for x needs (mu A^H A + rho K^H K)^-1, a Fourier transform where
    A^H A is a multiple of the identity. It is not, but A = M E with E^H E = 1: E takes the image to *all* of k-space
    in all coils, and in one more that is never sampled, with the map (1 - sum of |maps|^2)^(1/2), where the maps are
    smaller than one. Nothing of that has to be stored. On samples that M leaves out, v is free, so it follows an
    over-relaxed average of E x. On the others the step for v is linear, and what the step for x needs of it is an
    image again. With a = relaxation, all of k-space comes down to two images:

        z = prox_{g / rho}(h)
        x = (mu + rho K^H K)^-1 (b + mu U + (mu - 1) V + rho K^H (2 z - h)),       b = A^H y
        U += a (x - A^H A x - U)
        V += a mu / (1 + mu) (A^H A x - V)
        h += a (K x - z)

    Where A^H A is itself a Fourier transform, as with one coil, v is not needed: without ``normal`` the step for x is
    (A^H A + rho K^H K)^-1 (b + rho K^H (2 z - h)), which is the split Bregman method, and converges faster.

    At a fixed point b - A^H A x = rho K^H (h - z) with rho (h - z) in the subdifferential of g at K x: the minimiser,
    whatever mu, rho and a in (0, 2) are.

    Reference: Parallel MR image reconstruction using augmented Lagrangian methods, Ramani and Fessler, 2011,
    doi:10.1109/TMI.2010.2093536; over-relaxation: Eckstein and Bertsekas, 1992, doi:10.1007/BF01581204.

    Args:
        normal: x -> A^H A x, all eigenvalues from 0 to 1; None where ``invert`` has it.
        b: A^H y, of the shape of x.
        K: linear, x -> z.
        KH: its adjoint.
        invert: r -> (mu + rho K^H K)^-1 r, or (A^H A + rho K^H K)^-1 r.
        prox: h -> argmin_z g(z) / rho + 1/2 ||z - h||^2.
        state: where to begin; see :func:`start_split`. While g / rho stays the same, the state of one g suits another.
        rho: weight of the copy of K x, > 0.
        mu: weight of the copy of the data, > 0.
        relaxation: a, in (0, 2).
    """
    x, U, V, h = state.x, state.U.clone(), state.V.clone(), state.h.clone()
    work = torch.empty_like(h)  # memory that is asked for anew costs more time here than the sums do
    while True:
        z = prox(h)
        r = KH(torch.sub(z, h, out=work).add_(z)).mul_(rho).add_(b)
        if normal is not None:
            r = r.add_(U, alpha=mu).add_(V, alpha=mu - 1)
        x_before, x = x, invert(r)
        if normal is not None:
            Gx = normal(x)
            _towards(V, Gx, relaxation * mu / (1 + mu))
            _towards(U, torch.sub(x, Gx, out=Gx), relaxation)
        h.add_(torch.sub(K(x), z, out=work), alpha=relaxation)
        yield SplitIterate(x, _relative(x, x_before), U, V, h)


def _towards(a: Tensor, b: Tensor, weight: float) -> None:
    """Move a to (1 - weight) a + weight b; on real numbers, which is much faster."""
    _real(a).lerp_(_real(b), weight)


def _relative(x: Tensor, before: Tensor) -> Tensor:
    change, size = _energy(x - before), _energy(x)
    return torch.where(size > 0, change / size, torch.zeros_like(size)).sqrt()


def _energy(x: Tensor) -> Tensor:
    flat = _real(x).flatten()
    return torch.dot(flat, flat)


def _real(x: Tensor) -> Tensor:
    return torch.view_as_real(x) if x.is_complex() else x
