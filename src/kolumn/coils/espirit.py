"""ESPIRiT: sensitivity maps as eigenvectors of what calibration windows have in common."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ..errors import ArgumentError, CalibrationError
from ..parallel import parallel_map
from ..shapes import COIL, shape_text
from .eigen import deflate, dominant_eigenvector
from .phase import align, first_virtual_coil


def espirit(
    calibration: Tensor,
    shape: tuple[int, int],
    kernel: int = 6,
    threshold: float = 0.03,
    crop: float = 0.8,
    n_maps: int = 1,
    outside: float = 0.0,
) -> Tensor:
    """Sensitivity maps from a calibration block.

    All windows w of ``kernel`` x ``kernel`` samples and all coils of calibrated k-space lie in a subspace; with Q the
    projector onto it, w = Q w for each window. Averaged over the windows that share a sample this is a convolution
    of k-space, which in the image is a coil x coil matrix M(r) at each pixel with M(r) s(r) = s(r): the maps are
    the eigenvectors of M(r) to the eigenvalue 1. Where the object wraps around, two eigenvalues are near 1, and
    ``n_maps=2`` gives both.

    The phase, which eigenvectors leave open, is referred to the first virtual coil (principal component of the
    calibration block), whose map becomes real and positive: smooth, and stable from slice to slice.

    Reference: ESPIRiT: an eigenvalue approach to autocalibrating parallel MRI, Uecker et al., 2014,
    doi:10.1002/mrm.24751.

    Args:
        calibration: complex (coil, cy, cx), fully sampled, at least ``kernel`` on a side.
        shape: (y, x) of the maps.
        kernel: side of a window, samples.
        threshold: singular values below this fraction of the largest count as noise.
        crop: pixels with an eigenvalue below count as outside the body.
        n_maps: sets of maps.
        outside: root sum of squares of the (first) map outside the body: 0 cuts it off, 1 leaves it, and between the
            two a penalty weighs 1 / outside^2 as much there, see :class:`kolumn.recon.Sense`.

    Returns:
        Tensor: complex (coil, y, x), or (set, coil, y, x) for ``n_maps`` > 1; unit root sum of squares inside.

    Raises:
        CalibrationError: the block is smaller than a window, or empty of signal.
        ArgumentError: ``n_maps`` is not between 1 and the number of coils.
    """
    if not 1 <= n_maps <= calibration.shape[COIL]:
        raise ArgumentError(f"n_maps is {n_maps}; wanted 1 to {calibration.shape[COIL]}, the number of coils")
    if min(calibration.shape[-2:]) < kernel:
        raise CalibrationError(
            f"ESPIRiT needs at least {kernel} x {kernel} fully sampled samples in the middle of k-space and got "
            f"{shape_text(calibration[0])}; acquire more calibration lines, or estimate maps with walsh"
        )
    coupling = _coupling(_projector(calibration, kernel, threshold), calibration.shape[COIL], kernel)
    reference = first_virtual_coil(calibration)
    maps, body = _eigenmaps(coupling, reference, shape, crop, n_maps)
    weight = body.to(maps.real.dtype)
    weight[0] = weight[0].clamp_min(outside)
    maps *= weight[:, None]
    return maps[0] if n_maps == 1 else maps


def _projector(calibration: Tensor, kernel: int, threshold: float) -> Tensor:
    """Q: complex (coil k k, coil k k)."""
    windows = calibration.unfold(-2, kernel, 1).unfold(-2, kernel, 1)  # coil, wy, wx, k, k
    W = windows.permute(0, 3, 4, 1, 2).flatten(0, 2).flatten(1)
    scale = W.abs().max()
    if not bool(scale > 0):
        raise CalibrationError("the calibration lines are all zero; give maps, or another file")
    W = W / scale
    values, vectors = torch.linalg.eigh((W @ W.mH).cpu())  # small, and not every device has this
    signal = vectors[:, values > threshold**2 * values[-1]]
    return (signal @ signal.mH).to(W.device)


def _coupling(Q: Tensor, n: int, kernel: int) -> Tensor:
    """Sum Q over pairs of samples with the same distance: complex (2 k - 1, 2 k - 1, coil, coil)."""
    Q = Q.reshape(n, kernel, kernel, n, kernel, kernel).flip(4, 5)
    size = 2 * kernel - 1
    coupling = torch.zeros(size, size, n, n, dtype=Q.dtype, device=Q.device)
    for i in range(kernel):
        for j in range(kernel):
            coupling[i : i + kernel, j : j + kernel] += Q[:, i, j].permute(2, 3, 0, 1)
    return coupling / kernel**2


def _eigenmaps(
    coupling: Tensor, reference: Tensor, shape: tuple[int, int], crop: float, n_maps: int
) -> tuple[Tensor, Tensor]:
    """Maps (set, coil, y, x) over the whole field of view, and where they can be trusted, bool (set, y, x)."""
    size, n = coupling.shape[0], coupling.shape[-1]
    ny, nx = shape
    Ey, Ex = (_phases(m, size, coupling) for m in shape)
    rows = torch.einsum("xe,deij->dxij", Ex, coupling).reshape(size, -1)
    maps = torch.empty(n_maps, n, ny, nx, dtype=coupling.dtype, device=coupling.device)
    body = torch.empty(n_maps, ny, nx, dtype=torch.bool, device=coupling.device)
    # A few rows at a time: the matrices of all pixels together would be coil times larger than the coil images.
    step = max(1, math.ceil(2**17 / (nx * n * n)))

    def block(y: int) -> None:
        M = (Ey[y : y + step] @ rows).reshape(-1, nx, n, n)
        for i in range(n_maps):
            v, value = dominant_eigenvector(M)
            M = deflate(M, v, value) if n_maps > 1 else M
            maps[i, :, y : y + step] = align(v, reference).permute(2, 0, 1)
            body[i, y : y + step] = value > crop

    for _ in parallel_map(block, range(0, ny, step)):
        pass
    return maps, body


def _phases(n: int, size: int, like: Tensor) -> Tensor:
    """exp(2 pi i d (r - n // 2) / n) for pixels r and distances d: an inverse DFT of few samples."""
    r = torch.arange(n, dtype=torch.float64) - n // 2
    d = torch.arange(size, dtype=torch.float64) - size // 2
    angle = 2 * math.pi / n * r[:, None] * d
    return torch.complex(angle.cos(), angle.sin()).to(like.dtype).to(like.device)
