"""The one vocabulary of axes.

    k-space   (*batch, coil, ky, kx)        image   (*batch, y, x)        maps   (*batch, coil, y, x)

``ky`` is the readout: the scanner acquires it whole, sample after sample. ``kx`` is the phase encode: each of
its columns costs time, and is what a mask leaves out (the layout of fastMRI files). Any number of leading
batch axes works; slices, frames and repetitions all live there. Two sets of sensitivity maps stand in front
of everything: ``(set, *batch, coil, y, x)``.
"""

from __future__ import annotations

from torch import Tensor

from .errors import ArgumentError

COIL = -3
READOUT = -2  # ky in k-space, y in the image
PHASE = -1  # kx in k-space, x in the image
PLANE = (READOUT, PHASE)


def shape_text(x: Tensor) -> str:
    """``2 x 8 x 256 x 216``: a shape as people write it."""
    return " x ".join(str(n) for n in x.shape) or "a scalar"


def require_broadcast(name: str, x: Tensor, to: tuple[int, ...], wanted: str) -> None:
    """Raise ArgumentError unless ``x`` broadcasts to the shape ``to`` without enlarging it."""
    pairs = zip(reversed(x.shape), reversed(to), strict=False)
    if x.ndim > len(to) or any(n not in (1, m) for n, m in pairs):
        target = " x ".join(map(str, to))
        raise ArgumentError(f"{name} has shape {shape_text(x)}; wanted {wanted} that broadcasts to {target}")
