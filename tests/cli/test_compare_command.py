"""`kolumn compare` and `kolumn demo`: scores, files, honesty about what was seen."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from importlib.metadata import version

import h5py
import numpy as np
import pytest
import torch
from kolumn_runs import MASK, SHAPE, bad, good, kspace_of, save, scan_of, tree
from PIL import Image

import kolumn
from kolumn.acquisition import acquire
from kolumn.cli import console
from kolumn.cli.compare import names
from kolumn.coils import noise_from_edge, whiten
from kolumn.io import open_scan
from kolumn.masks import KINDS, make_mask
from kolumn.metrics import METRICS, score
from kolumn.phantoms import phantom
from kolumn.report import compare, undersampled

FILES = ["metrics.json", "report.html", "report.png", "run.json"]
METHODS = ["zero-filled", "sense", "grappa"]
DIRECT = ["--methods", ",".join(METHODS)]


def strict(path):
    def never(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads(path.read_text(), parse_constant=never)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return save(tmp_path_factory.mktemp("compare") / "head.h5", scan_of(3))


@pytest.fixture(scope="module")
def samples():
    return make_mask("equispaced", SHAPE, 2, 0.25, 0).samples


def magnitudes(acquisition, samples, method, **options):
    slices = [undersampled(acquisition.entry(i), samples) for i in range(len(acquisition.kspace))]
    return torch.stack([kolumn.reconstruct(a, method=method, **options).abs() for a in slices])


def test_scores_and_structure(file, samples, tmp_path, capsys):
    result = good(capsys, "compare", file, "-o", tmp_path / "r", *MASK, "--lam", "0.1", "--rows", "3", *DIRECT)
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == FILES
    metrics = strict(tmp_path / "r" / "metrics.json")
    assert list(metrics) == ["file", "mask", "reference", "methods", "notes"]
    assert metrics["reference"] == "rss"
    assert metrics["file"] == "head.h5" and metrics["notes"] == []
    assert metrics["mask"] == {
        "kind": "equispaced",
        "acceleration": 2.0,
        "center": 0.25,
        "seed": 0,
        "true_acceleration": 40 / int(samples.sum()),
        "calibration_width": 11,
        "shape": [1, 40],
    }
    assert list(metrics["methods"]) == METHODS
    acquisition = open_scan(file).volume()
    reference = kolumn.reconstruct(acquisition, method="zero-filled").abs()
    options = {"sense": {"lam": 0.1}, "grappa": {"rows": 3}}
    for name, got in metrics["methods"].items():
        assert list(got) == ["nmse", "psnr", "ssim", "hfen", "seconds"]
        assert 0 < got["seconds"] < 30
        images = magnitudes(acquisition, samples, name, **options.get(name, {}))
        for metric, value in score(reference, images).items():
            assert got[metric] == pytest.approx(value, rel=1e-4), (name, metric)
    sense, zero = metrics["methods"]["sense"], metrics["methods"]["zero-filled"]
    assert sense["nmse"] < zero["nmse"] / 2 and sense["psnr"] > zero["psnr"] + 3

    lines = result.out.splitlines()
    header = ["method", "NMSE", "PSNR", "/", "dB", "SSIM", "HFEN", "iterations", "seconds", "objective", "lambda"]
    assert lines[0].split() == header
    for line, (name, got) in zip(lines[1:], metrics["methods"].items(), strict=True):
        cells = [name, f"{got['nmse']:.5f}", f"{got['psnr']:.2f}", f"{got['ssim']:.4f}", f"{got['hfen']:.4f}"]
        assert line.split() == [*cells, "-", f"{got['seconds']:.2f}", "-", "-"]
    truly = f"mask truly {metrics['mask']['true_acceleration']:.2f}x"
    assert result.err == f"{truly}; report in {tmp_path / 'r' / 'report.html'}\n"


def test_record_of_the_run(file, tmp_path, capsys):
    words = ["compare", file, "-o", tmp_path / "r", *MASK, "--methods", " sense, zero-filled,sense,", "--seed", "7"]
    words += ["--lam", "0.1", "--whiten", "edge", "--device", "cpu"]
    good(capsys, *words)
    run = strict(tmp_path / "r" / "run.json")
    assert run["command"] == ["kolumn", *map(str, words)]
    assert run["settings"] == {
        "mask": "equispaced",
        "acceleration": 2.0,
        "center": 0.25,
        "seed": 7,
        "methods": ["sense", "zero-filled"],
        "whiten": "edge",
        "device": "cpu",
        "dataset": None,
        "reference": "rss",
        "convergence": False,
        "method_options": {"sense": {"lam": 0.1}, "zero-filled": {}},
    }
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert run["file"] == {"name": "head.h5", "bytes": file.stat().st_size, "sha256": digest}
    assert run["threads"] == torch.get_num_threads()
    assert run["python"] == platform.python_version()
    assert run["versions"]["kolumn"] == version("kolumn") and run["versions"]["torch"] == torch.__version__
    assert list(strict(tmp_path / "r" / "metrics.json")["methods"]) == ["sense", "zero-filled"]


def test_default_mask_and_seed(tmp_path, capsys):
    """The defaults of the contract: random, 4, 0.08, 0."""
    file = save(tmp_path / "a.npy", phantom(shape=(80, 96), n_coils=4)[0])
    good(capsys, "compare", file, "-o", tmp_path / "r")
    metrics = strict(tmp_path / "r" / "metrics.json")
    assert list(metrics["methods"]) == ["zero-filled", "sense", "tv", "wavelet"]
    assert metrics["mask"] == make_mask("random", (80, 96), 4, 0.08, 0).to_dict()
    assert metrics["mask"]["true_acceleration"] == 4


def test_every_estimate_comes_from_the_undersampled_data(file, samples, tmp_path):
    """What the mask leaves out may change the reference, and nothing else: noise, maps, weights, scaling."""
    acquisition = open_scan(file).volume()
    noise = 20 * torch.randn(
        acquisition.kspace.shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(3)
    )
    other = torch.where(samples, acquisition.kspace, acquisition.kspace * noise)
    scans = [open_scan(file), open_scan(save(tmp_path / "other.h5", acquire(other)))]
    for whitening in ("none", "edge"):
        one, two = (
            compare(scan, lambda shape: make_mask("equispaced", shape, 2, 0.25, 0), METHODS, whitening=whitening)
            for scan in scans
        )
        for name in METHODS:
            torch.testing.assert_close(one.results[name].images, two.results[name].images, rtol=1e-4, atol=1e-5)
            assert one.results[name].scores["nmse"] != two.results[name].scores["nmse"]
        assert not torch.allclose(one.reference, two.reference)


def test_reference_is_whitened_alike(file, samples):
    acquisition = open_scan(file).volume().entry(1)
    white = whiten(acquisition, noise_from_edge(undersampled(acquisition, samples)))
    expected = kolumn.reconstruct(white, method="zero-filled").abs()
    got = compare(
        open_scan(file), lambda shape: make_mask("equispaced", shape, 2, 0.25, 0), ["zero-filled"], whitening="edge"
    )
    torch.testing.assert_close(got.reference[1], expected, rtol=1e-4, atol=1e-4 * float(expected.max()))


def test_noise_scan(tmp_path, capsys):
    file = save(tmp_path / "a.mrd", scan_of(snr=5.0))
    scores = {}
    for how in ("auto", "scan", "none"):
        good(capsys, "compare", file, "-o", tmp_path / how, *MASK, "--whiten", how, "--methods", "sense")
        scores[how] = strict(tmp_path / how / "metrics.json")["methods"]["sense"]["nmse"]
    assert scores["auto"] == scores["scan"] != scores["none"]


def test_undersampled_file(file, tmp_path, capsys):
    """Images without scores, by its own mask and calibration lines."""
    good(capsys, "undersample", file, "-o", tmp_path / "u.h5", *MASK)
    result = good(capsys, "compare", tmp_path / "u.h5", "-o", tmp_path / "r", "--acceleration", "9", *DIRECT)
    note = "u.h5 is itself undersampled (1.60x), so its own mask was used, there is no full reference, and nothing is"
    assert result.err.startswith(f"note: {note} scored\n")
    assert [line.split()[1:5] for line in result.out.splitlines()[1:]] == [["-"] * 4] * 3
    metrics = strict(tmp_path / "r" / "metrics.json")
    assert metrics["reference"] is None
    assert metrics["mask"]["kind"] == "acquired" and metrics["mask"]["true_acceleration"] == pytest.approx(40 / 25)
    assert metrics["notes"] == [f"{note} scored"]
    for got in metrics["methods"].values():
        assert [got[m] for m in METRICS] == [None] * 4
        assert got["seconds"] > 0
    page = (tmp_path / "r" / "report.html").read_text()
    assert page.count("data:image/png") == 4 and note in page and "full reference" not in page.split("<table>")[1]
    with Image.open(tmp_path / "r" / "report.png") as picture:
        assert picture.width > 600


@pytest.mark.parametrize("kind", KINDS)
def test_every_mask(kind, tmp_path, capsys):
    file = save(tmp_path / "a.npy", scan_of())
    words = ["compare", file, "-o", tmp_path / "r", "--mask", kind, "--center", "0.25", "--methods", "zero-filled"]
    words += ["--acceleration", "1.6"]  # partial Fourier stays below 2
    good(capsys, *words)
    metrics = strict(tmp_path / "r" / "metrics.json")
    assert metrics["mask"] == make_mask(kind, SHAPE, 1.6, 0.25, 0, "a.npy").to_dict()
    scores = metrics["methods"]["zero-filled"]
    if kind == "full":
        assert scores["nmse"] == 0 and scores["psnr"] is None
    else:
        assert scores["nmse"] > 0 and scores["psnr"] > 0


def test_mask_of_a_file(file, samples, tmp_path, capsys):
    np.save(tmp_path / "mask.npy", samples[0].numpy().astype(np.float32) * 0.5)
    good(capsys, "compare", file, "-o", tmp_path / "r", "--mask", tmp_path / "mask.npy", "--methods", "zero-filled")
    good(capsys, "compare", file, "-o", tmp_path / "s", *MASK, "--methods", "zero-filled")
    given, made = (strict(tmp_path / name / "metrics.json") for name in "rs")
    assert given["mask"]["kind"] == str(tmp_path / "mask.npy")
    assert given["mask"]["true_acceleration"] == made["mask"]["true_acceleration"]
    assert given["methods"]["zero-filled"]["nmse"] == made["methods"]["zero-filled"]["nmse"]


def test_one_method_fails_and_the_others_go_on(file, tmp_path, capsys):
    words = ["compare", file, "-o", tmp_path / "r", "--center", "0", "--acceleration", "2", "--seed", "1"]
    result = good(capsys, *words, *DIRECT)
    metrics = strict(tmp_path / "r" / "metrics.json")
    for name in ("sense", "grappa"):
        got = metrics["methods"][name]
        assert "calibration" in got["error"]
        assert [got[key] for key in (*METRICS, "seconds")] == [None] * 5
        assert f"note: {name} gave no image: {got['error']}\n" in result.err
        assert f"{name} gave no image: {got['error']}" in metrics["notes"]
    assert "error" not in metrics["methods"]["zero-filled"] and metrics["methods"]["zero-filled"]["nmse"] > 0
    rows = {line.split()[0]: line.split()[1:] for line in result.out.splitlines()[1:]}
    assert rows["sense"] == rows["grappa"] == ["-"] * 8 and rows["zero-filled"][0] != "-"
    assert "sense gave no image" in (tmp_path / "r" / "report.html").read_text()
    line = bad(capsys, *words[:3], tmp_path / "s", *words[4:], "--methods", "sense,grappa")
    assert "sense gave no image" in line and "grappa gave no image" in line
    assert not (tmp_path / "s").exists()


def test_a_method_that_yields_nan_is_reported(file, tmp_path, capsys):
    words = ["compare", file, "-o", tmp_path / "r", *MASK, "--lam", "inf", "--methods", "sense,zero-filled"]
    good(capsys, *words)
    metrics = strict(tmp_path / "r" / "metrics.json")
    assert "NaN" in metrics["methods"]["sense"]["error"]
    assert metrics["methods"]["zero-filled"]["nmse"] > 0
    assert strict(tmp_path / "r" / "run.json")["settings"]["method_options"]["sense"] == {"lam": "inf"}


def test_overwrite(file, tmp_path, capsys):
    words = ["compare", file, "-o", tmp_path, *MASK, "--methods", "zero-filled"]
    (tmp_path / "notes.txt").write_text("mine")
    good(capsys, *words)
    before = tree(tmp_path)
    assert sorted(before) == sorted([*FILES, "notes.txt"])
    line = bad(capsys, *words)
    assert "already holds metrics.json, report.png, report.html, run.json" in line and "--overwrite" in line
    assert tree(tmp_path) == before
    (tmp_path / "report.html").unlink()
    assert "already holds metrics.json, report.png, run.json;" in bad(capsys, *words)
    good(capsys, *words, "--overwrite", "--seed", "5")
    after = tree(tmp_path)
    assert sorted(after) == sorted(before) and after["run.json"] != before["run.json"]
    assert after["notes.txt"] == b"mine"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--mask", "rndom"], "unknown mask 'rndom'; did you mean 'random'?"),
        (["--mask", "no.npy"], "no.npy: there is no such file"),
        (["--acceleration", "0.5"], "acceleration is 0.5; wanted a finite number of at least 1"),
        (["--acceleration", "nan"], "acceleration is nan"),
        (["--acceleration", "inf"], "acceleration is inf"),
        (["--acceleration", "99"], "acceleration 99 leaves none of the 40 columns"),
        (["--center", "2"], "center is 2.0; wanted a fraction"),
        (["--center", "-0.1"], "center is -0.1"),
        (["--center", "0.9"], "lower center or acceleration"),
        (["--seed", "-1"], "seed is -1"),
        (["--methods", "sens"], "unknown method 'sens'"),
        (["--methods", ","], "no methods to compare"),
        (["--methods", "sense", "--convergence"], "--convergence needs one of "),
        (["--whiten", "scan"], "no noise scan"),
        (["--whiten", "x"], "whitening is 'x'"),
        (["--device", "abacus"], "device 'abacus' cannot be used here"),
        (["--aceleration", "4"], "unknown option --aceleration; did you mean --acceleration? see `kolumn compare"),
        (["--methods", "sense", "--lam", "x"], "--lam is 'x'; wanted a number\n"),
        (["--methods", "zero-filled,sense", "--lam", "x"], "--lam is 'x'; wanted a number for sense\n"),
        (["--methods", "zero-filled", "--rows", "1"], "--rows is an option of grappa, not of zero-filled"),
        (["--dataset", "nosuch"], "has no dataset 'nosuch'; it has: "),
    ],
)
def test_wrong_options(file, tmp_path, capsys, words, says):
    assert says in bad(capsys, "compare", file, "-o", tmp_path / "r", *words)
    assert list(tmp_path.iterdir()) == []


def test_wrong_masks_of_a_file(file, tmp_path, capsys):
    ones = np.ones(40)
    wrong = {"short": ones[:39], "nan": ones * np.nan, "empty": ones * 0, "wide": np.ones((3, 40)), "text": ones > 0}
    for name, values in wrong.items():
        np.save(tmp_path / f"{name}.npy", values.astype("U1") if name == "text" else values)
    (tmp_path / "noise.npy").write_bytes(b"nothing of the kind")
    (tmp_path / "folder.npy").mkdir()
    before = tree(tmp_path)
    for name in (*wrong, "noise", "folder"):
        for command in ("compare", "undersample", "recon"):
            target = tmp_path / ("r" if command == "compare" else "r.npy")
            line = bad(capsys, command, file, "-o", target, "--mask", tmp_path / f"{name}.npy")
            assert f"{name}.npy" in line
    assert tree(tmp_path) == before


def test_wrong_targets(file, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    words = ["compare", file, *MASK, "--methods", "zero-filled", "-o"]
    assert "file is a file; give the name of a folder" in bad(capsys, *words, tmp_path / "file")
    assert "file does not exist; create it first" in bad(capsys, *words, tmp_path / "file" / "r")
    assert "create it first" in bad(capsys, *words, tmp_path / "no" / "r")
    assert "cannot write into /proc" in bad(capsys, *words, "/proc/r")
    assert tree(tmp_path) == {"file": b"mine"}


def test_an_unwritable_target_stops_before_the_work(file, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("kolumn.report.compare", lambda *a, **k: pytest.fail("worked first"))
    bad(capsys, "compare", file, "-o", "/proc/r")
    (tmp_path / "run.json").write_text("mine")
    bad(capsys, "compare", file, "-o", tmp_path)


def test_names():
    assert names(" a,b , a,,c") == ["a", "b", "c"]
    assert names("") == []


def test_demo(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["demo", "--lam", "0.01"]
    result = good(capsys, *words)
    assert [p.name for p in tmp_path.iterdir()] == ["kolumn-demo"]
    assert sorted(p.name for p in (tmp_path / "kolumn-demo").iterdir()) == FILES
    metrics = strict(tmp_path / "kolumn-demo" / "metrics.json")
    assert list(metrics["methods"]) == ["zero-filled", "sense", "grappa", "tv"]
    assert metrics["mask"]["kind"] == "equispaced" and metrics["mask"]["true_acceleration"] > 2
    scores = metrics["methods"]
    for name in ("sense", "grappa"):
        assert scores[name]["psnr"] > scores["zero-filled"]["psnr"] + 6
        assert scores[name]["ssim"] > scores["zero-filled"]["ssim"] + 0.1
    assert any("less its noise floor" in note for note in metrics["notes"])
    assert "report in kolumn-demo/report.html\n" in result.err
    assert strict(tmp_path / "kolumn-demo" / "run.json")["command"] == ["kolumn", *words]
    before = tree(tmp_path)
    assert "already holds" in bad(capsys, "demo")
    assert "demo takes no file and was given 'head.h5'; try `kolumn compare`" in bad(capsys, "demo", "head.h5")
    assert "seed is -1" in bad(capsys, "demo", "-o", "other", "--seed", "-1")
    assert "unknown option --aceleration" in bad(capsys, "demo", "-o", "other", "--aceleration", "3")
    assert "unknown option --whiten" in bad(capsys, "demo", "-o", "other", "--whiten", "edge")
    assert tree(tmp_path) == before


def test_plain_lines_where_there_is_no_terminal(capsys, monkeypatch):
    clock = iter([0.0, 1.0, 9.9, 10.1, 10.1, 20.0, 20.2, 20.2])
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with console.progress("compare", 5) as step:
        for i in range(5):
            step(f"sense, slice {i}")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err == "compare sense, slice 2: 3 of 5\ncompare sense, slice 4: 5 of 5\n"


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with console.progress("compare", 2) as step:
        step("sense")
        step("grappa")
    console.print_table(("method", "NMSE"), [("sense", "0.1")])
    printed = capsys.readouterr()
    assert "\x1b" in printed.err
    assert "sense" in printed.out and "0.1" in printed.out


def test_progress_is_told_of_every_slice_of_every_method(file):
    told = []
    make = lambda shape: make_mask("equispaced", shape, 2, 0.25, 0)  # noqa: E731
    compare(open_scan(file), make, ["zero-filled", "sense"], progress=lambda name, i: told.append((name, i)))
    assert told == [(name, i) for i in range(3) for name in ("zero-filled", "sense")]


def test_single_coil(tmp_path, capsys):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["kspace"] = scan_of(n_coils=1).kspace.numpy()[:, 0]
    good(capsys, "compare", tmp_path / "a.h5", "-o", tmp_path / "r", *MASK)
    metrics = strict(tmp_path / "r" / "metrics.json")
    assert all(0 < m["nmse"] < 1 for m in metrics["methods"].values())


def test_the_file_is_not_touched(file, tmp_path, capsys):
    before = file.read_bytes()
    good(capsys, "compare", file, "-o", tmp_path / "r", *MASK, "--methods", "zero-filled")
    assert file.read_bytes() == before
    assert kspace_of(file).abs().min() > 0
