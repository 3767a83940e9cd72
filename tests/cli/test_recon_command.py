"""`kolumn recon`: images equal to the library's, in every format, and every option."""

from __future__ import annotations

import h5py
import nibabel
import numpy as np
import pytest
import torch
from kolumn_runs import MASK, SHAPE, bad, good, kspace_of, run, save, scan_of
from PIL import Image

import kolumn
from kolumn.acquisition import acquire
from kolumn.coils import compress, noise_from_edge, whiten
from kolumn.fourier import ifft2
from kolumn.io import open_scan
from kolumn.masks import make_mask
from kolumn.report import undersampled


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recon")
    samples = make_mask("equispaced", SHAPE, 2, 0.25, 0).samples
    save(folder / "full.npz", scan_of(3))
    save(folder / "under.npz", undersampled(scan_of(3), samples))
    np.save(folder / "mask.npy", samples[0].numpy())
    return folder


@pytest.fixture
def image(folder, tmp_path, capsys):
    """The complex image of a command line."""

    def make(*words, file="under.npz"):
        target = tmp_path / "image.npy"
        good(capsys, "recon", folder / file, "-o", target, "--overwrite", *words)
        return torch.from_numpy(np.load(target))

    return make


def same(got, expected):
    """Equal but for the order of additions; each slice by itself, since they are 1 : 30 : 0.1 in brightness."""
    assert got.shape == expected.shape and got.dtype == expected.dtype
    error = torch.linalg.vector_norm(got - expected, dim=(-2, -1))
    assert bool((error < 1e-5 * torch.linalg.vector_norm(expected, dim=(-2, -1))).all())


def library(folder, method, file="under.npz", **options):
    acquisition = open_scan(folder / file).volume()
    return torch.stack([kolumn.reconstruct(acquisition.entry(i), method=method, **options) for i in range(3)])


@pytest.mark.parametrize("method", ["zero-filled", "sense", "grappa"])
def test_as_the_library(folder, image, method):
    expected = library(folder, method)
    same(image("--method", method), expected)
    assert expected.abs().amax((-2, -1)).min() > 0


def test_auto(folder, image, capsys, tmp_path):
    same(image(), library(folder, "sense"))
    full = good(capsys, "recon", folder / "full.npz", "-o", tmp_path / "a.npy")
    assert full.err == f"zero-filled: 3 slices of 48 x 40 in {tmp_path / 'a.npy'}\n"
    assert full.out == ""


def test_formats(folder, tmp_path, capsys):
    for suffix in ("npy", "cfl", "h5", "nii", "nii.gz", "png"):
        target = tmp_path / f"image.{suffix}"
        result = good(capsys, "recon", folder / "under.npz", "-o", target)
        assert result.err == f"sense: 3 slices of 48 x 40 in {target}\n"
    expected = torch.from_numpy(np.load(tmp_path / "image.npy"))
    size = expected.abs().numpy()
    same(expected, library(folder, "sense"))
    dims = [int(n) for n in (tmp_path / "image.hdr").read_text().splitlines()[1].split()]
    values = np.fromfile(tmp_path / "image.cfl", "<c8").reshape(dims, order="F").squeeze()
    np.testing.assert_array_equal(values.transpose(2, 0, 1), expected.numpy())
    with h5py.File(tmp_path / "image.h5") as file:
        np.testing.assert_array_equal(file["reconstruction"][:], size)
        assert file.attrs["method"] == "sense"
    for suffix in ("nii", "nii.gz"):
        stored = np.sort(nibabel.load(tmp_path / f"image.{suffix}").get_fdata().ravel())
        np.testing.assert_allclose(stored, np.sort(size.ravel()), rtol=1e-6)
    with Image.open(tmp_path / "image.png") as opened:
        picture = np.asarray(opened)
    assert picture.dtype == np.uint8 and picture.max() == 255
    tile = np.clip(np.round(size[0] / np.quantile(size, 0.999) * 255), 0, 255)
    np.testing.assert_allclose(picture[: SHAPE[0], : SHAPE[1]], tile, atol=1)


