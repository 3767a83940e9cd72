"""Raw k-space as training data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

import kolumn.train.recorded as train_recorded
from kolumn.acquisition import Geometry, acquire
from kolumn.coils import combine, root_sum_of_squares
from kolumn.errors import ArgumentError
from kolumn.fourier import fft2, ifft2
from kolumn.io import open_scan, write_kspace
from kolumn.phantoms import phantom
from kolumn.recon.prepare import prepare
from kolumn.train.masks import RandomMasks
from kolumn.train.recorded import Recorded, find_files, person
from kolumn.train.sample import estimated_maps

SCANS = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    top = tmp_path_factory.mktemp("scans")
    (top / "below").mkdir()
    for name, shape, coils, who in (("a.h5", (40, 36), 3, "ann"), ("below/b.h5", (33, 48), 1, "bob")):
        scan = phantom(shape=shape, n_coils=coils, n_slices=2, seed=coils)[0]
        write_kspace(top / name, replace(scan, noise=None, geometry=None), attributes={"patient_id": who})
    part = phantom(shape=(32, 32), n_coils=2)[0]
    write_kspace(top / "part.h5", acquire(part.kspace, torch.arange(32) % 2 == 0), attributes={"patient_id": "eve"})
    (top / "notes.txt").write_text("no k-space\n")
    return top


def test_files_of_a_folder(folder):
    files, left = find_files(folder)
    assert {path.name: who for path, who in files.items()} == {"a.h5": "ann", "b.h5": "bob"}
    assert len(left) == 2
    assert any("notes.txt" in line and "no format" in line for line in left)
    assert any("part.h5" in line and "50% of it is sampled" in line for line in left)


def test_folders_that_are_none(folder, tmp_path):
    with pytest.raises(ArgumentError, match="is no folder"):
        find_files(folder / "a.h5")
    with pytest.raises(ArgumentError, match="it is empty"):
        find_files(tmp_path)
    (tmp_path / "text").write_text("x")
    with pytest.raises(ArgumentError, match="holds no fully sampled k-space; text left out"):
        find_files(tmp_path)


def test_person_is_the_files_name_where_it_does_not_say(folder, tmp_path):
    assert person(open_scan(folder / "a.h5")) == "ann"
    torch.manual_seed(0)
    import numpy as np

    np.save(tmp_path / "joe.dat.npy", np.ones((1, 16, 16), np.complex64))
    assert person(open_scan(tmp_path / "joe.dat.npy")) == "joe"


def test_slices_and_masks_of_a_batch_are_drawn_one_by_one(folder):
    whole = open_scan(folder / "a.h5").volume().kspace
    batch = Recorded((folder / "a.h5",), batch_size=8, estimated=0.0)[0].acquisition
    slices = [torch.equal(k, whole[0] * mask) for k, mask in zip(batch.kspace, batch.mask, strict=True)]
    assert 0 < sum(slices) < 8
    assert len({tuple(mask.flatten().tolist()) for mask in batch.mask}) > 4


def unit(maps):
    return maps / root_sum_of_squares(maps)


def test_what_a_scanner_adds_is_dealt_with_as_before_a_reconstruction(monkeypatch):
    """Oversampling goes and the noise is whitened; a calibration block apart would tell what the mask left out."""
    scan = phantom(shape=(60, 36), n_coils=3, n_slices=1, snr=20.0, seed=1)[0].entry(0)
    geometry = Geometry(matrix=(30, 20), fov=(1.0, 1.0, 1.0))
    scan = replace(scan, geometry=geometry, calibration=torch.flip(scan.kspace, (-1,)).contiguous())
    wanted = prepare(scan)
    monkeypatch.setattr(train_recorded, "_open", lambda path: SimpleNamespace(n_slices=1, load=lambda i: scan))
    masks = RandomMasks(planes=0.0, center=(0.2, 0.2), acceleration=(2.0, 2.5))
    sample = Recorded((Path("held"),), masks=masks, estimated=1.0)[0]
    found = sample.acquisition.entry(0)
    assert found.kspace.shape == (3, 30, 36) and torch.equal(found.kspace, wanted.kspace * found.mask)
    assert torch.equal(found.noise, wanted.noise) and not torch.equal(found.noise, scan.noise)
    assert found.calibration is None and found.geometry is None
    assert torch.equal(found.maps, estimated_maps(replace(found, maps=None)))
    torch.testing.assert_close(sample.target[0], combine(ifft2(wanted.kspace), unit(found.maps)))


@pytest.mark.parametrize("estimated", [0.0, 1.0])
def test_target_and_data_belong_together(folder, estimated):
    files = (folder / "a.h5",)
    source = Recorded(files, seed=1, batch_size=2, rows=64, masks=RandomMasks(center=(0.16, 0.16)), estimated=estimated)
    whole = open_scan(files[0]).volume().kspace
    for i in range(3):
        sample = source[i]
        a = sample.acquisition
        for k, mask, maps, target in zip(a.kspace, a.mask, a.maps, sample.target, strict=True):
            fits = [torch.equal(k, w * mask) for w in whole]
            assert sum(fits) == 1
            torch.testing.assert_close(target, combine(ifft2(whole[fits.index(True)]), unit(maps)))
            assert ((root_sum_of_squares(maps) - 1).abs() < 1e-5).float().mean() > 0.4
        assert torch.equal(source[i].target, sample.target)


def test_maps_of_what_was_sampled_or_of_everything(folder):
    shares = {}
    for estimated in (0.0, 0.5, 1.0):
        masks = RandomMasks(planes=0.0, center=(0.2, 0.2), acceleration=(2.0, 2.5), kinds={"random": 1.0})
        source = Recorded((folder / "a.h5",), masks=masks, estimated=estimated)
        found = [source[i].acquisition.entry(0) for i in range(8)]
        shares[estimated] = sum(torch.equal(a.maps, estimated_maps(replace(a, maps=None))) for a in found)
    assert shares[0.0] == 0 < shares[0.5] < shares[1.0] == 8


def test_some_rows_of_a_large_image(folder):
    source = Recorded((folder / "a.h5",), batch_size=1, rows=17, masks=RandomMasks(planes=0.0, kinds={"full": 1.0}))
    images = ifft2(open_scan(folder / "a.h5").volume().kspace)
    starts = set()
    for i in range(8):
        part = ifft2(source[i].acquisition.kspace[0])
        assert part.shape == (3, 17, 36)
        fits = [
            (j, start)
            for j, image in enumerate(images)
            for start in range(24)
            if torch.allclose(image[:, start : start + 17], part, atol=1e-4 * float(part.abs().max()))
        ]
        assert len(fits) == 1
        starts |= set(fits)
    assert len(starts) > 3


def test_all_files_and_slices_are_drawn_and_batches_are_of_one_file(folder):
    source = Recorded(tuple(find_files(folder)[0]), batch_size=2)
    shapes = [tuple(source[i].acquisition.kspace.shape) for i in range(12)]
    assert set(shapes) == {(2, 3, 40, 36), (2, 1, 33, 48)}


def test_lines_that_the_file_lacks_stay_missing(tmp_path):
    scan = phantom(shape=(32, 40), n_coils=1)[0]
    mask = torch.arange(40) < 38
    write_kspace(tmp_path / "lack.h5", acquire(scan.kspace, mask))
    a = Recorded((tmp_path / "lack.h5",), masks=RandomMasks(kinds={"full": 1.0}, planes=0.0))[0].acquisition
    assert a.mask.sum() == 38 and not a.kspace[..., 38:].any()


def test_where_points_are_missing_all_rows_are_taken(monkeypatch):
    scan, mask = phantom(shape=(40, 36), n_coils=1, n_slices=1)[0].entry(0), torch.ones(40, 36)
    mask[:4, :8] = 0
    scan = acquire(scan.kspace, mask)
    monkeypatch.setattr(train_recorded, "_open", lambda path: SimpleNamespace(n_slices=1, load=lambda i: scan))
    a = Recorded((Path("held"),), rows=17, masks=RandomMasks(kinds={"full": 1.0}, planes=0.0))[0].acquisition
    assert torch.equal(a.kspace[0], scan.kspace) and torch.equal(a.mask[0, 0], scan.mask)


@pytest.mark.skipif(not SCANS.is_dir(), reason="real scans in ../shared/data are absent")
def test_real_scans():
    files, left = find_files(SCANS)
    names = {path.name for path in files}
    assert {"brain_gre_8coil.h5", "brain_t1_7coil.h5", "brain_55mT_p1_fse.h5", "brain_55mT_p3_flair.h5"} <= names
    assert any("siemens_phantom_bssfp" in line for line in left)
    source = Recorded((SCANS / "brain_t1_7coil.h5",), rows=64, masks=RandomMasks(planes=0.0))
    sample = source[0]
    assert sample.acquisition.kspace.shape == (1, 7, 64, 216)
    back = fft2(sample.acquisition.maps * sample.target[:, None]) * sample.acquisition.mask
    error = (back - sample.acquisition.kspace).norm() / sample.acquisition.kspace.norm()
    assert error < 0.3
