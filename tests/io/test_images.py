"""NIfTI, PNG and the others, as other programs see them."""

from __future__ import annotations

import shutil
import subprocess

import h5py
import nibabel
import numpy as np
import pytest
import torch
from io_files import OBLIQUE, random_kspace
from PIL import Image

from kolumn.acquisition import Geometry
from kolumn.io import open_scan, read_maps, write, write_kspace
from kolumn.io.cfl import map_cfl


def lps(affine, *index):
    return (np.diag([-1, -1, 1, 1]) @ affine @ [*index, 1])[:3]


@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti_places_the_fourier_centre_at_the_position(name, tmp_path):
    image = random_kspace(2, 6, 7, scale=1e-8)
    write(tmp_path / name, image, OBLIQUE)
    n = nibabel.load(tmp_path / name)
    h = n.header
    assert n.shape == (6, 7, 2)
    assert h.get_data_dtype() == np.float32
    assert (int(h["sform_code"]), int(h["qform_code"])) == (1, 1)
    assert h.get_xyzt_units() == ("mm", "sec")
    assert h.get_zooms() == pytest.approx((20, 30, 6))
    assert np.allclose(h.get_qform(), h.get_sform(), atol=1e-4)
    for i in range(2):
        assert np.allclose(lps(n.affine, 3, 3, i), OBLIQUE.positions[i], atol=1e-4)
    assert np.allclose(lps(n.affine, 4, 3, 0) - lps(n.affine, 3, 3, 0), 20 * np.array(OBLIQUE.read_dir))
    assert np.allclose(lps(n.affine, 3, 4, 0) - lps(n.affine, 3, 3, 0), 30 * np.array(OBLIQUE.phase_dir), atol=1e-5)
    assert np.array_equal(n.get_fdata(dtype=np.float32).transpose(2, 0, 1), image.abs().numpy())


def test_nifti_sorts_slices_and_keeps_repetitions_apart(tmp_path):
    z = (10.0, 0.0, 5.0, 10.0, 0.0, 5.0)
    g = Geometry((4, 4), (40, 40, 3), tuple((0.0, 0.0, p) for p in z))
    image = torch.arange(1.0, 7).reshape(6, 1, 1).expand(6, 4, 4)
    write(tmp_path / "a.nii", image, g)
    n = nibabel.load(tmp_path / "a.nii")
    assert n.get_fdata()[0, 0].tolist() == [[2, 5], [3, 6], [1, 4]]
    assert n.header.get_zooms()[2] == 5
    assert lps(n.affine, 2, 2, 0).tolist() == [0, 0, 0]


def test_nifti_without_geometry_claims_no_place(tmp_path):
    write(tmp_path / "a.nii", torch.ones(3, 4))
    n = nibabel.load(tmp_path / "a.nii")
    assert (int(n.header["sform_code"]), int(n.header["qform_code"])) == (0, 0)
    assert n.shape == (3, 4, 1)


def test_png_is_one_window_and_a_montage(tmp_path):
    image = torch.zeros(3, 20, 30)
    image[0], image[1], image[2] = 0.0, 1e-8, 2e-8
    write(tmp_path / "a.png", image)
    p = np.asarray(Image.open(tmp_path / "a.png"))
    assert p.dtype == np.uint8
    assert p.shape == (40, 60)
    assert [p[0, 0], p[0, 40], p[30, 0], p[30, 40]] == [0, 128, 255, 0]
    write(tmp_path / "b.png", torch.zeros(4, 5))
    assert np.asarray(Image.open(tmp_path / "b.png")).max() == 0


def test_png_window_ignores_one_hot_pixel(tmp_path):
    image = torch.full((100, 100), 0.5)
    image[3, 3] = 1000
    write(tmp_path / "a.png", image)
    assert np.asarray(Image.open(tmp_path / "a.png"))[50, 50] == 255


def test_npy_and_cfl_and_h5_values(tmp_path):
    image = random_kspace(2, 5, 6)
    write(tmp_path / "a.npy", image)
    assert np.array_equal(np.load(tmp_path / "a.npy"), image.numpy())
    write(tmp_path / "a.cfl", image)
    back = map_cfl(tmp_path / "a.cfl")
    assert back.shape == (5, 6) + (1,) * 11 + (2, 1, 1)
    assert np.array_equal(np.moveaxis(back.reshape(5, 6, 2), -1, 0), image.numpy())
    write(tmp_path / "a.h5", image, attributes={"method": "sense"})
    with h5py.File(tmp_path / "a.h5") as f:
        assert f["reconstruction"].dtype == np.float32
        assert np.array_equal(f["reconstruction"][:], image.abs().numpy())
        assert f.attrs["method"] == "sense"


needs_bart = pytest.mark.skipif(shutil.which("bart") is None, reason="BART is not installed")


@needs_bart
def test_bart_reads_what_we_write_and_the_other_way_round(tmp_path):
    def bart(*words):
        subprocess.run(["bart", *words], cwd=tmp_path, check=True, capture_output=True)

    bart("phantom", "-x", "32", "-s", "4", "-k", "k")
    scan = open_scan(tmp_path / "k")
    assert scan.shape == (4, 32, 32)
    bart("fft", "-u", "-i", "3", "k", "image")
    from kolumn.fourier import ifft2

    ours = ifft2(scan.load(0).kspace)
    theirs = torch.from_numpy(map_cfl(tmp_path / "image.cfl").reshape(32, 32, 4).transpose(2, 0, 1).copy())
    assert (ours - theirs).abs().max() < 1e-5 * theirs.abs().max()
    write_kspace(tmp_path / "again.cfl", scan)
    bart("nrmse", "-t", "0.0000001", "k", "again")
    bart("phantom", "-x", "32", "-S", "4", "maps")
    assert read_maps(tmp_path / "maps").shape == (4, 32, 32)


@pytest.mark.parametrize(("dim", "says"), [(2, "second phase encode"), (4, "sets of maps"), (7, "dimension 7")])
def test_cfl_that_is_no_2d_kspace(dim, says, tmp_path):
    from kolumn.errors import FormatError

    dims = [4, 4] + [1] * 14
    dims[dim] = 2
    (tmp_path / "a.hdr").write_text("# Dimensions\n" + " ".join(map(str, dims)) + "\n")
    np.ones(32, np.complex64).tofile(tmp_path / "a.cfl")
    with pytest.raises(FormatError, match=says):
        open_scan(tmp_path / "a.cfl")


def test_cfl_time_and_slice_become_slices(tmp_path):
    k = random_kspace(2, 3, 4, 5)  # time, slice, ky, kx
    dims = [4, 5] + [1] * 8 + [2, 1, 1, 3, 1, 1]
    (tmp_path / "a.hdr").write_text("# Dimensions\n" + " ".join(map(str, dims)) + "\n# Command\nx\n")
    k.numpy().transpose(2, 3, 0, 1).ravel(order="F").tofile(tmp_path / "a.cfl")
    scan = open_scan(tmp_path / "a.cfl")
    assert scan.n_slices == 6
    assert torch.equal(scan.load(4).kspace[0], k[1, 1])
