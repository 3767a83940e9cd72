"""The proximal optimised gradient method."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .iterate import Iterate, relative_change


def pogm(
    gradient: Callable[[Tensor], Tensor],
    prox: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    step: float | Tensor,
    dot: Callable[[Tensor, Tensor], Tensor],
) -> Iterator[Iterate]:
    """Minimise f(x) + g(x) for smooth f; yields an iterate for each gradient, without end.

        theta_next = (1 + sqrt(1 + 4 theta^2)) / 2,  beta = (theta - 1) / theta_next,  gamma = theta / theta_next
        y = x - step grad f(x)
        z = y + beta (y - y_before) + gamma (y - x) + beta step / zeta (z - x)
        zeta = step (1 + beta + gamma)
        x = prox(z, zeta)

    from y = z = x and theta = zeta = 1. The bound on its error is half of that of FISTA. With
    G = grad f(x_before) + (z - x) / zeta and s = x_before - step G, an entry where <G, s - s_before> > 0 begins its
    momentum anew: theta = 1. The last iteration of the papers has a larger theta; here none is known to be the last.

    References: Exact worst-case performance of first-order methods for composite convex optimization, Taylor, Hendrickx
    and Glineur, 2017, doi:10.1137/16M108104X; Adaptive restart of the optimized gradient method for convex
    optimization, Kim and Fessler, 2018, doi:10.1007/s10957-018-1287-4.

    Args:
        gradient: of f, acting on each entry on its own.
        prox: (v, t) -> argmin_u t g(u) + 1/2 ||u - v||^2, with a t for each entry as ``dot`` shapes it.
        x: where to start, one or more entries.
        step: 1 / L or less, L being the Lipschitz constant of the gradient: a number, or one for each entry.
        dot: real inner products, one for each entry, shaped to broadcast against x.
    """
    y = z = s = x
    theta = zeta = torch.ones_like(dot(x, x))
    while True:
        theta_before, theta = theta, (1 + (1 + 4 * theta.square()).sqrt()) / 2
        beta, gamma = (theta_before - 1) / theta, theta_before / theta
        slope = gradient(x)
        y_before, y = y, x - step * slope
        z = y + beta * (y - y_before) + gamma * (y - x) + beta * step / zeta * (z - x)
        zeta = step * (1 + beta + gamma)
        x_before, x = x, prox(z, zeta)
        G = slope + (z - x) / zeta
        s_before, s = s, x_before - step * G
        theta = torch.where(dot(G, s - s_before) > 0, torch.ones_like(theta), theta)
        yield Iterate(x, relative_change(x, x_before, dot))
