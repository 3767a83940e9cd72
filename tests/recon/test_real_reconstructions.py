"""Scans of real scanners, where they are: the methods must earn their place on them."""

import functools
from pathlib import Path

import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.coils import linear_image
from kolumn.io import open_scan, read
from kolumn.masks import make_mask
from kolumn.metrics import score
from kolumn.recon import Sense, make_method, reconstruct
from kolumn.recon.prepare import finish, prepare

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real scans are not at {DATA}")


@functools.cache
def brain():
    k = read(DATA / "brain_gre_8coil.h5").kspace[0]
    return k, linear_image(k)


@functools.cache
def scores(name, kind, acceleration):
    k, reference = brain()
    mask = make_mask(kind, tuple(k.shape[1:]), acceleration, 0.08, seed=0).samples
    return score(reference, reconstruct(k, mask, method=name).abs())


@pytest.mark.parametrize(
    ("name", "kind", "acceleration", "nmse"),
    [
        ("sense", "random", 4, 0.65),
        ("sense", "equispaced", 2, 0.2),
        ("sense", "equispaced", 3, 0.2),
        ("grappa", "equispaced", 2, 0.1),
        ("grappa", "equispaced", 3, 0.15),
    ],
)
def test_better_than_zero_filled_by_every_score(name, kind, acceleration, nmse):
    zero, ours = scores("zero-filled", kind, acceleration), scores(name, kind, acceleration)
    assert ours["nmse"] < nmse * zero["nmse"]
    assert ours["psnr"] > zero["psnr"]
    assert ours["ssim"] > zero["ssim"]
    assert ours["hfen"] < 0.8 * zero["hfen"]


@pytest.mark.parametrize("name", ["zero-filled", "sense", "grappa"])
def test_fully_sampled_is_the_reference(name):
    k, reference = brain()
    assert score(reference, reconstruct(k, method=name).abs())["nmse"] < 3e-3


@functools.cache
def siemens():
    """Prospectively threefold, without oversampling, white; and where the phantom is, from the calibration lines."""
    acq = prepare(open_scan(DATA / "siemens_phantom_bssfp_r3_14coil.mrd.h5").load(0))
    low = torch.zeros_like(acq.kspace)
    low[..., 48:97] = acq.kspace[..., 48:97]
    image = finish(linear_image(low), acq)
    return acq, image > 0.03 * image.max()


def ghosts(method):
    """Energy outside of the phantom over that inside."""
    acq, body = siemens()
    image = finish(method(acq), acq)
    assert image.shape == (192, 144)
    energy = image.abs().square()
    return float(energy[~body].sum() / energy[body].sum())


def test_prospective_ghosts_go():
    _, body = siemens()
    assert 0.3 < float(body.float().mean()) < 0.5
    zero = ghosts(make_method("zero-filled"))
    assert ghosts(make_method("grappa")) < 0.4 * zero
    assert ghosts(make_method("sense")) < 0.25 * zero
    assert ghosts(Sense(outside=1.0)) < 0.4 * zero  # not merely because the air is dimmed


def test_a_compressed_scan_is_nearly_as_good():
    acq, _ = siemens()
    few = prepare(acquire(acq.kspace, acq.mask, noise=acq.noise), n_coils=8)
    image, all_coils = (reconstruct(a, method="grappa").abs() for a in (few, acquire(acq.kspace, acq.mask)))
    assert float((image - all_coils).norm() / all_coils.norm()) < 0.05
