"""Between the file and the method: oversampling, whitening, coil compression, cropping."""

import pytest
import torch

from kolumn.acquisition import Geometry, acquire
from kolumn.coils import compress, covariance, noise_from_edge, root_sum_of_squares, whiten
from kolumn.errors import ArgumentError
from kolumn.fourier import crop, fft2, ifft2
from kolumn.phantoms import coil_covariance, complex_noise
from kolumn.recon.prepare import finish, prepare

FOV = (200.0, 200.0, 5.0)


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def geometry(*matrix):
    return Geometry(matrix, FOV)


@pytest.mark.parametrize("size", [16, 17])
@pytest.mark.parametrize("rows", [8, 7])
def test_oversampling_goes(size, rows):
    k, maps = draw(2, 3, size, 10), draw(3, size, 10, seed=1)
    mask = torch.arange(10) % 2 == 0
    acq = acquire(k, mask, maps, calibration=draw(2, 3, size, 4, seed=2), geometry=geometry(rows, 10))
    done = prepare(acq)
    torch.testing.assert_close(ifft2(done.kspace), crop(ifft2(acq.kspace), (rows, 10)))
    assert not done.kspace[..., 1::2].any()
    assert torch.equal(done.maps, crop(maps, (rows, 10)))
    torch.testing.assert_close(ifft2(done.calibration), crop(ifft2(acq.calibration), (rows, 4)))
    assert done.geometry is acq.geometry
    assert torch.equal(done.mask, acq.mask)


def test_a_short_calibration_block_has_no_oversampling_to_lose():
    block = draw(3, 12, 4)
    assert torch.equal(
        prepare(acquire(draw(3, 16, 10), calibration=block, geometry=geometry(8, 10))).calibration, block
    )


@pytest.mark.parametrize("given", [None, geometry(16, 10), geometry(99, 5)])
def test_nothing_to_remove(given):
    acq = acquire(draw(3, 16, 10), geometry=given)
    assert torch.equal(prepare(acq).kspace, acq.kspace)


def test_a_readout_in_part_is_left_for_the_crop_of_the_image():
    mask = torch.ones(16, 10, dtype=torch.bool)
    mask[:3] = False
    acq = acquire(draw(3, 16, 10), mask, geometry=geometry(8, 10))
    done = prepare(acq)
    assert torch.equal(done.kspace, acq.kspace)
    image = root_sum_of_squares(ifft2(done.kspace))
    assert torch.equal(finish(image, done), crop(image, (8, 10)))


@pytest.mark.parametrize("matrix", [(6, 8), (5, 7), (9, 99)])
def test_finish(matrix):
    image = draw(2, 9, 12)
    assert torch.equal(finish(image, acquire(draw(3, 9, 12))), image)
    assert torch.equal(finish(image, acquire(draw(3, 9, 12), geometry=geometry(*matrix))), crop(image, matrix))


PSI = coil_covariance(3, torch.Generator().manual_seed(1), 0.5, 0.5).to(torch.complex128)


def test_ways_to_whiten():
    noise = complex_noise((3, 64, 64), PSI, torch.Generator().manual_seed(0))
    signal = fft2(torch.ones(3, 64, 64, dtype=torch.complex128))
    with_scan, without = acquire(noise + signal, noise=2 * PSI), acquire(noise + signal)
    for way in ("auto", "scan"):
        assert torch.equal(prepare(with_scan, way).kspace, whiten(with_scan, 2 * PSI).kspace)
    assert torch.equal(prepare(with_scan).noise, torch.eye(3, dtype=PSI.dtype))
    assert torch.equal(prepare(with_scan, "none").kspace, with_scan.kspace)
    assert torch.equal(prepare(with_scan, "none").noise, with_scan.noise)
    assert torch.equal(prepare(without).kspace, without.kspace)
    for acq in (with_scan, without):
        assert torch.equal(prepare(acq, "edge").kspace, whiten(acq, noise_from_edge(acq)).kspace)
    assert not torch.equal(prepare(with_scan, "edge").kspace, prepare(with_scan, "scan").kspace)


def test_the_edge_is_that_of_the_image_without_oversampling():
    """The receiver's filter dampens the noise in the oversampled margin: first remove that, then look for noise."""
    noise = complex_noise((3, 128, 64), PSI, torch.Generator().manual_seed(0))
    lines = ifft2(noise)
    lines[:, :32] = lines[:, 96:] = 0
    done = prepare(acquire(fft2(lines), geometry=geometry(64, 64)), "edge")
    white = covariance(done.kspace.flatten(1))
    assert (white - torch.eye(3)).norm() < 0.3


def test_whiten_first_then_compress():
    acq = acquire(draw(3, 16, 10), noise=PSI, geometry=geometry(8, 10))
    done = prepare(acq, n_coils=2)
    assert done.kspace.shape == (2, 8, 10)
    torch.testing.assert_close(done.kspace, compress(prepare(acq), 2).kspace)
    torch.testing.assert_close(done.noise, torch.eye(2, dtype=PSI.dtype))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"whitening": "magic"}, "whitening is 'magic'; wanted one of auto, scan, edge, none"),
        ({"whitening": "scan"}, "the file holds no noise scan; whiten from the edge of k-space, or not at all"),
        ({"n_coils": 4}, "cannot compress 3 coils to 4; wanted 1 to 3"),
        ({"n_coils": 0}, "cannot compress 3 coils to 0; wanted 1 to 3"),
    ],
)
def test_errors(options, text):
    with pytest.raises(ArgumentError, match=text):
        prepare(acquire(draw(3, 16, 10)), **options)


def test_the_argument_is_left_alone():
    acq = acquire(draw(3, 16, 10), noise=PSI, geometry=geometry(8, 10))
    before = acq.kspace.clone()
    prepare(acq, n_coils=2)
    assert torch.equal(acq.kspace, before)
