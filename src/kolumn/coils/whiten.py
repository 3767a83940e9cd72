"""Noise prewhitening: afterwards every coil has noise of variance 1, independent of the others."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ..acquisition import Acquisition
from ..errors import ArgumentError
from ..shapes import COIL, PHASE, READOUT


def covariance(noise: Tensor) -> Tensor:
    """C = E[n n^H] from samples of noise alone: complex (coil, samples) to complex (coil, coil)."""
    noise = noise - noise.mean(-1, keepdim=True)
    return noise @ noise.mH / max(noise.shape[-1] - 1, 1)


def noise_from_edge(acquisition: Acquisition, fraction: float = 0.05) -> Tensor:
    """The covariance of the noise from the outer edge of k-space, where next to no signal is left.

    Takes the outermost ``fraction`` of the readout at both ends, in the outer half of the acquired columns. Readouts
    are acquired whole, so this works for undersampled data too. Signal that reaches the edge makes the
    estimate too large: where a noise scan exists, use that.

    Args:
        acquisition: k-space (*batch, coil, ky, kx).
        fraction: of the readout, at each end.

    Returns:
        Tensor: complex (coil, coil).

    Raises:
        ArgumentError: fewer samples there than coils need for a regular matrix.
    """
    k = acquisition.kspace
    mask = acquisition.mask.expand(k.shape)
    ny, nx = k.shape[READOUT], k.shape[PHASE]
    edge = max(1, round(fraction * ny))
    rows = torch.cat([torch.arange(edge), torch.arange(ny - edge, ny)]).to(k.device)
    columns = torch.cat([torch.arange(nx // 4), torch.arange(nx - nx // 4, nx)]).to(k.device)
    k = k.index_select(READOUT, rows).index_select(PHASE, columns).movedim(COIL, 0).flatten(1)
    mask = mask.index_select(READOUT, rows).index_select(PHASE, columns).movedim(COIL, 0).flatten(1)
    samples = k[:, mask.all(0) & (k != 0).any(0)]
    n = samples.shape[0]
    if samples.shape[1] < 4 * n:
        raise ArgumentError(
            f"only {samples.shape[1]} samples at the edge of k-space for {n} coils, wanted {4 * n}; use a noise scan"
        )
    return covariance(samples)


def whiten(acquisition: Acquisition, noise: Tensor | None = None) -> Acquisition:
    """Turn y into L^-1 y with C = L L^H (Cholesky): the noise gets the identity as covariance, amplitudes its units.

    Reference: The NMR phased array, Roemer et al., 1990, doi:10.1002/mrm.1910160203; Advances in sensitivity encoding
    with arbitrary k-space trajectories, Pruessmann et al., 2001, doi:10.1002/mrm.1241.

    Args:
        acquisition: k-space (*batch, coil, ky, kx); maps, if any, are turned alike but no longer of unit norm, so
            they are dropped: estimate them afterwards.
        noise: complex (coil, coil); None: the acquisition's own.

    Raises:
        ArgumentError: no covariance, or not positive definite (a dead coil, say).
    """
    C = acquisition.noise if noise is None else noise
    if C is None:
        raise ArgumentError("no noise covariance is known; give one, or estimate it with noise_from_edge")
    L, info = torch.linalg.cholesky_ex(C.cpu().to(torch.complex128))
    if int(info) != 0:
        raise ArgumentError("the noise covariance is not positive definite; a coil without signal? Remove it first")

    def solve(k: Tensor) -> Tensor:
        flat = k.movedim(COIL, 0).flatten(1)
        white = torch.linalg.inv(L).to(k.dtype).to(k.device) @ flat
        return white.unflatten(1, [n for i, n in enumerate(k.shape) if i != k.ndim + COIL]).movedim(0, COIL)

    block = acquisition.calibration
    return replace(
        acquisition,
        kspace=solve(acquisition.kspace) * acquisition.mask,
        maps=None,
        noise=torch.eye(C.shape[0], dtype=C.dtype, device=C.device),
        calibration=None if block is None else solve(block),
    )
