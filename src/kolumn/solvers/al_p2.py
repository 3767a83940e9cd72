"""Alternating directions for a quadratic data term and a penalty, with every step in closed form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]
MU, RELAXATION = 0.05, 1.8  # found best, or close to it, for 4 and 8-fold undersampling of 8 coils


class SplitIterate(NamedTuple):
    """State after an iteration, valid until the next one is asked for; enough to go on from.

    Attributes:
        x: the solution so far.
        residual: relative change ||x - x_before|| / ||x||, a scalar.
        U: relaxed average of x - A^H A x.
        V: A^H v, v being the copy of A x.
        h: z + e, the copy of K x and its scaled multiplier.
        X: relaxed average of x, transformed, where there is a metric; None: it is x.
    """

    x: Tensor
    residual: Tensor
    U: Tensor
    V: Tensor
    h: Tensor
    X: Tensor | None = None


def start_split(normal: Map | None, K: Map, x: Tensor) -> SplitIterate:
    """The state in which both copies agree with x."""
    Gx = torch.zeros_like(x) if normal is None else normal(x)
    return SplitIterate(x, torch.ones((), dtype=x.real.dtype, device=x.device), x - Gx, Gx, K(x))


def al_p2(normal: Map | None, invert: Map | Metric, steps: Steps, state: SplitIterate) -> Iterator[SplitIterate]:
    """Minimise 1/2 ||A x - y||^2 + g(K x) for A^H A <= 1; yields an iterate for each application of A^H A, without end.

    g is a sum of magnitudes, so that its proximal map shrinks: prox_{g / rho}(h) = s(h) h with real s from 0 to 1.

    AL-P2 splits v = A x and z = K x. Its step for x needs (mu A^H A + rho K^H K)^-1, a Fourier transform where
    A^H A is a multiple of the identity. It is not, but A = M E with E^H E = 1: E takes the image to *all* of k-space
    in all coils, and in one more that is never sampled, with the map (1 - sum of |maps|^2)^(1/2), where the maps are
    smaller than one. Nothing of that has to be stored. On samples that M leaves out, v is free, so it follows an
    over-relaxed average of E x. On the others the step for v is linear, and what the step for x needs of it is an
    image again. With a = relaxation, all of k-space comes down to two images:

        z = s(h) h
        x = (mu + rho K^H K)^-1 (b + mu U + (mu - 1) V + rho K^H (2 z - h)),       b = A^H y
        U += a (x - A^H A x - U)
        V += a mu / (1 + mu) (A^H A x - V)
        h += a (K x - z)

    Where A^H A is itself a Fourier transform, as with one coil, v is not needed: without ``normal`` the step for x is
    (A^H A + rho K^H K)^-1 (b + rho K^H (2 z - h)), which is the split Bregman method, and converges faster.

    A metric C >= A^H A that x is measured in makes it faster: the above for C^-1/2 A^H A C^-1/2 <= 1, which is what
    becomes of A^H A with the unknown C^1/2 x, K C^-1/2 and C^-1/2 b, so it converges alike. Its U times C^1/2 is an
    average of C x - A^H A x, which is U + (C - 1) X with the average X of x; its V times C^1/2 is V. Hence only the
    step for x changes:

        x = (mu C + rho K^H K)^-1 (b + mu U + mu (C - 1) X + (mu - 1) V + rho K^H (2 z - h))
        X += a (x - X)

    At a fixed point b - A^H A x = rho K^H (h - z) with rho (h - z) in the subdifferential of g at K x: the minimiser,
    whatever mu, rho, C and a in (0, 2) are.

    Reference: Parallel MR image reconstruction using augmented Lagrangian methods, Ramani and Fessler, 2011,
    doi:10.1109/TMI.2010.2093536; over-relaxation: Eckstein and Bertsekas, 1992, doi:10.1007/BF01581204.

    Args:
        normal: x -> A^H A x, all eigenvalues from 0 to 1; None where ``invert`` has it.
        invert: r -> (mu + rho K^H K)^-1 r, or (A^H A + rho K^H K)^-1 r; or a metric, with ``normal``.
        steps: all that is done to each pixel, with the data and the parameters; see :class:`SplitSteps`.
        state: where to begin; see :func:`start_split`. While g / rho stays the same, the state of one g suits another.
    """
    x, U, V, h = state.x, state.U.clone(), state.V.clone(), state.h.clone()
    X: Tensor | None = None
    Gx: Tensor | None = None
    metric: Metric | None = None
    step: Map
    if isinstance(invert, Metric):
        metric, X = invert, invert.start(x) if state.X is None else state.X.clone()
        step = partial(invert.invert, X=X)
    else:
        step = invert
    while True:
        r, kept = steps.pull(h, U, V)
        before, x = x, step(r)
        G_before, Gx = Gx, None if normal is None else normal(x)
        residual = steps.push(h, U, V, x, before, Gx, kept)
        if metric is not None and Gx is not None and G_before is not None:
            metric.watch(x, before, Gx, G_before)
        yield SplitIterate(x, residual, U, V, h, X)


@runtime_checkable
class Metric(Protocol):
    """The step for x of :func:`al_p2` in a metric C."""

    def start(self, x: Tensor) -> Tensor:
        """X of an image, in whatever space suits."""
        ...

    def invert(self, r: Tensor, X: Tensor) -> Tensor:
        """The new x, (mu C + rho K^H K)^-1 (r + mu (C - 1) X); changes X in place."""
        ...

    def watch(self, x: Tensor, before: Tensor, Gx: Tensor, G_before: Tensor) -> None:
        """Told of each x and A^H A x, and of those before, from the second iteration on: C may grow."""
        ...


class Steps(Protocol):
    """What is done to each pixel in an iteration of :func:`al_p2`."""

    def pull(self, h: Tensor, U: Tensor, V: Tensor) -> tuple[Tensor, Tensor | None]:
        """The right-hand side of the step for x, and what :meth:`push` may want to have again."""
        ...

    def push(
        self, h: Tensor, U: Tensor, V: Tensor, x: Tensor, before: Tensor, Gx: Tensor | None, kept: Tensor | None
    ) -> Tensor:
        """Change h, U and V in place; returns the relative change of x."""
        ...


@dataclass(frozen=True)
class SplitSteps:
    """The steps for any K and any g that shrinks.

    Attributes:
        b: A^H y, of the shape of x.
        K: linear, x -> z.
        KH: its adjoint.
        shrinkage: h -> s, real, with s h = argmin_z g(z) / rho + 1/2 ||z - h||^2; broadcasts to h.
        rho: weight of the copy of K x, > 0.
        mu: weight of the copy of the data, > 0; None where ``invert`` has A^H A.
        relaxation: a, in (0, 2).
    """

    b: Tensor
    K: Map
    KH: Map
    shrinkage: Map
    rho: float
    mu: float | None = MU
    relaxation: float = RELAXATION

    def pull(self, h: Tensor, U: Tensor, V: Tensor) -> tuple[Tensor, Tensor]:
        """The right-hand side b + mu U + (mu - 1) V + rho K^H (2 z - h), and s."""
        s = self.shrinkage(h)
        r = self.KH(h * (2 * s - 1)).mul_(self.rho).add_(self.b)
        return (r if self.mu is None else r.add_(U, alpha=self.mu).add_(V, alpha=self.mu - 1)), s

    def push(
        self, h: Tensor, U: Tensor, V: Tensor, x: Tensor, before: Tensor, Gx: Tensor | None, kept: Tensor | None
    ) -> Tensor:
        """The last three equations."""
        a, s = self.relaxation, self.shrinkage(h) if kept is None else kept
        if self.mu is not None and Gx is not None:
            _towards(V, Gx, a * self.mu / (1 + self.mu))
            _towards(U, torch.sub(x, Gx), a)
        h.mul_(1 - a * s).add_(self.K(x), alpha=a)
        return _relative(x, before)


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