def test_one_slice_and_ranges(folder, image):
    whole = library(folder, "sense")
    for words, chosen in (("1", [1]), ("1:", [1, 2]), (":2", [0, 1]), ("0:3", [0, 1, 2])):
        expected = whole[chosen].squeeze(0)
        same(image("--slices", words), expected)


def test_a_slice_keeps_its_place(tmp_path, capsys):
    file = save(tmp_path / "a.mrd", scan_of(3))
    good(capsys, "recon", file, "-o", tmp_path / "all.nii", "--method", "zero-filled")
    good(capsys, "recon", file, "-o", tmp_path / "one.nii", "--method", "zero-filled", "--slices", "2")
    whole, one = nibabel.load(tmp_path / "all.nii"), nibabel.load(tmp_path / "one.nii")
    np.testing.assert_allclose(one.get_fdata()[..., 0], whole.get_fdata()[..., 2], rtol=1e-6)
    place = whole.affine @ np.array([0, 0, 2, 1])
    np.testing.assert_allclose(one.affine @ np.array([0, 0, 0, 1]), place, atol=1e-3)


def test_mask_from_a_file(folder, image):
    """Of a full file only what the mask keeps is used, and auto knows that lines are missing."""
    masked = image("--mask", folder / "mask.npy", file="full.npz")
    same(masked, library(folder, "sense"))
    named = image("--mask", folder / "mask.npy", "--method", "grappa", file="full.npz")
    same(named, library(folder, "grappa"))


def test_maps_by_name(folder, image):
    walsh = library(folder, "sense", maps="walsh")
    same(image("--maps", "walsh", "--method", "sense"), walsh)
    espirit = library(folder, "sense")
    same(image("--maps", "espirit", "--method", "sense"), espirit)
    assert not torch.allclose(walsh, espirit)


