"""A simulated scan: its forward model, the signal-to-noise ratio it promises, its determinism."""

import math

import pytest
import torch

from kolumn.errors import ArgumentError
from kolumn.fourier import ifft2
from kolumn.phantoms import ARRAYS, PHANTOMS, anatomy, biot_savart, coil_covariance, phantom, simulate


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", PHANTOMS)
@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("shape", [(48, 48), (49, 64), (33, 20)])
def test_every_phantom(kind, array, shape):
    acq, image = phantom(kind, shape, n_coils=3, n_slices=2, array=array, seed=4)
    assert acq.kspace.shape == (2, 3, *shape)
    assert acq.kspace.dtype == torch.complex64
    assert acq.mask.shape == (1, shape[1])
    assert acq.mask.all()
    assert acq.maps is None
    assert acq.noise.shape == (3, 3)
    assert image.shape == (2, *shape)
    assert image.dtype == torch.complex64
    assert image.angle()[image.abs() > 0.1].std() > 0.1
    again, same = phantom(kind, shape, n_coils=3, n_slices=2, array=array, seed=4)
    assert torch.equal(acq.kspace, again.kspace)
    assert torch.equal(image, same)


@pytest.mark.parametrize("snr", [None, math.inf])
@pytest.mark.parametrize("array", ARRAYS)
def test_without_noise_the_coils_combine_to_the_image(array, snr):
    acq, image = phantom("anatomy", (64, 50), n_coils=6, n_slices=2, snr=snr, array=array)
    assert acq.noise is None
    combined = (ARRAYS[array](6, (64, 50)).conj() * ifft2(acq.kspace)).sum(-3)
    torch.testing.assert_close(combined, image, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("snr", [5.0, 40.0])
@pytest.mark.parametrize("kind", ["anatomy", "shepp-logan"])
def test_the_ratio_is_what_it_says(kind, snr):
    noisy, image = phantom(kind, (96, 96), n_coils=8, n_slices=2, snr=snr, seed=1)
    clean, _ = phantom(kind, (96, 96), n_coils=8, n_slices=2, snr=None, seed=1)
    maps = biot_savart(8, (96, 96))
    error = (maps.conj() * ifft2(noisy.kspace - clean.kspace)).sum(-3)
    body = image.abs() > 0.05 * image.abs().max()
    for part in (error.real, error.imag):
        assert image.abs()[body].mean() / part[body].std() == pytest.approx(snr, rel=0.04)
    n = (noisy.kspace - clean.kspace).transpose(0, 1).flatten(1)
    psi = n @ n.mH / n.shape[1]
    assert (psi - noisy.noise).norm() < 0.03 * psi.norm()  # the covariance that is handed over is the true one


def test_the_ratio_holds_for_bright_and_dark_images():
    maps = biot_savart(4, (64, 64))
    psi = coil_covariance(4, seeded())
    image = anatomy((64, 64), seeded())
    one = simulate(image, maps, psi, 20.0, seeded(1))
    bright = simulate(30 * image, maps, 7 * psi, 20.0, seeded(1))
    torch.testing.assert_close(bright.kspace, 30 * one.kspace, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(bright.noise, 900 * one.noise)


def test_a_covariance_without_a_ratio_is_used_as_it_is():
    psi = 1e-4 * coil_covariance(4, seeded())
    acq = simulate(anatomy((64, 64), seeded()), biot_savart(4, (64, 64)), psi, generator=seeded())
    assert torch.equal(acq.noise, psi)
    assert simulate(torch.ones(64, 64), biot_savart(4, (64, 64))).noise is None


def test_the_head_does_not_depend_on_the_scan():
    _, a = phantom(shape=(48, 48), n_coils=2, snr=10.0, seed=3)
    _, b = phantom(shape=(48, 48), n_coils=5, snr=None, array="birdcage", seed=3)
    _, c = phantom(shape=(48, 48), n_coils=2, snr=10.0, seed=4)
    assert torch.equal(a, b)
    assert (a.abs() - c.abs()).norm() > 0.1 * a.norm()


def test_geometry():
    acq, _ = phantom(shape=(64, 64), n_coils=1, n_slices=3)
    g = acq.geometry
    assert g.matrix == (64, 64)
    assert g.fov == pytest.approx((220, 220, 5))
    assert g.positions == ((0, 0, 5), (0, 0, 0), (0, 0, -5))
    read, phase, normal = (torch.tensor(v) for v in (g.read_dir, g.phase_dir, g.slice_dir))
    assert torch.equal(torch.linalg.cross(read, phase), normal)
    steps = torch.tensor(g.positions).diff(dim=0)
    assert torch.equal(steps, 5 * normal.expand(2, 3))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"n_coils": 0}, "n_coils is 0"),
        ({"n_slices": 0}, "n_slices is 0"),
        ({"shape": (12, 64)}, "at least 16"),
        ({"snr": 0.0}, "snr is 0"),
        ({"snr": -3.0}, "snr is -3"),
        ({"snr": math.nan}, "snr is nan"),
        ({"kind": "cat"}, "anatomy, anatomy-t2, shepp-logan"),
        ({"array": "cat"}, "birdcage, biot-savart"),
    ],
)
def test_bad_arguments(options, text):
    with pytest.raises(ArgumentError, match=text):
        phantom(**{"shape": (32, 32), **options})


def test_bad_simulations():
    maps = biot_savart(2, (32, 32))
    with pytest.raises(ArgumentError, match="generator"):
        simulate(torch.ones(32, 32), maps, snr=10)
    with pytest.raises(ArgumentError, match="maps"):
        simulate(torch.ones(32, 33), maps)
