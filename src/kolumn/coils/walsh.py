"""Walsh: sensitivity maps as local principal components of low-resolution coil images."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import CalibrationError
from ..shapes import COIL
from .eigen import dominant_eigenvector
from .low_resolution import coil_images
from .phase import align, first_virtual_coil


def walsh(calibration: Tensor, shape: tuple[int, int], window: int = 7) -> Tensor:
    """Maps as the dominant eigenvector of R(r) = sum over a window around r of z z^H, z the coil images.

    The coil images come from the calibration block alone, tapered by a Hann window and filled up with zeros. Phase
    relative to the first virtual coil as for ESPIRiT. There is no crop: outside the body maps are noise.

    Reference: Adaptive reconstruction of phased array MR imagery, Walsh, Gmitro and Marcellin, 2000,
    doi:10.1002/(SICI)1522-2594(200005)43:5<682::AID-MRM10>3.0.CO;2-G.

    Args:
        calibration: complex (coil, cy, cx).
        shape: (y, x) of the maps.
        window: side of the window, pixels, odd.

    Returns:
        Tensor: complex (coil, y, x), unit root sum of squares.

    Raises:
        CalibrationError: the block is empty of signal.
    """
    scale = calibration.abs().max()
    if not bool(scale > 0):
        raise CalibrationError("the calibration lines are all zero; give maps, or another file")
    z = coil_images(calibration / scale, shape)
    n = z.shape[COIL]
    R = torch.einsum("iyx,jyx->ijyx", z, z.conj()).reshape(1, n * n, *shape)
    R = torch.complex(_box(R.real, window), _box(R.imag, window)).reshape(n, n, *shape).permute(2, 3, 0, 1)
    maps, _ = dominant_eigenvector(R.contiguous())
    return align(maps, first_virtual_coil(calibration)).permute(2, 0, 1).contiguous()


def _box(x: Tensor, window: int) -> Tensor:
    return torch.nn.functional.avg_pool2d(x, window, 1, window // 2)
