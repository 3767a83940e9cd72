"""The Fourier pair against its equation and numpy, and what cropping keeps."""

import numpy as np
import pytest
import torch

from kolumn.fourier import crop, fft1, fft2, ifft1, ifft2, remove_oversampling

SHAPES = [(8, 6), (7, 9), (6, 11), (5, 8), (1, 4), (4, 1)]
DIMS = [-1, -2, -3, 0, 1]


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def by_numpy(x, axes, inverse=False):
    transform = np.fft.ifftn if inverse else np.fft.fftn
    y = transform(np.fft.ifftshift(x.numpy(), axes), axes=axes, norm="ortho")
    return torch.from_numpy(np.fft.fftshift(y, axes))


def matrix(n):
    """The equation itself, index n // 2 being the origin of both sides."""
    c = np.arange(n) - n // 2
    return torch.from_numpy(np.exp(-2j * np.pi * np.outer(c, c) / n) / np.sqrt(n))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("ours", "inverse"), [(fft2, False), (ifft2, True)])
def test_two_dimensions(ours, inverse, shape):
    x = draw(2, 3, *shape)
    torch.testing.assert_close(ours(x), by_numpy(x, (-2, -1), inverse), rtol=1e-12, atol=1e-12)
    fy, fx = (matrix(n).conj() if inverse else matrix(n) for n in shape)
    torch.testing.assert_close(ours(x), fy @ x @ fx.mT, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("dim", DIMS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("ours", "inverse"), [(fft1, False), (ifft1, True)])
def test_one_dimension(ours, inverse, shape, dim):
    x = draw(3, *shape)
    torch.testing.assert_close(ours(x, dim), by_numpy(x, (dim,), inverse), rtol=1e-12, atol=1e-12)


def test_one_dimension_is_the_phase_encode_unless_told():
    x = draw(5, 4)
    assert torch.equal(fft1(x), fft1(x, -1))
    assert torch.equal(ifft1(x), ifft1(x, -1))
    torch.testing.assert_close(fft1(fft1(x, -2), -1), fft2(x))


@pytest.mark.parametrize("shape", SHAPES)
def test_unitary(shape):
    x, y = draw(2, *shape), draw(2, *shape, seed=1)
    for forward, inverse in ((fft2, ifft2), (fft1, ifft1)):
        torch.testing.assert_close(inverse(forward(x)), x)
        torch.testing.assert_close(forward(x).norm(), x.norm())
        torch.testing.assert_close(torch.vdot(forward(x).ravel(), y.ravel()), torch.vdot(x.ravel(), inverse(y).ravel()))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_constant_and_a_point_meet_at_the_centre(shape):
    y, x = (n // 2 for n in shape)
    point = torch.zeros(shape, dtype=torch.complex128)
    point[y, x] = 1
    flat = torch.full(shape, 1 / np.sqrt(np.prod(shape)), dtype=torch.complex128)
    for transform in (fft2, ifft2):
        torch.testing.assert_close(transform(flat), point)
        torch.testing.assert_close(transform(point), flat)


def test_precision_is_kept():
    assert fft2(torch.ones(4, 4, dtype=torch.complex64)).dtype == torch.complex64
    assert ifft1(torch.ones(4, 4, dtype=torch.complex128)).dtype == torch.complex128


@pytest.mark.parametrize("shape", [(8, 8), (7, 8), (8, 7), (7, 7), (9, 12)])
@pytest.mark.parametrize("to", [(4, 4), (3, 4), (4, 3), (5, 3), (1, 1), (6, 7)])
def test_crop_keeps_the_centre(shape, to):
    y, x = (torch.arange(n) - n // 2 for n in shape)
    image = torch.stack([y[:, None].expand(shape), x.expand(shape)])
    part = crop(image, to)
    assert part.shape == (2, *to)
    assert torch.equal(part[0, :, 0], torch.arange(to[0]) - to[0] // 2)
    assert torch.equal(part[1, 0], torch.arange(to[1]) - to[1] // 2)


def test_crop_keeps_an_axis_that_is_small_enough():
    image = draw(2, 5, 6)
    assert torch.equal(crop(image, (9, 6)), image)
    assert torch.equal(crop(image, (9, 2)), image[..., 2:4])
    assert torch.equal(crop(image, (1, 9)), image[:, 2:3])


@pytest.mark.parametrize("size", [12, 13])
@pytest.mark.parametrize("n", [4, 5, 6, 7, 12])
@pytest.mark.parametrize("nx", [6, 7])
def test_oversampling_is_removed_in_the_image(size, n, nx):
    k = draw(2, 3, size, nx)
    small = remove_oversampling(k, n)
    assert small.shape == (2, 3, n, nx)
    torch.testing.assert_close(ifft2(small), crop(ifft2(k), (n, nx)))


def test_oversampling_leaves_skipped_columns_at_zero():
    k = draw(3, 12, 6)
    k[..., 1::2] = 0
    assert not remove_oversampling(k, 6)[..., 1::2].any()
    assert remove_oversampling(k, 6)[..., ::2].abs().min() > 0


@pytest.mark.parametrize("n", [12, 13, 99])
def test_nothing_is_oversampled(n):
    k = draw(3, 12, 6)
    assert torch.equal(remove_oversampling(k, n), k)
