"""Shepp-Logan: values, and the closed-form k-space against a raster so fine that its pixels no longer matter."""

import pytest
import torch

from kolumn.errors import ArgumentError
from kolumn.fourier import fft2, ifft2
from kolumn.phantoms import shepp_logan, shepp_logan_kspace

SHAPES = [(48, 48), (49, 36), (38, 51)]


def fine_kspace(shape, s=8):
    """K-space of a raster s times finer, cropped to the wanted samples.

    With index N // 2 the origin on both grids, the fine grid has to be sampled at 2 (i - s N // 2) / (s N).
    """
    big = fft2(shepp_logan((shape[0] * s, shape[1] * s), supersample=6).double() + 0j)
    at = [n * s // 2 - n // 2 for n in shape]
    middle = big[at[0] : at[0] + shape[0], at[1] : at[1] + shape[1]] / s
    # Its pixels are means over squares, which multiplies k-space by a sinc.
    ky, kx = (torch.sinc((torch.arange(n) - n // 2) / (n * s)) for n in shape)
    return middle / (ky[:, None] * kx)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_closed_form_is_the_transform_of_the_picture(shape):
    exact, raster = shepp_logan_kspace(shape), fine_kspace(shape)
    assert exact.dtype == torch.complex64
    assert (exact - raster).norm() < 2e-3 * raster.norm()
    outer = torch.ones(shape, dtype=torch.bool)
    outer[shape[0] // 4 : -(shape[0] // 4), shape[1] // 4 : -(shape[1] // 4)] = False
    assert (exact - raster)[outer].norm() < 0.05 * raster[outer].norm()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_image_of_the_closed_form_lies_on_the_raster(shape):
    image = ifft2(shepp_logan_kspace(shape))
    raster = shepp_logan(shape)
    assert image.imag.abs().max() < 0.1 * raster.max()  # the unpaired Nyquist sample of an even size
    assert (image.real - raster).norm() < 0.2 * raster.norm()
    for shift in ((1, 0), (0, 1), (-1, 0), (0, -1)):
        assert (image.real - raster).norm() < (image.real - raster.roll(shift, (0, 1))).norm()


def test_known_brightness():
    image = shepp_logan((256, 256), supersample=1)
    assert image.dtype == torch.float32
    values = sorted({round(v, 3) for v in image.unique().tolist()})
    assert values == [0.0, 0.1, 0.2, 0.3, 0.4, 1.0]
    assert image[0, 0] == 0
    assert image[128, 128] == pytest.approx(0.2, abs=1e-6)
    # The bright ellipse lies above the centre, the three small ones below it.
    assert image[128 - 45, 128] == pytest.approx(0.3, abs=1e-6)
    assert image[128 + 77, 128] == pytest.approx(0.3, abs=1e-6)
    assert image[128, 128 - 29] == 0
    assert image[128, 128 + 29] == 0
    # The larger dark ellipse is on the viewer's left.
    assert (image[40:-40, 60:128] == 0).sum() > 1.5 * (image[40:-40, 128:196] == 0).sum()


def test_supersampling_softens_edges_and_keeps_the_mean():
    soft, hard = shepp_logan((64, 65), 8), shepp_logan((64, 65), 1)
    assert len(soft.unique()) > 20
    assert soft.mean() == pytest.approx(float(shepp_logan((512, 520), 4).mean()), rel=2e-3)
    assert soft.mean() == pytest.approx(float(hard.mean()), rel=0.05)


@pytest.mark.parametrize("make", [shepp_logan, shepp_logan_kspace])
@pytest.mark.parametrize("shape", [(15, 64), (64, 3), (64,), (0, 0)])
def test_too_small(make, shape):
    with pytest.raises(ArgumentError, match="at least 16"):
        make(shape)


def test_the_middle_of_kspace_is_the_area():
    area = torch.pi * (0.69 * 0.92 - 0.8 * 0.6624 * 0.874 - 0.2 * (0.11 * 0.31 + 0.16 * 0.41))
    area += torch.pi * 0.1 * (0.21 * 0.25 + 2 * 0.046**2 + 2 * 0.046 * 0.023 + 0.023**2)
    assert shepp_logan_kspace((33, 20))[16, 10] == pytest.approx(area * (33 * 20) ** 0.5 / 4)