def test_maps_from_a_file(folder, image, tmp_path):
    maps = torch.randn(4, *SHAPE, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    maps /= maps.abs().square().sum(0).sqrt()
    np.save(tmp_path / "maps.npy", maps.numpy())
    np.asarray(maps.permute(1, 2, 0)[:, :, None].numpy()).flatten("F").tofile(tmp_path / "bart.cfl")
    (tmp_path / "bart.hdr").write_text(f"# Dimensions\n{SHAPE[0]} {SHAPE[1]} 1 4 1\n")
    acquisition = open_scan(folder / "under.npz").volume()
    expected = torch.stack([kolumn.reconstruct(acquisition.entry(i).kspace, maps=maps, method="sense") for i in (0, 1)])
    for name in ("maps.npy", "bart.cfl", "bart"):
        got = image("--maps", tmp_path / name, "--method", "sense", "--slices", "0:2")
        same(got, expected)


def test_maps_from_a_file_fit_the_coils_as_they_are(tmp_path, capsys):
    """With a noise scan beside them nothing is whitened."""
    file = save(tmp_path / "a.mrd", scan_of(snr=5.0))
    maps = torch.ones(4, *SHAPE, dtype=torch.complex64) * torch.tensor([0.1, 0.7, 0.5, 0.5])[:, None, None]
    np.save(tmp_path / "maps.npy", maps.numpy())
    good(capsys, "recon", file, "-o", tmp_path / "b.npy", "--maps", tmp_path / "maps.npy", "--method", "zero-filled")
    expected = kolumn.reconstruct(kspace_of(file)[0], maps=maps, method="zero-filled")
    same(torch.from_numpy(np.load(tmp_path / "b.npy")), expected)


def test_a_mask_adds_no_lines(folder, tmp_path, capsys):
    """What the file lacks it still lacks, whatever the mask says: gaps are not measured zeros."""
    np.save(tmp_path / "ones.npy", np.ones(SHAPE[1]))
    words = ["recon", folder / "under.npz", "-o", tmp_path / "a.npy", "--mask", tmp_path / "ones.npy"]
    good(capsys, *words)
    same(torch.from_numpy(np.load(tmp_path / "a.npy")), library(folder, "sense"))


def test_coils(folder, image):
    acquisition = open_scan(folder / "under.npz").volume()
    expected = torch.stack([kolumn.reconstruct(compress(acquisition.entry(i), 2), method="sense") for i in range(3)])
    same(image("--coils", "2"), expected)
    assert not torch.allclose(expected, library(folder, "sense"))


def test_whiten(folder, image, tmp_path, capsys):
    acquisition = open_scan(folder / "under.npz").volume()
    white = [whiten(a, noise_from_edge(a)) for a in map(acquisition.entry, range(3))]
    expected = torch.stack([kolumn.reconstruct(a, method="sense") for a in white])
    same(image("--whiten", "edge"), expected)
    noisy = save(tmp_path / "noise.mrd", scan_of(snr=5.0))
    got = {}
    for how in ("auto", "scan", "none"):
        good(capsys, "recon", noisy, "-o", tmp_path / f"{how}.npy", "--whiten", how)
        got[how] = np.load(tmp_path / f"{how}.npy")
    np.testing.assert_array_equal(got["auto"], got["scan"])
    assert not np.allclose(got["auto"], got["none"])
    plain = kolumn.reconstruct(acquire(kspace_of(noisy)[0]), method="zero-filled")
    np.testing.assert_allclose(got["none"], plain.numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    ("method", "words", "options"),
    [
        ("sense", ["--lam", "0.3"], {"lam": 0.3}),
        ("sense", ["--lam=3e-1"], {"lam": 0.3}),
        ("sense", ["--max-iterations", "2", "--tolerance", "1e-9"], {"max_iterations": 2, "tolerance": 1e-9}),
        ("sense", ["--n-maps", "2", "--outside", "0"], {"n_maps": 2, "outside": 0.0}),
        ("grappa", ["--rows", "3", "--columns", "4"], {"rows": 3, "columns": 4}),
    ],
)
def test_options_of_the_method(folder, image, method, words, options):
    expected = library(folder, method, **options)
    same(image("--method", method, *words), expected)
    assert not torch.allclose(expected, library(folder, method))


def test_options_may_come_before_the_file(folder, tmp_path, capsys):
    good(capsys, "recon", "--lam", "0.3", "-o", tmp_path / "a.npy", folder / "under.npz", "--max-iterations=2")
    good(capsys, "recon", folder / "under.npz", "-o", tmp_path / "b.npy", "--lam=0.3", "--max-iterations", "2")
    assert (tmp_path / "a.npy").read_bytes() == (tmp_path / "b.npy").read_bytes()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--method", "sense", "--lam", "abc"], "--lam is 'abc'; wanted a number"),
        (["--method", "sense", "--max-iterations", "2.5"], "--max-iterations is '2.5'; wanted a whole number"),
        (["--method", "sense", "--lam", "-1"], "lam is -1.0"),
        (["--method", "sense", "--lam", "nan"], "lam is nan"),
        (["--method", "sense", "--lam"], "option --lam needs a value: a number"),
        (["--method", "grappa", "--outside", "1"], "--outside is an option of sense, not of grappa"),
        (["--method", "sense", "--lamb", "1"], "unknown option --lamb; did you mean --lam? see `kolumn recon --help`"),
        (["--slice", "1"], "unknown option --slice; did you mean --slices?"),
        (["--overwrte"], "unknown option --overwrte; did you mean --overwrite?"),
        (["--zzzzzz", "1"], "unknown option --zzzzzz; see `kolumn recon --help`"),
        (["-x"], "unknown option -x;"),
        (["more.h5"], "cannot make sense of 'more.h5': one file at a time"),
        (["--method", "sens"], "unknown method 'sens'"),
        (["--slices", "3"], "--slices is '3' and the file has slices 0 to 2"),
        (["--slices", "-1"], "--slices is '-1' and the file has slices 0 to 2"),
        (["--slices", "2:2"], "--slices is '2:2', a range without slices"),
        (["--slices", "1:9"], "--slices is '1:9' and the file"),
        (["--slices", "one"], "--slices is 'one'; wanted a number, 7, or a range, 3:9"),
        (["--slices", "0:1:2"], "--slices is '0:1:2'; wanted"),
        (["--coils", "0"], "cannot compress 4 coils to 0"),
        (["--coils", "5"], "cannot compress 4 coils to 5"),
        (["--whiten", "white"], "whitening is 'white'; wanted one of auto, scan, edge, none"),
        (["--whiten", "scan"], "the file holds no noise scan"),
        (["--maps", "espirt"], "maps 'espirt': there is no such file; wanted espirit, walsh, or a file"),
        (["--device", "abacus"], "device 'abacus' cannot be used here"),
        (["--device", "meta"], "device 'meta' cannot be used here"),
        (["--mask", "nosuch.npy"], "nosuch.npy: there is no such file"),
    ],
)
def test_wrong_options(folder, tmp_path, capsys, words, says):
    line = bad(capsys, "recon", folder / "under.npz", "-o", tmp_path / "a.npy", *words)
    assert says in line
    assert list(tmp_path.iterdir()) == []


