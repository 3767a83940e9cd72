"""What a network starts from: the image of a linear method, in units of its own."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ..acquisition import Acquisition
from ..coils import root_sum_of_squares
from ..operators import circulant, condensed, encoding
from .checks import require_one_set
from .consistency import Normal, consistent
from .level import brightness, noise_level, or_one
from .phase import smooth_phase

_LAM, _NOISE = 1e-3, 3.0  # lam of SENSE, and what the noise adds to it


class Start(NamedTuple):
    """What a network starts from: b, x and sigma are in units of ``scale``; all have the image's axes or broadcast.

    Attributes:
        G: A^H A, with fewer coils where that comes to the same.
        b: A^H y, complex (1, *batch, y, x).
        x: SENSE.
        p: its smooth phase, of magnitude 1.
        sigma: noise of a sample, real (1, *batch, 1, 1).
        scale: brightness of SENSE; 0 where nothing was measured, and then the unit is 1.
        seen: root sum of squares of the maps, real (*batch, y, x).
        c: the :func:`kolumn.operators.circulant` nearest to A^H A; None where nothing is preconditioned.
    """

    G: Normal
    b: Tensor
    x: Tensor
    p: Tensor
    sigma: Tensor
    scale: Tensor
    seen: Tensor
    c: Tensor | None


def start(acquisition: Acquisition, n_steps: int, preconditioned: bool = False) -> Start:
    """A few conjugate gradients of SENSE, with a penalty of the noise over the signal.

    Args:
        acquisition: k-space (*batch, coil, ky, kx), with one set of maps unless it has a single coil.
        n_steps: of conjugate gradients.
        preconditioned: whether these are preconditioned with c.

    Raises:
        ArgumentError: several coils without maps, or several sets of maps.
    """
    require_one_set(acquisition)
    A = encoding(acquisition)
    b, maps = A.adjoint(acquisition.kspace), A.coils.maps
    G, c = condensed(A.uncentred), circulant(A.uncentred) if preconditioned else None
    sigma, size = noise_level(acquisition)[None], or_one(brightness(b))
    lam = _LAM + _NOISE * (sigma / size).square()
    x = consistent(G, b / size, torch.zeros_like(b), lam, n_steps, c=c) * size
    scale = brightness(x)
    unit = or_one(scale)
    p = smooth_phase(x, acquisition.mask)
    return Start(G, b / unit, x / unit, p, sigma / unit, scale, root_sum_of_squares(maps[0]), c)
