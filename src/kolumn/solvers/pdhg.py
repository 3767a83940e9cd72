"""Primal-dual steps for problems that no inner equation should be solved for."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from .iterate import Iterate, relative_change

Map = Callable[[Tensor], Tensor]
Prox = Callable[[Tensor, float | Tensor], Tensor]


def pdhg(
    K: Map,
    KH: Map,
    prox_dual: Prox,
    x: Tensor,
    u: Tensor,
    tau: float | Tensor,
    sigma: float | Tensor,
    dot: Callable[[Tensor, Tensor], Tensor],
    gradient: Map | None = None,
    prox: Prox | None = None,
    relaxation: float = 1.0,
) -> Iterator[Iterate]:
    """Minimise f(x) + g(x) + h(K x) for smooth f; yields an iterate for each application of K, without end.

        x' = prox(x - tau (grad f(x) + K^H u), tau)
        u' = prox_dual(u + sigma K (2 x' - x), sigma)
        x = x + relaxation (x' - x),  u = u + relaxation (u' - u)

    It converges for 1 / tau - sigma ||K||^2 >= L / 2, L being the Lipschitz constant of the gradient. Without f this is
    the primal-dual hybrid gradient method of Chambolle and Pock.

    References: A primal-dual splitting method for convex optimization involving Lipschitzian, proximable and linear
    composite terms, Condat, 2013, doi:10.1007/s10957-012-0245-9; A splitting algorithm for dual monotone inclusions
    involving cocoercive operators, Vu, 2013, doi:10.1007/s10444-011-9254-8; A first-order primal-dual algorithm for
    convex problems with applications to imaging, Chambolle and Pock, 2011, doi:10.1007/s10851-010-0251-1.

    Args:
        K: linear, acting on each entry on its own.
        KH: its adjoint.
        prox_dual: (v, t) -> argmin_u t h*(u) + 1/2 ||u - v||^2, h* being the convex conjugate of h. By Moreau it is
            v - t prox_{h / t}(v / t); for a norm, the projection onto the unit ball of its dual norm.
        x: where to start, one or more entries.
        u: where the dual variable starts, of the shape of K x.
        tau: step of x, > 0: a number, or one for each entry.
        sigma: step of u, likewise.
        dot: real inner products, one for each entry, shaped to broadcast against x.
        gradient: of f; None: there is no f.
        prox: (v, t) -> argmin_y t g(y) + 1/2 ||y - v||^2; None: there is no g.
        relaxation: in (0, 2) without f, and in (0, 1.5) with it where 1 / tau - sigma ||K||^2 is L or more.
    """
    while True:
        slope = KH(u) if gradient is None else KH(u) + gradient(x)
        x_new = x - tau * slope
        if prox is not None:
            x_new = prox(x_new, tau)
        u_new = prox_dual(u + sigma * K(2 * x_new - x), sigma)
        x_before, x = x, x + relaxation * (x_new - x)
        u = u + relaxation * (u_new - u)
        yield Iterate(x, relative_change(x, x_before, dot))
