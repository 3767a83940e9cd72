"""Finite differences against loops, and against their Fourier symbols."""

import math

import pytest
import torch

from kolumn.operators.gradient import Gradient, SymmetricGradient, frequencies

SHAPES = [(5, 7), (6, 9), (1, 4), (2, 1)]


def draw(*shape, seed=0, dtype=torch.complex128):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def written_out(x, sign, axis):
    """Forward (sign 1) or backward (-1) differences of one image along y (0) or x (1), periodic."""
    ny, nx = x.shape
    out = torch.zeros_like(x)
    for i in range(ny):
        for j in range(nx):
            other = x[(i + sign) % ny, j] if axis == 0 else x[i, (j + sign) % nx]
            out[i, j] = sign * (other - x[i, j])
    return out


@pytest.mark.parametrize("shape", SHAPES)
def test_forward_differences(shape):
    x = draw(2, *shape)
    d = Gradient().forward(x)
    assert d.shape == (2, 2, *shape)
    for entry in range(2):
        for axis in range(2):
            torch.testing.assert_close(d[axis, entry], written_out(x[entry], 1, axis))


@pytest.mark.parametrize("shape", SHAPES)
def test_symmetrised_backward_differences(shape):
    w = draw(2, 3, *shape)
    e = SymmetricGradient().forward(w)
    assert e.shape == (3, 3, *shape)
    for entry in range(3):
        w_y, w_x = w[0, entry], w[1, entry]
        torch.testing.assert_close(e[0, entry], written_out(w_y, -1, 0))
        torch.testing.assert_close(e[1, entry], written_out(w_x, -1, 1))
        mixed = (written_out(w_x, -1, 0) + written_out(w_y, -1, 1)) / 2
        # twice in the symmetric matrix, so that the sums of squares agree
        torch.testing.assert_close(e[2, entry].abs().square(), 2 * mixed.abs().square())
        torch.testing.assert_close(e[2, entry], math.sqrt(2) * mixed)


@pytest.mark.parametrize("operator", [Gradient(), SymmetricGradient()])
def test_the_norm_squared_is_at_most_eight(operator):
    x = draw(6, 8) if isinstance(operator, Gradient) else draw(2, 6, 8)
    for _ in range(200):
        x = operator.adjoint(operator.forward(x / x.norm()))
    assert 7.5 < float(x.norm()) <= 8 + 1e-12


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_frequencies_are_the_eigenvalues(dtype):
    x = draw(5, 8, dtype=dtype)
    y_symbol, x_symbol = frequencies((5, 8), x)
    d = Gradient().forward(x)
    for symbol, direction in ((y_symbol, 0), (x_symbol, 1)):
        assert symbol.dtype == dtype
        torch.testing.assert_close(torch.fft.fft2(d[direction]), symbol * torch.fft.fft2(x), rtol=1e-4, atol=1e-4)


def test_precision_stays_and_real_images_stay_real():
    for dtype in (torch.complex64, torch.float32, torch.float64):
        x = draw(4, 5, dtype=dtype)
        assert Gradient().adjoint(Gradient().forward(x)).dtype == dtype
        w = draw(2, 4, 5, dtype=dtype)
        assert SymmetricGradient().adjoint(SymmetricGradient().forward(w)).dtype == dtype
