"""Iterative SENSE: least squares over the coils, with an L2 penalty."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice, product

import torch
from torch import Tensor

from ..acquisition import Acquisition
from ..coils import MAPS, estimate_maps, noise_from_edge
from ..errors import ArgumentError
from ..operators import encoding
from ..shapes import COIL
from ..solvers import conjugate_gradients
from .sets import join_sets

_LAM = 0.005  # where the noise cannot be told: about right for an SNR of 30
_ROOM = 0.5  # norm of the maps in air, at most
_MOST = 0.03  # what stands at the edge of a small k-space is signal as well


@dataclass(frozen=True)
class Sense:
    """z = argmin 1/2 ||A z - y||^2 + lam/2 ||z||^2, by conjugate gradients on (A^H A + lam) z = A^H y.

    A = M F S has norm at most 1, so lam needs no scale: it damps what the coils cannot tell apart. By default it is
    three times the noise variance of a coil over the mean of |x|^2 (a Wiener filter has once; maps have errors too),
    for each entry on its own, with the noise from the acquisition or from the edge of k-space, and at most 0.03. It
    is 0 where nothing is missing or there is one coil, since then it would only dim the image.

    The image is x = ||s|| z, ||s|| being the root sum of squares of the maps: the same thing inside the body, where
    that is 1. Outside it is ``outside``, and the penalty on x there is lam / outside^2: air, whose maps are
    guesswork, takes up less of what belongs elsewhere, and yet is not cut off.

    Reference: Advances in sensitivity encoding with arbitrary k-space trajectories, Pruessmann et al., 2001,
    doi:10.1002/mrm.1241.

    Attributes:
        lam: weight of the penalty, >= 0; None: from the noise.
        tolerance: stop when the residual of the equation is this fraction of its right-hand side, > 0.
        max_iterations: stop after that many anyway.
        maps: how to estimate maps where the acquisition has none: "espirit" or "walsh".
        n_maps: sets of maps; 2 where the object is larger than the field of view (espirit only).
        outside: norm of espirit's maps outside the body, 0 to 1; 0 gives a black background, as BART does. None: 10
            times the square root of the default lam, at most 0.5, so that air has room for its noise and, where
            there is little, none for aliases; 0.5 where nothing is missing.
    """

    lam: float | None = None
    tolerance: float = 1e-3
    max_iterations: int = 50
    maps: str = "espirit"
    n_maps: int = 1
    outside: float | None = None

    def __post_init__(self) -> None:
        if self.lam is not None and not self.lam >= 0:
            raise ArgumentError(f"lam is {self.lam}; wanted a number >= 0")
        if not 0 < self.tolerance < 1:
            raise ArgumentError(f"tolerance is {self.tolerance}; wanted a number between 0 and 1")
        if self.max_iterations < 1:
            raise ArgumentError(f"max_iterations is {self.max_iterations}; wanted at least 1")
        if self.outside is not None and not 0 <= self.outside <= 1:
            raise ArgumentError(f"outside is {self.outside}; wanted a number from 0 to 1")
        if self.maps not in MAPS:
            raise ArgumentError(f"maps is {self.maps!r}; wanted {' or '.join(MAPS)}")
        if self.n_maps > 1 and self.maps != "espirit":
            raise ArgumentError(f"n_maps is {self.n_maps} with maps={self.maps!r}; only espirit gives several sets")

    def __call__(self, acquisition: Acquisition, /) -> Tensor:
        """Acquisition to complex image (*batch, y, x).

        Raises:
            CalibrationError: no maps came and there are too few calibration lines to estimate them.
        """
        lam = noise_to_signal(acquisition) if self.lam is None else self.lam
        if acquisition.maps is None:
            acquisition = replace(acquisition, maps=self._estimate(acquisition))
        A = encoding(acquisition)
        b = A.adjoint(acquisition.kspace)
        steps = conjugate_gradients(lambda x: A.normal(x) + lam * x, b, _dot, self.tolerance)
        x = b
        for x, residual in islice(steps, self.max_iterations):  # noqa: B007, x is the result
            if bool((residual <= self.tolerance).all()):
                break
        return join_sets(x * torch.linalg.vector_norm(A.coils.maps, dim=COIL))

    def _estimate(self, acquisition: Acquisition) -> Tensor:
        if self.maps != "espirit":
            return estimate_maps(acquisition, self.maps)
        outside: Tensor | float | None = self.outside
        if outside is None:
            room = 10 * noise_to_signal(acquisition).sqrt()
            outside = torch.where(room > 0, room, _ROOM).clamp_max(_ROOM).reshape(acquisition.kspace.shape[:COIL])
        return estimate_maps(acquisition, self.maps, n_maps=self.n_maps, outside=outside)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Re <a, b> for each entry: over sets, y and x; (1, *batch, 1, 1)."""
    return (a.real * b.real + a.imag * b.imag).sum((0, -2, -1), keepdim=True)


def noise_to_signal(acquisition: Acquisition) -> Tensor:
    """The default lam of each entry, real (1, *batch, 1, 1); see :class:`Sense`.

    Args:
        acquisition: k-space (*batch, coil, ky, kx).
    """
    batch = acquisition.kspace.shape[:COIL]
    real = acquisition.kspace.real
    lams = [_noise_to_signal(acquisition.entry(*i)) for i in product(*(range(n) for n in batch))]
    return torch.tensor(lams, dtype=real.dtype, device=real.device).reshape(1, *batch, 1, 1)


def _noise_to_signal(entry: Acquisition) -> float:
    if entry.n_coils == 1 or bool(entry.mask.all()):
        return 0.0
    try:
        noise = noise_from_edge(entry) if entry.noise is None else entry.noise
    except ArgumentError:  # k-space too small to have an edge
        return _LAM
    variance = float(noise.diagonal().real.mean())
    k = entry.kspace
    energy = float(k.abs().square().sum()) / (k.shape[-2] * k.shape[-1])
    energy -= variance * entry.n_coils * float(entry.mask.float().mean())
    return min(3 * variance / energy, _MOST) if energy > 0 else _MOST