def test_a_target_that_stands_stops_before_the_work(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("kolumn.io.open_scan", lambda *a: pytest.fail("worked first"))
    (tmp_path / "a.npy").write_bytes(b"mine")
    for command in ("recon", "undersample"):
        assert "exists already" in bad(capsys, command, folder / "full.npz", "-o", tmp_path / "a.npy")


def test_no_file(capsys, tmp_path):
    assert "no FILE was given" in bad(capsys, "recon", "--lam", "0.1", "-o", tmp_path / "a.npy")
    result = run(capsys, "recon", "-o", tmp_path / "a.npy")
    assert result.code == 2 and "Missing argument 'FILE'" in result.err


def test_maps_that_do_not_fit(folder, tmp_path, capsys):
    np.save(tmp_path / "maps.npy", np.ones((3, *SHAPE), np.complex64))
    np.save(tmp_path / "real.npy", np.ones((4, *SHAPE), np.float32))
    np.save(tmp_path / "nan.npy", np.full((4, *SHAPE), np.nan, np.complex64))
    before = sorted(tmp_path.iterdir())
    for name, says in (("maps", "3 x 48 x 40; wanted maps"), ("real", "wanted complex maps"), ("nan", "maps hold NaN")):
        words = ["recon", folder / "under.npz", "-o", tmp_path / "a.npy", "--maps", tmp_path / f"{name}.npy"]
        assert says in bad(capsys, *words)
    both = bad(capsys, *words[:-1], tmp_path / "maps.npy", "--coils", "2")
    assert "leave out --coils and --whiten" in both
    assert "leave out --coils" in bad(capsys, *words[:-1], tmp_path / "maps.npy", "--whiten", "edge")
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("method", ["sense", "grappa"])
def test_no_calibration_lines(folder, tmp_path, capsys, method):
    columns = np.arange(SHAPE[1]) % 2 == 1
    np.save(tmp_path / "mask.npy", columns)
    words = ["recon", folder / "full.npz", "-o", tmp_path / "a.npy", "--mask", tmp_path / "mask.npy"]
    line = bad(capsys, *words, "--method", method)
    assert "calibration" in line
    assert [p.name for p in tmp_path.iterdir()] == ["mask.npy"]


def test_mask_is_equispaced_as_the_other_commands_make_it(folder, tmp_path, capsys):
    good(capsys, "undersample", folder / "full.npz", "-o", tmp_path / "u.npz", *MASK)
    np.testing.assert_array_equal(kspace_of(tmp_path / "u.npz"), kspace_of(folder / "under.npz"))


def test_an_image_in_the_place_of_kspace_is_said_to_be_one(folder, tmp_path, capsys):
    np.save(tmp_path / "image.npy", ifft2(kspace_of(folder / "full.npz")).numpy())
    said = "note: the image will be wrong: this looks like an image, not k-space"
    assert said in good(capsys, "recon", tmp_path / "image.npy", "-o", tmp_path / "x.png").err
    words = ["compare", tmp_path / "image.npy", "-o", tmp_path / "r", "--methods", "zero-filled"]
    assert said in good(capsys, *words).err
    assert "will be wrong" not in good(capsys, "recon", folder / "full.npz", "-o", tmp_path / "y.png").err
