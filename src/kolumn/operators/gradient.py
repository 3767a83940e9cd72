"""Finite differences of images, periodic so that the Fourier transform diagonalises them."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class Gradient:
    """D: image (..., y, x) to its forward differences (2, ..., y, x), along y first; sum of squares at most 8 |x|^2.

    (D x)_y[i] = x[i + 1] - x[i], and the last pixel is followed by the first.
    """

    def forward(self, image: Tensor) -> Tensor:
        """D x."""
        d = torch.empty(2, *image.shape, dtype=image.dtype, device=image.device)
        torch.sub(image[..., 1:, :], image[..., :-1, :], out=d[0, ..., :-1, :])
        torch.sub(image[..., :1, :], image[..., -1:, :], out=d[0, ..., -1:, :])
        torch.sub(image[..., 1:], image[..., :-1], out=d[1, ..., :-1])
        torch.sub(image[..., :1], image[..., -1:], out=d[1, ..., -1:])
        return d

    def adjoint(self, field: Tensor) -> Tensor:
        """D^H z, minus the divergence."""
        y, x = field[0], field[1]
        out = torch.empty_like(y)
        torch.sub(y[..., :-1, :], y[..., 1:, :], out=out[..., 1:, :])
        torch.sub(y[..., -1:, :], y[..., :1, :], out=out[..., :1, :])
        out -= x
        out[..., 1:] += x[..., :-1]
        out[..., :1] += x[..., -1:]
        return out


class SymmetricGradient:
    """E: vector field (2, ..., y, x) to its symmetrised backward differences (3, ..., y, x).

    (d_y w_y, d_x w_x, (d_y w_x + d_x w_y) / sqrt 2), so that the sum of squares is that of the symmetric matrix.

    Reference: Total generalized variation, Bredies, Kunisch and Pock, 2010, doi:10.1137/090769521.
    """

    def forward(self, field: Tensor) -> Tensor:
        """E w."""
        w_y, w_x = field[0], field[1]
        mixed = _backward(w_x, -2) + _backward(w_y, -1)
        return torch.stack([_backward(w_y, -2), _backward(w_x, -1), mixed / math.sqrt(2)])

    def adjoint(self, matrix: Tensor) -> Tensor:
        """E^H q."""
        mixed = matrix[2] / math.sqrt(2)
        return -torch.stack(
            [_forward(matrix[0], -2) + _forward(mixed, -1), _forward(mixed, -2) + _forward(matrix[1], -1)]
        )


def _forward(x: Tensor, dim: int) -> Tensor:
    return torch.roll(x, -1, dim) - x


def _backward(x: Tensor, dim: int) -> Tensor:
    return x - torch.roll(x, 1, dim)


def frequencies(shape: tuple[int, int], like: Tensor) -> tuple[Tensor, Tensor]:
    """Symbols of the forward differences in uncentred Fourier space: exp(i w) - 1, complex (y, 1) and (1, x)."""
    ny, nx = shape

    def symbol(n: int) -> Tensor:
        w = 2 * math.pi * torch.arange(n, dtype=torch.float64, device=like.device) / n
        return torch.polar(torch.ones_like(w), w) - 1

    return symbol(ny).to(like.dtype)[:, None], symbol(nx).to(like.dtype)[None]


def laplacian(shape: tuple[int, int], like: Tensor) -> Tensor:
    """D^H D in uncentred Fourier space, real (y, x): |exp(i w) - 1|^2, summed over both axes."""
    y, x = frequencies(shape, like.new_empty(0, dtype=torch.complex128))
    return (y.abs().square() + x.abs().square()).to(like.real.dtype)
