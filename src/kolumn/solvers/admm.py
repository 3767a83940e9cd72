"""The alternating direction method of multipliers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .iterate import Iterate, relative_change

_RATIO, _FACTOR = 10.0, 2.0  # how unlike the residuals of an entry may be, and what to do about it: Boyd et al., 3.4.1


def admm(
    solve: Callable[[Tensor, Tensor], Tensor],
    K: Callable[[Tensor], Tensor],
    KH: Callable[[Tensor], Tensor],
    prox: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    rho: float | Tensor,
    dot: Callable[[Tensor, Tensor], Tensor],
    dot_z: Callable[[Tensor, Tensor], Tensor],
    relaxation: float = 1.0,
    balance: int = 50,
) -> Iterator[Iterate]:
    """Minimise f(x) + g(K x); yields an iterate for each ``solve``, without end.

        x = solve(z - w, rho)
        h = relaxation K x + (1 - relaxation) z
        z = prox(h + w, 1 / rho)
        w = w + h - z

    from z = K x and w = 0. During the first ``balance`` iterations rho doubles in entries where the primal residual
    ||K x - z|| is more than 10 times the dual one, rho ||K^H (z - z_before)||, and is halved in those where it is the
    other way round; w, which is the multiplier over rho, goes the other way. It must come to an end, or else there is
    no proof of convergence.

    References: Distributed optimization and statistical learning via the alternating direction method of multipliers,
    Boyd et al., 2011, doi:10.1561/2200000016; over-relaxation: Eckstein and Bertsekas, 1992, doi:10.1007/BF01581204.

    Args:
        solve: (v, rho) -> argmin_x f(x) + rho/2 ||K x - v||^2, with a rho for each entry as ``dot`` shapes it.
        K: linear, acting on each entry on its own.
        KH: its adjoint.
        prox: (v, t) -> argmin_z t g(z) + 1/2 ||z - v||^2, with a t for each entry.
        x: where to start, one or more entries.
        rho: weight of K x = z to begin with, > 0: a number, or one for each entry.
        dot: real inner products of x, one for each entry, shaped to broadcast against x and against K x.
        dot_z: the same for K x, of the same shape.
        relaxation: in (0, 2); 1.5 to 1.8 is often faster than 1.
        balance: iterations that may change rho; 0: it stays.
    """
    z = K(x)
    w = torch.zeros_like(z)
    rho = rho * torch.ones_like(dot(x, x))
    iteration = 0
    while True:
        iteration += 1
        x_before, x = x, solve(z - w, rho)
        Kx = K(x)
        h = relaxation * Kx + (1 - relaxation) * z
        z_before, z = z, prox(h + w, 1 / rho)
        w = w + h - z
        yield Iterate(x, relative_change(x, x_before, dot))
        if iteration <= balance:
            primal, dual = Kx - z, rho * KH(z - z_before)
            factor = _balanced(dot_z(primal, primal), dot(dual, dual))
            rho, w = rho * factor, w / factor


def _balanced(primal: Tensor, dual: Tensor) -> Tensor:
    """What to multiply rho by, from the squared residuals."""
    one = torch.ones_like(primal)
    factor = torch.where(primal > _RATIO**2 * dual, _FACTOR * one, one)
    return torch.where(dual > _RATIO**2 * primal, one / _FACTOR, factor)
