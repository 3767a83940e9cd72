"""Accelerated proximal gradient steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .iterate import Iterate, relative_change


def fista(
    gradient: Callable[[Tensor], Tensor],
    prox: Callable[[Tensor, float | Tensor], Tensor],
    x: Tensor,
    step: float | Tensor,
    dot: Callable[[Tensor, Tensor], Tensor],
) -> Iterator[Iterate]:
    """Minimise f(x) + g(x) for smooth f; yields an iterate for each gradient, without end.

        x = prox(y - step grad f(y), step)
        theta = 1 for entries with <y - x, x - x_before> > 0
        theta_next = (1 + sqrt(1 + 4 theta^2)) / 2
        y = x + (theta - 1) / theta_next (x - x_before)

    from y = x and theta = 1. The second line restarts the momentum of an entry that has begun to go uphill.

    References: A fast iterative shrinkage-thresholding algorithm for linear inverse problems, Beck and Teboulle, 2009,
    doi:10.1137/080716542; Adaptive restart for accelerated gradient schemes, O'Donoghue and Candes, 2015,
    doi:10.1007/s10208-013-9150-3.

    Args:
        gradient: of f, acting on each entry on its own.
        prox: (v, t) -> argmin_u t g(u) + 1/2 ||u - v||^2.
        x: where to start, one or more entries.
        step: 1 / L or less, L being the Lipschitz constant of the gradient: a number, or one for each entry.
        dot: real inner products, one for each entry, shaped to broadcast against x.
    """
    y = x
    theta = torch.ones_like(dot(x, x))
    while True:
        x_before, x = x, prox(y - step * gradient(y), step)
        change = x - x_before
        theta = torch.where(dot(y - x, change) > 0, torch.ones_like(theta), theta)
        theta_before, theta = theta, (1 + (1 + 4 * theta.square()).sqrt()) / 2
        y = x + (theta_before - 1) / theta * change
        yield Iterate(x, relative_change(x, x_before, dot))
