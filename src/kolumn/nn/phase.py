"""The smooth phase of an image, without which it is nearly real."""

from __future__ import annotations

import torch
from torch import Tensor

from ..fourier import fft2, ifft2
from ..masks.measure import calibration
from ..shapes import COIL, PHASE, PLANE

_LEAST, _MOST = 8, 24  # lines; of more than that the phase would follow the noise


def smooth_phase(image: Tensor, mask: Tensor) -> Tensor:
    """The p = e / |e|, e being the image of the middle of k-space, without which x conj(p) is nearly real.

    The middle is as wide as the calibration lines, but 8 to 24 of them, under a Hann window along both axes. What is
    nearly real has nearly symmetric k-space, so that each line acquired tells of the one opposite.

    Reference: Homodyne detection in magnetic resonance imaging, Noll, Nishimura and Macovski, 1991,
    doi:10.1109/42.79473.

    Args:
        image: x, complex (*batch, y, x), free of the worst aliasing.
        mask: bool, broadcasts to (*batch, coil, ky, kx); each entry's own calibration lines count.

    Returns:
        Tensor: complex (*batch, y, x), of magnitude 1.
    """
    return phase_of_middle(image, _calibration_lines(mask))


def phase_of_middle(image: Tensor, lines: Tensor) -> Tensor:
    """The p = e / |e|, e being the image of the middle of k-space under a Hann window along both axes.

    Args:
        image: x, complex (*batch, y, x).
        lines: how many the window leaves along each axis, broadcasts to (*batch, 1, 1).

    Returns:
        Tensor: complex (*batch, y, x), of magnitude 1.
    """
    lines = lines.to(image.device, image.real.dtype)
    window = torch.ones((), dtype=image.real.dtype, device=image.device)
    for dim in PLANE:
        n = image.shape[dim]
        k = (torch.arange(n, device=image.device) - n // 2) / lines
        hann = torch.where(k.abs() < 0.5, 0.5 + 0.5 * torch.cos(2 * torch.pi * k), 0)
        window = window * (hann if dim == PHASE else hann.mT)
    e = torch.sgn(ifft2(fft2(image) * window))
    return torch.where(e == 0, torch.ones_like(e), e)


def _calibration_lines(mask: Tensor) -> Tensor:
    """How many lines each entry's window leaves, (*batch, 1, 1) as far as the mask has a batch."""
    mask = mask.all(COIL) if mask.ndim > 2 else mask
    planes = mask.cpu().reshape(-1, *mask.shape[-2:])
    columns = [calibration(plane)[1] for plane in planes]
    lines = torch.tensor([float(c.stop - c.start) for c in columns]).clamp(_LEAST, _MOST)
    return lines.reshape(*mask.shape[:-2], 1, 1)
