"""What is written is read back: k-space, mask, geometry, noise and calibration."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
import torch
from io_files import OBLIQUE, covariance, random_kspace, volume

from kolumn.acquisition import acquire
from kolumn.errors import ArgumentError, FormatError, OutputError
from kolumn.fourier import crop, ifft2
from kolumn.io import open_scan, read, read_maps, write, write_kspace

KSPACE = ("a.h5", "a.mrd", "a.mrd.h5", "a.ismrmrd", "a.npy", "a.npz", "a.cfl")


@pytest.mark.parametrize("name", KSPACE)
@pytest.mark.parametrize("coils", [1, 3])
@pytest.mark.parametrize("size", [(12, 7), (9, 10)])
def test_kspace_comes_back(name, coils, size, tmp_path):
    acquisition = volume(coils, *size, geometry=None)
    write_kspace(tmp_path / name, acquisition)
    back = read(tmp_path / name)
    assert torch.equal(back.kspace, acquisition.kspace)
    assert torch.equal(back.mask.expand(back.kspace.shape), acquisition.mask.expand(back.kspace.shape))
    scan = open_scan(tmp_path / name)
    assert scan.shape == (coils, *size)
    assert scan.n_slices == 2
    assert torch.equal(scan.load(1).kspace, acquisition.kspace[1])
    with pytest.raises(ArgumentError, match="does not exist"):
        scan.load(2)


@pytest.mark.parametrize("name", KSPACE)
def test_a_scan_is_copied(name, tmp_path):
    acquisition = volume()
    write_kspace(tmp_path / "first.mrd", acquisition)
    write_kspace(tmp_path / name, open_scan(tmp_path / "first.mrd"))
    assert torch.equal(read(tmp_path / name).kspace, acquisition.kspace)


def test_content_decides_and_not_the_suffix(tmp_path):
    for name in ("a.mrd", "a.npy", "a.npz"):
        write_kspace(tmp_path / name, volume())
        (tmp_path / name).rename(tmp_path / "b.h5")
        assert open_scan(tmp_path / "b.h5").format == {"a.mrd": "ismrmrd"}.get(name, name[2:])


def test_fastmri_layout(tmp_path):
    k = random_kspace(2, 3, 12, 7)
    full = acquire(k, geometry=OBLIQUE)
    write_kspace(tmp_path / "a.h5", full, attributes={"patient_id": "p9"})
    with h5py.File(tmp_path / "a.h5") as f:
        rss = f["reconstruction_rss"][:]
        assert f["kspace"].shape == (2, 3, 12, 7)
        assert "mask" not in f
        assert f.attrs["patient_id"] == "p9"
        assert f.attrs["max"] == pytest.approx(rss.max(), rel=1e-6)
        assert f.attrs["norm"] == pytest.approx(np.linalg.norm(rss), rel=1e-5)
    wanted = crop(ifft2(k), (6, 7)).abs().square().sum(1).sqrt()
    assert np.abs(rss - wanted.numpy()).max() < 1e-6 * rss.max()
    back = read(tmp_path / "a.h5")
    assert back.geometry.matrix == (6, 7)
    assert back.geometry.fov == pytest.approx((120, 210, 4))


def test_undersampled_fastmri_has_mask_and_the_target_that_is_given(tmp_path):
    write_kspace(tmp_path / "a.h5", volume())
    write_kspace(tmp_path / "b.h5", volume(), target=torch.ones(2, 6, 7))
    with h5py.File(tmp_path / "a.h5") as a, h5py.File(tmp_path / "b.h5") as b:
        assert a["mask"][:].tolist() == [True, False, True, True, True, True, True]
        assert "reconstruction_rss" not in a
        assert (b["reconstruction_rss"][:] == 1).all()
        assert b.attrs["max"] == 1


def test_the_mask_of_the_file_wins_over_zeros(tmp_path):
    k = random_kspace(1, 2, 6, 8)
    k[..., 2] = 0  # sampled, and nothing came
    k[..., 5] = 1e-9  # not sampled, whatever stands there
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["kspace"] = k.numpy()
        f["mask"] = np.array([1, 1, 1, 1, 1, 0, 1, 1], np.float32)
        f["other"] = k.numpy()
    a = read(tmp_path / "a.h5")
    assert a.mask.flatten().tolist() == [True] * 5 + [False] + [True] * 2
    assert (a.kspace[..., 5] == 0).all()
    assert open_scan(tmp_path / "a.h5", dataset="other").n_slices == 1
    with pytest.raises(FormatError, match="kspace 1x2x6x8, mask 8, other"):
        open_scan(tmp_path / "a.h5", dataset="third")


def test_ismrmrd_keeps_geometry_noise_and_calibration(tmp_path):
    C = covariance(3)
    block = random_kspace(2, 3, 12, 4, seed=3)
    acquisition = volume(noise=C, calibration=block)
    write_kspace(tmp_path / "a.mrd", acquisition)
    scan = open_scan(tmp_path / "a.mrd")
    assert scan.has_noise
    assert scan.calibration == "separate"
    back = scan.volume()
    assert torch.equal(back.kspace, acquisition.kspace)
    assert (back.noise - C).abs().max() < 1e-5 * C.abs().max()
    assert torch.equal(back.calibration, block)
    g = back.geometry
    assert g.matrix == OBLIQUE.matrix
    for name in ("fov", "read_dir", "phase_dir", "slice_dir"):
        assert getattr(g, name) == pytest.approx(getattr(OBLIQUE, name), abs=1e-6), name
    assert np.allclose(g.positions, OBLIQUE.positions, atol=1e-5)


def test_ismrmrd_partial_readout_comes_back(tmp_path):
    k = random_kspace(1, 2, 12, 8)
    mask = torch.ones(12, 8, dtype=torch.bool)
    mask[:3] = False
    a = acquire(k, mask)
    write_kspace(tmp_path / "a.mrd", a)
    back = read(tmp_path / "a.mrd")
    assert torch.equal(back.kspace, a.kspace)
    assert torch.equal(back.mask.expand(k.shape), a.mask.expand(k.shape))
    mask[5, 5] = False
    with pytest.raises(ArgumentError, match="gaps along the readout"):
        write_kspace(tmp_path / "b.mrd", acquire(k, mask))
    assert not (tmp_path / "b.mrd").exists()


@pytest.mark.parametrize("name", ["a.npy", "a.cfl", "a.h5", "a.nii", "a.nii.gz", "a.png"])
def test_targets_are_not_overwritten(name, tmp_path):
    image = random_kspace(2, 5, 6)
    write(tmp_path / name, image)
    before = (tmp_path / name).read_bytes()
    with pytest.raises(OutputError, match="exists already"):
        write(tmp_path / name, image * 2)
    assert (tmp_path / name).read_bytes() == before
    write(tmp_path / name, image, overwrite=True)
    assert not [p for p in tmp_path.iterdir() if p.name.startswith(".")]


def test_a_bart_header_in_the_way_stops_the_pair(tmp_path):
    (tmp_path / "a.hdr").write_text("mine")
    with pytest.raises(OutputError, match=r"a\.hdr exists"):
        write(tmp_path / "a.cfl", random_kspace(5, 6))
    assert not (tmp_path / "a.cfl").exists()


def test_failing_writes_leave_nothing(tmp_path):
    good = volume()
    with pytest.raises(ArgumentError, match="must agree"):
        write_kspace(tmp_path / "a.h5", [good.entry(0), volume(coils=2).entry(0)])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", ["a.jpg", "a", ".png", "a.dat"])
def test_unknown_endings_list_the_known(bad, tmp_path):
    with pytest.raises(ArgumentError, match=r"\.nii\.gz"):
        write(tmp_path / bad, torch.ones(4, 4))
    with pytest.raises(ArgumentError, match=r"\.mrd\.h5"):
        write_kspace(tmp_path / bad, volume())


def test_images_that_cannot_be_written(tmp_path):
    with pytest.raises(ArgumentError, match="wanted"):
        write(tmp_path / "a.npy", torch.ones(2, 2, 2, 2))
    with pytest.raises(ArgumentError, match="NaN"):
        write(tmp_path / "a.npy", torch.full((2, 2), torch.nan))
    with pytest.raises(OutputError, match="does not exist"):
        write(tmp_path / "no" / "a.npy", torch.ones(2, 2))


def test_npy_takes_every_rank_and_order(tmp_path):
    k = random_kspace(3, 6, 5)
    np.save(tmp_path / "a.npy", np.asfortranarray(k.numpy()))
    np.save(tmp_path / "b.npy", k[0].numpy().astype(np.complex128))
    np.save(tmp_path / "c.npy", k.numpy().astype(">c8"))
    assert torch.equal(read(tmp_path / "a.npy").kspace[0], k)
    assert torch.equal(read(tmp_path / "b.npy").kspace[0, 0], k[0])
    assert torch.equal(read(tmp_path / "c.npy").kspace[0], k)


def test_npz_with_fortran_order_and_other_name(tmp_path):
    k = random_kspace(2, 6, 5)
    np.savez_compressed(tmp_path / "a.npz", mine=np.asfortranarray(k.numpy()), mask=np.array([1, 1, 0, 1, 1]))
    a = open_scan(tmp_path / "a.npz", dataset="mine").load(0)
    assert a.mask.flatten().tolist() == [True, True, False, True, True]
    assert torch.equal(a.kspace[..., 3], k[..., 3])


def test_maps(tmp_path):
    m = random_kspace(3, 6, 5, scale=1.0)
    np.save(tmp_path / "a.npy", m.numpy())
    np.savez(tmp_path / "a.npz", maps=m.numpy())
    assert torch.equal(read_maps(tmp_path / "a.npy"), m)
    assert torch.equal(read_maps(tmp_path / "a.npz"), m)
    np.save(tmp_path / "b.npy", np.stack([m, m]))
    assert read_maps(tmp_path / "b.npy").shape == (2, 3, 6, 5)
    np.save(tmp_path / "c.npy", m[0].numpy())
    with pytest.raises(FormatError, match="wanted complex maps"):
        read_maps(tmp_path / "c.npy")


def test_a_crop_larger_than_kspace_is_limited_and_pixels_keep_their_size(tmp_path):
    """The fastMRI brains whose header asks for 320 columns where 203 were acquired."""
    size, fov = "<matrixSize><x>{1}</x><y>{2}</y><z>1</z></matrixSize>", "<x>{3}</x><y>{4}</y><z>5</z>"
    space = "<{0}>" + size + "<fieldOfView_mm>" + fov + "</fieldOfView_mm></{0}>"
    parts = space.format("encodedSpace", 20, 6, 40, 12) + space.format("reconSpace", 10, 10, 20, 20)
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["kspace"] = random_kspace(1, 2, 20, 6).numpy()
        f["ismrmrd_header"] = f"<ismrmrdHeader><encoding>{parts}</encoding></ismrmrdHeader>".encode()
    g = open_scan(tmp_path / "a.h5").geometry
    assert g.matrix == (10, 6)
    assert g.fov == (20, 12, 5)


def test_single_coil_and_missing_parts(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["kspace"] = random_kspace(3, 6, 5).numpy()
        f["ismrmrd_header"] = b"<ismrmrdHeader/>"
    scan = open_scan(tmp_path / "a.h5")
    assert (scan.shape, scan.n_slices, scan.geometry) == ((1, 6, 5), 3, None)


def test_reading_goes_on_in_a_forked_process(tmp_path):
    import os
    import warnings

    write_kspace(tmp_path / "a.h5", volume())
    read(tmp_path / "a.h5")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # from Python 3.12 on forking with threads is warned of
        child = os.fork()
    if child == 0:
        ok = False
        try:
            ok = read(tmp_path / "a.h5").n_coils == 3
        finally:
            from kolumn.io import hdf5

            hdf5._HELPER.stop()
            os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert read(tmp_path / "a.h5").n_coils == 3


def test_import_is_light():
    import subprocess
    import sys

    code = "import sys, kolumn.io; print([m for m in ('h5py', 'nibabel', 'twixtools', 'PIL') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
