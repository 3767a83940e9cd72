"""A metric of k-space that the split algorithm takes the data in, so that it needs fewer iterations."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..operators import circulant
from ..operators.coils import Coils
from ..operators.uncentred import Uncentred
from ..shapes import COIL, PHASE, PLANE
from ..solvers.al_p2 import RELAXATION

MU = 0.07  # found best, or close to it, for 4 and 8-fold undersampling of 8 coils
_POWER = 0.25  # of the diagonal; likewise
_LEAST = 1e-3  # of the diagonal
_ROWS, _STEPS = 8, 12  # of the power iteration
_MARGIN = 1.15  # over the eigenvalue that it finds, which is a little too small
_EVERY, _GROWTH = 3, 1.15  # iterations from one look at the metric to the next, and what it grows by at least


def largest_eigenvalue(A: Uncentred, C: Tensor) -> float:
    """The largest eigenvalue of C^-1/2 A^H A C^-1/2 for a mask of whole columns, by power iteration; never more.

    Rows are independent then: each has an iteration of its own.
    """
    maps = A.coils.maps
    generator = torch.Generator().manual_seed(0)
    v = torch.randn(maps.select(COIL, 0).shape, dtype=maps.dtype, generator=generator).to(maps.device)
    root, size = C.rsqrt(), _row_norms(v)
    for _ in range(_STEPS):
        v *= size.clamp_min(torch.finfo(C.dtype).tiny).reciprocal()
        v = torch.fft.fft(A.normal(torch.fft.ifft(v * root))) * root
        size = _row_norms(v)
    return float(size.max())


def _row_norms(v: Tensor) -> Tensor:
    """Of each row in all sets, (1, y, 1); on real numbers, which is much faster."""
    return torch.view_as_real(v).square().sum((0, -2, -1)).sqrt()[None, :, None]


def _some_rows(A: Uncentred) -> Uncentred:
    """A of a few rows that see something: neighbours are alike."""
    maps = A.coils.maps
    seeing = torch.view_as_real(maps).flatten(-2).abs().amax((0, COIL, PHASE)).nonzero()[:, 0]
    few = torch.linspace(0, len(seeing) - 1, min(_ROWS, len(seeing)), device=maps.device).round().long()
    return Uncentred(Coils(maps[..., seeing[few], :]), A.centred_mask)


@dataclass
class Metric:
    """C = gamma c^(1/4), diagonal in uncentred k-space, with C >= A^H A as far as is known; gamma can grow.

    Where lines were left out, A^H A is small, and the copy of the data holds x back there for nothing; C knows.

    Attributes:
        form: c^(1/4), real > 0, broadcasts to (set, y, x).
        gamma: its factor, > 0; not above the least with C >= 1, which is always enough.
    """

    form: Tensor
    gamma: float

    def __post_init__(self) -> None:
        self.gamma = min(self.gamma, self._most)

    @property
    def _most(self) -> float:
        return 1 / float(self.form.min())

    def grow(self, ratio: float) -> bool:
        """Make C larger, by more than the ratio; whether that was possible."""
        before, self.gamma = self.gamma, min(self.gamma * ratio * _GROWTH, self._most)
        return self.gamma > before


def find_metric(A: Uncentred) -> Metric:
    """The metric for a mask of whole columns."""
    some = _some_rows(A)
    if some.coils.maps.numel() > 0:
        form = circulant(some).clamp_min(_LEAST) ** _POWER
        size = largest_eigenvalue(some, form)
        if size > 0:
            return Metric(form, _MARGIN * size)
    return Metric(A.coils.maps.real.new_ones(1, 1, A.coils.maps.shape[PHASE]), 1.0)  # A is 0


@dataclass
class MetricStep:
    """The step for x of :func:`kolumn.solvers.al_p2` in this metric, in closed form, and the guard of the metric.

        x = F^H (mu C + rho |K|^2)^-1 (F r + mu (C - 1) X),       X += a (F x - X)

    C >= A^H A was estimated from some rows. Were it not so, then the iteration might diverge, and what grows would be
    a change d of x with <d, A^H A d> > <d, C d>. Every third iteration that is tested, and C multiplied until it no
    longer holds. Neither X nor anything else that is kept depends on C, so it can grow at any time, and it does so only
    a few times, for C >= 1 is enough. That is a safeguard and no proof: a C that is too small but passes the test
    leaves convergence to luck. The fixed point is the minimiser with any C.

    Attributes:
        metric: C.
        energy: |K|^2, real, uncentred (y, x).
        rho: weight of the copy of K x, > 0.
        mu: weight of the copy of the data, > 0.
        relaxation: a, in (0, 2).
    """

    metric: Metric
    energy: Tensor
    rho: float
    mu: float = MU
    relaxation: float = RELAXATION
    _transforms: list[Tensor] = field(default_factory=list, init=False)  # F x of this iteration and the last
    _n: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._build()

    def _build(self) -> None:
        C = self.metric.gamma * self.metric.form
        self._reciprocal = 1 / (self.mu * C + self.rho * self.energy)
        self._pull = (self.mu * (C - 1)).repeat_interleave(2, -1)  # for real and imaginary parts side by side

    def start(self, x: Tensor) -> Tensor:
        """F x."""
        return torch.fft.fftn(x, dim=PLANE)

    def invert(self, r: Tensor, X: Tensor) -> Tensor:
        """The new x, from the right-hand side r that lacks mu (C - 1) X; changes X in place."""
        k = torch.fft.fftn(r, dim=PLANE)
        flat, average = (torch.view_as_real(t).flatten(-2) for t in (k, X))
        flat.addcmul_(average, self._pull)
        k.mul_(self._reciprocal)
        average.lerp_(flat, self.relaxation)
        self._transforms = [*self._transforms[-1:], k]
        return torch.fft.ifftn(k, dim=PLANE)

    def watch(self, x: Tensor, before: Tensor, Gx: Tensor, G_before: Tensor) -> None:
        """Let C grow where the last change of x shows that it is too small."""
        self._n += 1
        if self._n % _EVERY:
            return
        k_before, k = self._transforms
        C = self.metric.gamma * self.metric.form
        energy = torch.view_as_real(k - k_before).square_().sum(-1)
        bound = float((energy * C).sum()) / (k.shape[-2] * k.shape[-1])
        seen = float((torch.view_as_real(x - before) * torch.view_as_real(Gx - G_before)).sum())
        if seen > bound > 0 and self.metric.grow(seen / bound):
            self._build()
