"""Wavelets: orthogonal at any size, and those of PyWavelets where that has the same number of coefficients."""

import math

import numpy as np
import pytest
import torch

from kolumn.errors import ArgumentError
from kolumn.operators.wavelet import WAVELETS, Wavelet

NAMES = ["haar", "db1", "db2", "db3", "db4", "db8"]


def draw(*shape, seed=0, dtype=torch.complex128):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def taps(name):
    """h as Daubechies tabulates it."""
    tables = {
        "db1": [0.7071067811865476, 0.7071067811865476],
        "db2": [0.48296291314453416, 0.8365163037378079, 0.22414386804201339, -0.12940952255126037],
        "db3": [
            0.33267055295008263,
            0.8068915093110925,
            0.45987750211849154,
            -0.13501102001025458,
            -0.08544127388202666,
            0.03522629188570953,
        ],
        "db4": [
            0.23037781330889650,
            0.71484657055291565,
            0.63088076792985890,
            -0.02798376941685985,
            -0.18703481171909309,
            0.03084138183556076,
            0.03288301166688520,
            -0.01059740178506903,
        ],
    }
    return tables["db1" if name == "haar" else name]


def level(x, h):
    """One level of a vector, with loops: approximation, odd sample, detail."""
    n, p = len(x), len(h) // 2
    even = n - n % 2
    low, high = np.zeros(even // 2, x.dtype), np.zeros(even // 2, x.dtype)
    for k in range(even // 2):
        for j in range(2 * p):
            sample = x[(2 * k + j - p + 1) % even]
            low[k] += h[j] * sample
            high[k] += (-1) ** j * h[2 * p - 1 - j] * sample
    return np.concatenate([low, x[even:], high])


def written_out(x, h, levels):
    x = x.copy()
    ny, nx = x.shape
    for _ in range(levels):
        for i in range(ny):
            if nx > 1:
                x[i, :nx] = level(x[i, :nx], h)
        for j in range(nx):
            if ny > 1:
                x[:ny, j] = level(x[:ny, j], h)
        ny, nx = math.ceil(ny / 2), math.ceil(nx / 2)
    return x


@pytest.mark.parametrize("levels", [1, 2, 4])
@pytest.mark.parametrize("shape", [(13, 17), (16, 24), (6, 40), (1, 9), (5, 1), (37, 3)])
@pytest.mark.parametrize("name", ["haar", "db2", "db3", "db4"])
def test_coefficients_are_those_of_loops(name, shape, levels):
    x = draw(*shape)
    want = written_out(x.numpy(), taps(name), levels)
    torch.testing.assert_close(Wavelet(name, levels).forward(x), torch.from_numpy(want), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("levels", [1, 3, 5])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (13, 17), (64, 46), (31, 96), (1, 9)])
@pytest.mark.parametrize("name", NAMES)
def test_orthogonal_at_any_size(name, shape, levels):
    W, x, z = Wavelet(name, levels), draw(2, *shape), draw(2, *shape, seed=1)
    torch.testing.assert_close(W.adjoint(W.forward(x)), x, rtol=1e-10, atol=1e-11)
    torch.testing.assert_close(W.forward(W.adjoint(z)), z, rtol=1e-10, atol=1e-11)
    left, right = torch.vdot(W.forward(x).ravel(), z.ravel()), torch.vdot(x.ravel(), W.adjoint(z).ravel())
    torch.testing.assert_close(left, right, rtol=1e-10, atol=1e-10)


@pytest.mark.filterwarnings("ignore:Level value of .* is too high")  # it warns where filters wrap more than once
@pytest.mark.parametrize("name", WAVELETS)
def test_where_sizes_halve_evenly_it_is_pywavelets(name):
    pywt = pytest.importorskip("pywt")
    for shape, levels in (((48, 80), 4), ((64, 40), 3), ((320, 32), 2)):
        x = draw(*shape)
        want, _ = pywt.coeffs_to_array(pywt.wavedec2(x.numpy(), name, mode="periodization", level=levels))
        torch.testing.assert_close(Wavelet(name, levels).forward(x), torch.from_numpy(want), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", ["db2", "db4", "db8"])
def test_polynomials_have_no_detail(name):
    """p vanishing moments: away from the border, where periods meet."""
    p, n = WAVELETS[name], 64
    t = torch.linspace(0, 1, n, dtype=torch.float64)
    inside = slice(n // 2 + p, n - p)
    for degree in range(p + 1):
        z = Wavelet(name, 1).forward((t**degree)[None])[0, inside]
        assert (float(z.abs().max()) < 1e-11) == (degree < p)


@pytest.mark.parametrize(
    ("shape", "levels", "want"), [((13, 17), 1, (7, 9)), ((3, 320, 46), 4, (20, 3)), ((1, 5), 3, (1, 1))]
)
def test_the_size_of_the_approximation(shape, levels, want):
    assert Wavelet("db2", levels).approximation(shape) == want


def test_the_approximation_is_all_that_a_constant_leaves():
    W = Wavelet("db2", 2)
    z = W.forward(torch.ones(16, 36, dtype=torch.float64))
    rows, columns = W.approximation(z.shape)
    torch.testing.assert_close(z[:rows, :columns], torch.full((4, 9), 4.0, dtype=z.dtype))
    z[:rows, :columns] = 0
    torch.testing.assert_close(z, torch.zeros_like(z), rtol=0, atol=1e-11)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.complex64, torch.complex128])
def test_precision_and_batches(dtype):
    W, x = Wavelet("db4", 2), draw(2, 3, 33, 20, dtype=dtype)
    z = W.forward(x)
    assert z.dtype == W.adjoint(z).dtype == dtype
    assert z.shape == x.shape
    for i in range(2):
        for j in range(3):
            torch.testing.assert_close(z[i, j], W.forward(x[i, j]))
            torch.testing.assert_close(W.adjoint(z)[i, j], x[i, j], rtol=1e-4, atol=1e-5)


def test_a_batch_that_is_taken_in_parts():
    W, x = Wavelet("db2", 2), draw(5, 210, 200, dtype=torch.complex64)
    z = W.forward(x)
    back = W.adjoint(z)
    for i in range(5):
        torch.testing.assert_close(z[i], W.forward(x[i]))
        torch.testing.assert_close(back[i], x[i], rtol=0, atol=1e-4)


def test_strides_do_not_matter_and_arguments_are_left_alone():
    W, x = Wavelet("db4", 2), draw(20, 33)
    before = x.clone()
    torch.testing.assert_close(W.forward(x.T), W.forward(x.T.contiguous()))
    torch.testing.assert_close(W.adjoint(x[:, ::2]), W.adjoint(x[:, ::2].contiguous()))
    W.forward(x)
    W.adjoint(x)
    assert torch.equal(x, before)


def test_what_it_refuses():
    with pytest.raises(ArgumentError, match="'sym4'; wanted one of haar, db1"):
        Wavelet("sym4")
    with pytest.raises(ArgumentError, match="levels is 0"):
        Wavelet("db4", 0)
