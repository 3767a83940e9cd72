"""Differences as matrices, written element by element; images are flattened row by row."""

import numpy as np
import torch


def draw(*shape, seed=0, dtype=torch.complex128):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def steps(shape, sign, axis):
    """Forward (sign 1) or backward (-1) differences along an axis: (y x, y x)."""
    ny, nx = shape
    D = np.zeros((ny * nx, ny * nx))
    for i in range(ny):
        for j in range(nx):
            k, other = (i + sign) % ny if axis == 0 else i, (j + sign) % nx if axis == 1 else j
            D[i * nx + j, i * nx + j] -= sign
            D[i * nx + j, k * nx + other] += sign
    return D


def gradient(shape):
    """(2 y x, y x)."""
    return np.concatenate([steps(shape, 1, 0), steps(shape, 1, 1)])


def symmetric_gradient(shape):
    """(3 y x, 2 y x)."""
    y, x = steps(shape, -1, 0), steps(shape, -1, 1)
    zero = np.zeros_like(y)
    return np.block([[y, zero], [zero, x], [x / np.sqrt(2), y / np.sqrt(2)]])


def lengths(z, components):
    """Joint magnitudes (components, pixels) -> (1, pixels) of a flattened field."""
    return np.sqrt((np.abs(z.reshape(components, -1)) ** 2).sum(0, keepdims=True))


def projected(z, t, components, joint=True):
    z = z.reshape(components, -1)
    size = lengths(z, components) if joint else np.abs(z)
    return (z / np.maximum(size / t, 1)).ravel()
