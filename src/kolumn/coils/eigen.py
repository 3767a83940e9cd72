"""The dominant eigenvector of many small Hermitian matrices."""

from __future__ import annotations

import torch
from torch import Tensor

from ..native import native_eigenvectors


def dominant_eigenvector(M: Tensor, squarings: int = 6) -> tuple[Tensor, Tensor]:
    """Eigenvector of the largest eigenvalue of each matrix, by repeated squaring.

    M^(2^k) tends to lambda^(2^k) v v^H: six squarings do the work of 64 power iterations, and a batched product is much
    faster than as many calls of an eigensolver. Where the two largest eigenvalues are close the answer lies in
    their common plane, so this suits what has one clear direction. Compiled where that was possible, see
    :mod:`kolumn.native`.

    Args:
        M: complex Hermitian positive semidefinite (..., n, n).
        squarings: k.

    Returns:
        tuple: v of unit norm (..., n), and its Rayleigh quotient v^H M v (...). Both are 0 where M is 0.
    """
    compiled = native_eigenvectors(M, squarings)
    if compiled is not None:
        return compiled
    power = M
    for _ in range(squarings):
        power = power / _trace(power)[..., None, None]
        power = power @ power
    best = power.diagonal(dim1=-2, dim2=-1).real.argmax(-1)
    v = power.gather(-1, best[..., None, None].expand(*M.shape[:-1], 1))
    v = v / _or_one(torch.linalg.vector_norm(v, dim=-2, keepdim=True))
    value = (v.mH @ M @ v).real
    return v[..., 0], value[..., 0, 0]


def deflate(M: Tensor, v: Tensor, value: Tensor) -> Tensor:
    """M without its eigenvector: M - lambda v v^H."""
    return M - value[..., None, None] * v[..., :, None] * v[..., None, :].conj()


def _trace(M: Tensor) -> Tensor:
    return _or_one(M.diagonal(dim1=-2, dim2=-1).real.sum(-1))


def _or_one(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, torch.ones_like(x))
