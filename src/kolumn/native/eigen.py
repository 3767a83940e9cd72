"""The dominant eigenvectors of many small matrices, compiled."""

from __future__ import annotations

import ctypes

import torch
from torch import Tensor

from .library import check, library, pointer


def native_eigenvectors(M: Tensor, squarings: int) -> tuple[Tensor, Tensor] | None:
    """What :func:`kolumn.coils.eigen.dominant_eigenvector` returns; None where nothing is compiled, or not for such M.

    Sixteen matrices are squared at once, and half of each, since they are Hermitian.

    Args:
        M: complex Hermitian positive semidefinite (..., n, n).
        squarings: how often each is squared.
    """
    kernels = library()
    if kernels is None or M.dtype != torch.complex64 or M.device.type != "cpu" or M.requires_grad or M.numel() == 0:
        return None
    M = M.resolve_conj().contiguous()
    v, values = torch.empty(M.shape[:-1], dtype=M.dtype), torch.empty(M.shape[:-2])
    sizes = map(ctypes.c_long, (values.numel(), M.shape[-1], squarings))
    check(kernels.kolumn_eigenvectors(pointer(M), *sizes, pointer(v), pointer(values)))
    return v, values
