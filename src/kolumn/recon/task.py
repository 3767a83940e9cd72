"""One entry's minimisation problem, scaled so that the largest magnitude of A^H y is 1."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor

from ..acquisition import Acquisition
from ..coils import root_sum_of_squares
from ..errors import ConvergenceError
from ..shapes import COIL, PHASE, PLANE
from ..solvers import SplitIterate, al_p2, conjugate_gradients, pogm, start_split
from ..solvers.al_p2 import MU
from .encoded import Encoded, encode
from .kspace_metric import MU as METRIC_MU
from .kspace_metric import Metric, MetricStep
from .penalty import Penalty, ProximalPenalty, SplitPenalty
from .sets import join_sets

_SENSE_STEPS, _SENSE_LAM = 3, 1e-3
_LEAST = 1e-8  # lambda below which rho stays where it is, which keeps it above 0
_FROM, _DECAY = 0.03, 0.9  # where the continuation of lambda begins, and its pace
_WINDOW = 0.2  # of all iterations so far, which the average is over where the penalty is random


class State(NamedTuple):
    """Where a minimisation is, valid until the next iteration is asked for.

    Attributes:
        u: the unknown: the image x (set, y, x), and what the penalty has besides.
        residual: relative change in the last iteration.
        split: the state of the split algorithm, where that is the one.
        lam: where the continuation of lambda is.
    """

    u: Tensor
    residual: Tensor
    split: SplitIterate | None
    lam: float


class Task:
    """min over x of 1/2 ||A x - y||^2 + lambda R(x), with x (set, y, x).

    Penalties that can be split are minimised by :func:`kolumn.solvers.al_p2`. One coil that sees everything alike makes
    A^H A = F^H M F, and then the data need no copy. Several coils with whole columns skipped get a metric of k-space,
    :mod:`kolumn.recon.kspace_metric`, if K^H K is diagonal there as it is for total variation. The other penalties,
    whose proximal map has a closed form, are minimised by :func:`kolumn.solvers.pogm`, with lambda falling from a large
    value to its own (continuation: Hale, Yin and Zhang, 2008, doi:10.1137/070698920). Where that map is random (cycle
    spinning), the image is a running average.

    Attributes:
        A: the encoding operator; that of the acquisition, unless another task's is given, ``encoded``.
        G: A^H A, with fewer coils where that comes to the same.
        scale: the largest magnitude of A^H y before it was divided by it; lambda and x are in its unit.
        b: A^H y / scale.
        penalty: R.
    """

    def __init__(
        self, acquisition: Acquisition, penalty: Callable[[Tensor], Penalty], encoded: Encoded | None = None
    ) -> None:
        self._encoded = encoded or encode(acquisition)
        self.A, self.G = self._encoded.A, self._encoded.G
        self._y = self.A.uncentred.turn(acquisition.kspace)
        b = self.A.uncentred.adjoint(self._y)
        self.scale = float(b.abs().max())
        self.b = b / self.scale if self.scale > 0 else b
        self.penalty = penalty(b)
        self._alike = self._encoded.alike

    def begin(self) -> State:
        """The state to start from: a few steps of SENSE, which for one coil are zero-filling."""
        x = self.b
        if not self._alike:
            steps = conjugate_gradients(lambda v: self.G.normal(v) + _SENSE_LAM * v, self.b, _dot)
            *_, (x, _) = islice(steps, _SENSE_STEPS)
        return self._state(self.penalty.embed(x), _FROM * self.penalty.size)

    def carry_on(self, state: State, ratio: float) -> State:
        """The state to start from, given where a task with other data arrived, times the ratio of the scales."""
        new = self._state(state.u * ratio, state.lam)
        if new.split is None or state.split is None:
            return new
        return new._replace(split=new.split._replace(h=state.split.h * ratio))

    def _state(self, u: Tensor, lam: float) -> State:
        one = torch.ones((), dtype=u.real.dtype, device=u.device)
        split = None
        if isinstance(self.penalty, SplitPenalty):
            split = start_split(None if self._alike else self._normal, self.penalty.split, u)
        return State(u, one, split, lam)

    def _normal(self, u: Tensor) -> Tensor:
        return self.penalty.embed(self.G.normal(self.penalty.image(u)))

    def iterates(self, lam: float, state: State) -> Iterator[State]:
        """The way down from a state."""
        penalty = self.penalty
        if isinstance(penalty, SplitPenalty):
            assert state.split is not None
            return (State(s.x, s.residual, s, lam) for s in self._split(penalty, lam, state.split))
        assert isinstance(penalty, ProximalPenalty)
        return self._proximal(penalty, lam, state)

    def _split(self, penalty: SplitPenalty, lam: float, state: SplitIterate) -> Iterator[SplitIterate]:
        rho = max(lam, _LEAST) / penalty.threshold
        if penalty.energy is not None and self._metric is not None:
            steps = penalty.steps(self.b, rho, lam / rho, METRIC_MU)
            return al_p2(self._normal, MetricStep(self._metric, penalty.energy, rho), steps, state)
        weights = self._mask_weights() if self._alike else self.b.real.new_full((1, 1), MU)
        steps = penalty.steps(penalty.embed(self.b), rho, lam / rho, None if self._alike else MU)
        return al_p2(None if self._alike else self._normal, penalty.inverse(weights, rho), steps, state)

    @cached_property
    def _metric(self) -> Metric | None:
        """Its own, since it may grow; the same for each lambda."""
        return self._encoded.metric and replace(self._encoded.metric)

    def _proximal(self, penalty: ProximalPenalty, lam: float, state: State) -> Iterator[State]:
        now = state.lam

        def prox(v: Tensor, step: float | Tensor) -> Tensor:
            nonlocal now
            now = max(lam, now * _DECAY)
            return penalty.prox(v, now * float(step))

        mean = state.u
        steps = pogm(lambda x: self.G.normal(x) - self.b, prox, state.u, 1.0, _dot)
        for n, (x, residual) in enumerate(steps):
            if not penalty.random:
                yield State(x, residual, None, now)
                continue
            before, mean = mean, torch.lerp(mean, x, 1 / (1 + _WINDOW * n))
            yield State(mean, (_dot(mean - before, mean - before) / _dot(mean, mean)).sqrt(), None, now)

    def _mask_weights(self) -> Tensor:
        mask = self.A.sampling.mask
        plane = mask.select(COIL, 0) if mask.ndim > 2 else mask  # what one coil saw
        energy = float(self.A.coils.maps.flatten()[0].abs().square())
        return energy * torch.fft.ifftshift(plane, PLANE).to(self.b.real.dtype)

    def misfit(self, u: Tensor, mask: Tensor | None = None) -> float:
        """||M (A x - y)||^2 in the units of the data, with M the mask or another one; summed in double precision."""
        A = self.A.uncentred
        k, y = A.forward(self.penalty.image(u)), self._y
        seen = A.turn_mask(self.A.sampling.mask if mask is None else mask)
        if seen.numel() == seen.shape[PHASE]:  # whole columns: the others need not be looked at
            columns = seen.flatten().nonzero()[:, 0]
            k = k[..., columns].sub_(y[..., columns], alpha=1 / self.scale)
        else:
            k = k.sub_(y, alpha=1 / self.scale).mul_(seen)
        return self.scale**2 * float(torch.view_as_real(k).square().sum(dtype=torch.float64))

    def objective(self, u: Tensor, lam: float) -> float:
        """1/2 ||A x - y||^2 + lambda R(x) in the units of the data squared."""
        return self.misfit(u) / 2 + lam * self.scale**2 * float(self.penalty.value(u))

    def image(self, u: Tensor) -> Tensor:
        """The image (y, x), in the units of the data, where the maps see nothing 0."""
        x = self.penalty.image(u) * self.scale
        return join_sets(x * root_sum_of_squares(self.A.coils.maps))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(torch.view_as_real(a).flatten(), torch.view_as_real(b).flatten())


def diverged(lam: str | float) -> ConvergenceError:
    """What to raise when an iteration gave no number."""
    return ConvergenceError(
        f"the iteration gave NaN or infinity with lam {lam!r}; give lam a number near 0.001max, "
        "and look at the data with `kolumn info`"
    )
