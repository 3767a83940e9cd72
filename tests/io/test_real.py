"""Files of real scanners, where they are."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import torch

from kolumn.fourier import crop, ifft2, remove_oversampling
from kolumn.io import open_scan, read

DATA = Path(__file__).parents[3] / "shared" / "data"
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real scans are not at {DATA}")

FASTMRI = {
    "brain_t1_7coil.h5": (1, 7, 256, 216),
    "brain_gre_8coil.h5": (1, 8, 256, 256),
    **{f"brain_55mT_p{p}_{kind}.h5": (4, 1, 128, 126) for p in (1, 2, 3) for kind in ("fse", "flair")},
}


@pytest.mark.parametrize("name", FASTMRI)
def test_fastmri_files_give_their_own_reconstruction(name):
    a = read(DATA / name)
    assert tuple(a.kspace.shape) == FASTMRI[name]
    image = torch.linalg.vector_norm(ifft2(a.kspace), dim=1)
    with h5py.File(DATA / name) as f:
        target = f["reconstruction_rss" if a.n_coils > 1 else "reconstruction_esc"][:]
    assert np.abs(image.numpy() - target).max() < 1e-4 * target.max()
    missing = {"flair": 9, "fse": 1}.get(name.removesuffix(".h5").rpartition("_")[2], 0)
    assert int((~a.mask).sum()) == missing


@pytest.fixture(scope="module")
def siemens():
    return open_scan(DATA / "siemens_phantom_bssfp_r3_14coil.mrd.h5")


def test_siemens_ismrmrd(siemens):
    a = siemens.load(0)
    assert siemens.shape == (14, 384, 144)
    assert siemens.geometry.matrix == (192, 144)
    assert siemens.calibration == "embedded"
    columns = a.mask.flatten().nonzero().flatten().tolist()
    assert len(columns) == 68
    assert (columns[0], columns[-1]) == (18, 123)
    assert set(range(48, 97)) <= set(columns)
    energy = a.kspace.abs().square().sum((0, 1))
    assert int(energy.argmax()) == 72


def test_siemens_noise_is_that_in_the_air(siemens):
    """Outermost lines, in the air beside the phantom where the receiver's band is flat."""
    a = siemens.load(0)
    air = ifft_rows(remove_oversampling(a.kspace, 192))[..., [18, 21, 24, 27, 117, 120, 123]]
    edge = torch.cat([air[:, :6], air[:, -6:]], dim=1)
    measured = (edge.abs().square().flatten(1).median(1).values / np.log(2)).sqrt()
    predicted = a.noise.diagonal().real.sqrt()
    assert float((measured / predicted).median()) == pytest.approx(1.0, abs=0.15)


def ifft_rows(k):
    from kolumn.fourier import ifft1

    return ifft1(k, -2)


def test_siemens_orientation(siemens):
    """The patient lies on the back: the coils in the table are behind (L P S: +P), those of the body mat in front."""
    a = siemens.load(0)
    with h5py.File(siemens.path) as f:
        xml = f["dataset/xml"][0].decode()
    labels = [part.split("<")[0] for part in xml.split("<coilName>")[1:]]
    k = torch.zeros_like(a.kspace)
    k[..., 48:97] = a.kspace[..., 48:97]
    image = crop(ifft2(k), siemens.geometry.matrix).abs().square()
    x = torch.arange(144) - 72.0
    behind = (image.sum(1) * x).sum(1) / image.sum((1, 2)) * siemens.geometry.phase_dir[1]
    spine = torch.tensor([label.startswith("Spine") for label in labels])
    assert float(behind[spine].mean()) > 5 > float(behind[~spine].mean())


def test_low_field_3d():
    scan = open_scan(DATA / "phantom_48mT_tse3d_1coil.mrd.h5")
    assert (scan.shape, scan.n_slices) == ((1, 100, 100), 10)
    energy = scan.volume().kspace.abs().square().sum((1, 2, 3))
    # The phantom is in the middle of the slab; without the shift it would be cut in two at the ends.
    assert float(energy[[0, 1, 9]].max()) < 0.02 * float(energy.max()) < 0.02 * 2 * float(energy[4:7].min())


def test_twix():
    pytest.importorskip("twixtools")
    scan = open_scan(DATA / "siemens_phantom_gre_2coil.dat")
    assert (scan.shape, scan.n_slices) == ((2, 320, 160), 1)
    a = scan.load(0)
    assert bool(a.mask.all())
    peak = a.kspace.abs().sum(0)
    assert divmod(int(peak.argmax()), 160) == (160, 80)
    assert scan.geometry.matrix == (160, 160)
    assert scan.geometry.fov == (200, 200, 4)
