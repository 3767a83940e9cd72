"""Conjugate gradients for Hermitian positive (semi)definite equations."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from .iterate import Iterate


def conjugate_gradients(
    A: Callable[[Tensor], Tensor],
    b: Tensor,
    dot: Callable[[Tensor, Tensor], Tensor],
    tolerance: float = 0.0,
    precondition: Callable[[Tensor], Tensor] | None = None,
) -> Iterator[Iterate]:
    """Solve A x = b, starting at 0; yields an iterate for each application of A, without end.

        alpha = <r, z> / <p, A p>,  x += alpha p,  r -= alpha A p,  z = C^-1 r,  p = z + (<r, z> / <r, z>_before) p

    An entry of the batch stands still once its residual is at or below ``tolerance``: what happens to it does not
    depend on its neighbours. The caller decides when to stop.

    Reference: Methods of conjugate gradients for solving linear systems, Hestenes and Stiefel, 1952,
    doi:10.6028/jres.049.044.

    Args:
        A: linear, Hermitian, positive semidefinite, acting on each entry on its own.
        b: right-hand side, one or more entries.
        dot: real inner products, one for each entry, shaped to broadcast against b.
        tolerance: relative residual at which an entry is done.
        precondition: C^-1, Hermitian positive definite and as near to A^-1 as is cheap; None: C = 1.
    """
    x = torch.zeros_like(b)
    r = b
    p = z = _through(precondition, r)
    rr = bb = dot(b, b)
    rz = rr if precondition is None else dot(r, z)
    goal = tolerance**2 * bb
    while True:
        active = rr > goal
        Ap = A(p)
        alpha = _ratio(rz, dot(p, Ap), active)
        x = _add(x, alpha, p)
        r = _add(r, -alpha, Ap)
        rr = torch.where(active, dot(r, r), rr)
        z = _through(precondition, r)
        rz_before, rz = rz, rr if precondition is None else torch.where(active, dot(r, z), rz)
        p = _add(z, _ratio(rz, rz_before, active), p)
        yield Iterate(x, _ratio(rr, bb, bb > 0).sqrt())


def _through(precondition: Callable[[Tensor], Tensor] | None, r: Tensor) -> Tensor:
    return r if precondition is None else precondition(r)


def _add(x: Tensor, alpha: Tensor, p: Tensor) -> Tensor:
    """The sum x + alpha p for real alpha, in one pass over memory."""
    if not x.is_complex():
        return torch.addcmul(x, alpha, p)
    x, p = torch.view_as_real(x.resolve_conj()), torch.view_as_real(p.resolve_conj())
    return torch.view_as_complex(torch.addcmul(x, alpha[..., None], p))


def _ratio(a: Tensor, b: Tensor, where: Tensor) -> Tensor:
    """Quotient a / b where that is wanted and defined, and 0 elsewhere."""
    where = where & (b > 0)
    return torch.where(where, a / torch.where(where, b, torch.ones_like(b)), torch.zeros_like(a))
