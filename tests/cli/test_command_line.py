"""The door itself: help, versions, chains of commands over every format, targets that stand already."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from kolumn_runs import MASK, bad, good, kspace_of, run, save, scan_of, tree

from kolumn.cli import main
from kolumn.cli.app import app
from kolumn.io import open_scan
from kolumn.masks import KINDS, make_mask
from kolumn.phantoms import phantom
from kolumn.recon import METHODS

COMMANDS = [command.callback.__name__ for command in app.registered_commands]
DATA = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("TERMINAL_WIDTH", "200")


def test_help_imports_nothing_heavy(tmp_path):
    code = (
        "import sys, atexit\n"
        "from kolumn.cli import main\n"
        "heavy = {'torch', 'numpy', 'h5py', 'matplotlib', 'nibabel', 'jinja2', 'PIL', 'scipy'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules))))\n"
        "main(sys.argv[1:])\n"
    )
    for words in (["--help"], ["compare", "--help"], ["--version"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert done.stdout.endswith("\n[]\n") and done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_the_command_is_installed(tmp_path):
    words = [str(Path(sys.executable).with_name("kolumn")), "info", "nosuch.h5"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "kolumn: nosuch.h5 does not exist\n")


@pytest.mark.parametrize(
    ("given", "sleeps"), [({}, True), ({"OMP_WAIT_POLICY": "active"}, False), ({"GOMP_SPINCOUNT": "9"}, False)]
)
def test_threads_sleep_while_they_wait_unless_the_user_says_otherwise(given, sleeps):
    """OpenMP itself is asked, which prints what it was told when it is loaded, with torch."""
    code = "import sys; sys.argv[1:] = ['--version']; from kolumn.cli import main\ntry: main()\nfinally: import torch"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "GOMP_", "KMP_"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=kept | given | {"OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        check=False,
    )
    spins = [line.split("'")[1] for line in done.stderr.splitlines() if "GOMP_SPINCOUNT" in line]
    if not spins:
        pytest.skip("an OpenMP that does not say what it was told")
    assert (spins == ["1000"]) == sleeps


def test_version(capsys):
    assert good(capsys, "--version").out == "kolumn 0.1.0\n"


def test_every_command_has_help(capsys):
    commands = ["info", "simulate", "undersample", "recon", "compare", "evaluate", "demo", "lecture", "train"]
    assert commands == COMMANDS
    overview = good(capsys, "--help").out
    for command in COMMANDS:
        assert f"  {command} " in overview
        for flag in ("--help", "-h"):
            text = good(capsys, command, flag).out
            assert f"Usage: kolumn {command} " in text and "Options:" in text
    assert "FILE" in good(capsys, "recon", "--help").out


def test_help_names_what_the_tables_hold(capsys):
    recon, compare = (" ".join(good(capsys, c, "--help").out.split()) for c in ("recon", "compare"))
    for name, cls in METHODS.items():
        assert name in recon
        for option in inspect.signature(cls).parameters:
            assert f"--{option.replace('_', '-')}" in recon.replace("- ", "-"), f"{name}: {option}"
    for kind in KINDS:
        assert f"{kind}," in compare.replace("- ", "-")


def test_no_words_at_all(capsys):
    result = run(capsys)
    assert "Usage: kolumn" in result.out + result.err and "Traceback" not in result.err


@pytest.mark.parametrize("suffix", ["h5", "mrd.h5", "cfl", "npy", "npz"])
def test_chain(suffix, tmp_path, capsys, monkeypatch):
    """simulate, info, undersample, recon, compare."""
    monkeypatch.chdir(tmp_path)
    full, under = f"full.{suffix}", f"under.{suffix}"
    made = good(capsys, "simulate", "-o", full, "--size", "48", "--coils", "4", "--slices", "2", "--seed", "3")
    assert made.err == f"anatomy: 2 x 4 coils x 48 x 48, fully sampled, in {full}\n" and made.out == ""
    acquisition = phantom(shape=(48, 48), n_coils=4, n_slices=2, seed=3)[0]
    torch.testing.assert_close(kspace_of(Path(full)), acquisition.kspace, rtol=1e-6, atol=1e-7)

    facts = json.loads(good(capsys, "info", full, "--json").out)
    assert facts["kspace"] == {"readout": 48, "phase encode": 48}
    assert (facts["slices"], facts["coils"]) == (2, 4)
    assert f"file {full}" in " ".join(good(capsys, "info", full).out.split())

    left = good(capsys, "undersample", full, "-o", under, *MASK)
    mask = make_mask("equispaced", (48, 48), 2, 0.25, 0)
    truly = f"equispaced: truly {mask.true_acceleration:.2f}x (2x besides the centre), {mask.calibration_width}"
    assert left.err == f"{truly} calibration columns, 2 slices in {under}\n"
    got = open_scan(under)
    assert got.n_slices == 2
    for i in range(2):
        one = got.load(i)
        torch.testing.assert_close(one.kspace, acquisition.kspace[i] * mask.samples, rtol=1e-6, atol=1e-7)
        assert torch.equal(one.mask.reshape(-1, 48).any(0), mask.samples[0])

    good(capsys, "recon", under, "-o", "image.npy", "--whiten", "none")
    assert np.load("image.npy").shape == (2, 48, 48)
    images = good(capsys, "compare", full, "-o", "full", *MASK, "--methods", "zero-filled,sense", "--whiten", "none")
    scores = json.loads(Path("full/metrics.json").read_text())["methods"]
    assert scores["sense"]["psnr"] > scores["zero-filled"]["psnr"] + 3 and "note" not in images.err
    none = good(capsys, "compare", under, "-o", "under", "--methods", "zero-filled,sense")
    assert json.loads(Path("under/metrics.json").read_text())["methods"]["sense"]["nmse"] is None
    assert none.err.startswith(f"note: {under} is itself undersampled")


def test_simulate_options(tmp_path, capsys):
    words = ["simulate", "-o", tmp_path / "a.npy", "--phantom", "shepp-logan", "--size", "32", "--coils", "3"]
    good(capsys, *words, "--snr", "inf", "--array", "birdcage", "--slices", "2")
    expected = phantom("shepp-logan", (32, 32), 3, 2, float("inf"), "birdcage", 0)[0]
    torch.testing.assert_close(kspace_of(tmp_path / "a.npy"), expected.kspace)
    good(capsys, *words[:2], tmp_path / "b.npy", *words[3:], "--seed", "1", "--snr", "20")
    good(capsys, *words[:2], tmp_path / "c.npy", *words[3:], "--seed", "2", "--snr", "20")
    good(capsys, *words[:2], tmp_path / "d.npy", *words[3:], "--seed", "2", "--snr", "20")
    assert (tmp_path / "c.npy").read_bytes() == (tmp_path / "d.npy").read_bytes()
    assert (tmp_path / "b.npy").read_bytes() != (tmp_path / "c.npy").read_bytes()


def test_simulate_defaults(tmp_path, capsys):
    good(capsys, "simulate", "-o", tmp_path / "a.h5")
    torch.testing.assert_close(kspace_of(tmp_path / "a.h5"), phantom()[0].kspace)


def test_undersample_defaults_and_attributes(tmp_path, capsys):
    file = save(tmp_path / "a.npy", phantom(shape=(16, 96), n_coils=1)[0])
    good(capsys, "undersample", file, "-o", tmp_path / "u.h5")
    mask = make_mask("random", (16, 96), 4, 0.08, 0)
    with h5py.File(tmp_path / "u.h5") as f:
        np.testing.assert_array_equal(f["mask"][:], mask.samples[0].numpy())
        assert f.attrs["mask"] == "random" and f.attrs["acceleration"] == 4 and f.attrs["num_low_frequency"] == 8


def test_undersample_seeds_the_fastmri_kinds_by_the_name(tmp_path, capsys):
    for name in ("one.npy", "two.npy"):
        save(tmp_path / name, phantom(shape=(16, 96), n_coils=1)[0])
        good(capsys, "undersample", tmp_path / name, "-o", tmp_path / f"u{name}", "--mask", "fastmri-random")
        mask = make_mask("fastmri-random", (16, 96), 4, 0.08, 0, name).samples
        assert torch.equal(kspace_of(tmp_path / f"u{name}")[0, 0].abs().sum(0) > 0, mask[0])
    assert (tmp_path / "uone.npy").read_bytes() != (tmp_path / "utwo.npy").read_bytes()


def test_undersample_of_what_lacks_lines_already(tmp_path, capsys):
    k = scan_of().kspace.numpy().copy()
    k[..., :4] = 0
    np.save(tmp_path / "a.npy", k)
    np.save(tmp_path / "mask.npy", np.arange(40) % 2 == 0)
    result = good(capsys, "undersample", tmp_path / "a.npy", "-o", tmp_path / "u.npy", "--mask", tmp_path / "mask.npy")
    note, line = result.err.splitlines()
    assert note == f"note: {tmp_path / 'a.npy'} lacks lines of its own: 2.00x by the mask, 2.22x in all"
    assert "truly 2.22x" in line
    good(capsys, "undersample", tmp_path / "a.npy", "-o", tmp_path / "u.h5", "--mask", tmp_path / "mask.npy")
    with h5py.File(tmp_path / "u.h5") as f:
        assert f.attrs["acceleration"] == pytest.approx(40 / 18)


def test_overwrite(tmp_path, capsys):
    """A target that stands stays as it was, byte by byte, without --overwrite."""
    full, mine = save(tmp_path / "full.npy", scan_of()), tmp_path / "mine.npy"
    mine.write_bytes(b"mine")
    (tmp_path / "pair.hdr").write_bytes(b"mine")
    before = tree(tmp_path)
    size = ["--size", "16", "--coils", "1"]
    for words in (["simulate", *size], ["undersample", full, *MASK], ["recon", full]):
        assert "exists already; choose another name or pass --overwrite" in bad(capsys, *words, "-o", mine)
        assert "exists already" in bad(capsys, *words, "-o", tmp_path / "pair.cfl")
        own = "exists already" if words[0] != "recon" else "is the input itself"
        assert own in bad(capsys, *words, "-o", full)
    assert tree(tmp_path) == before
    for words in (["simulate", *size], ["undersample", full, *MASK], ["recon", full]):
        old = mine.read_bytes()
        good(capsys, *words, "-o", mine, "--overwrite")
        assert mine.read_bytes() != old
        np.load(mine)
    good(capsys, "recon", full, "-o", tmp_path / "pair.cfl", "--overwrite")
    assert sorted(tree(tmp_path)) == ["full.npy", "mine.npy", "pair.cfl", "pair.hdr"]


def test_a_file_may_be_undersampled_onto_itself(tmp_path, capsys):
    for suffix in ("npy", "h5", "cfl"):
        file = save(tmp_path / f"a.{suffix}", scan_of(2))
        whole = kspace_of(file)
        good(capsys, "undersample", file, "-o", file, *MASK, "--overwrite")
        samples = make_mask("equispaced", whole.shape[-2:], 2, 0.25, 0).samples
        torch.testing.assert_close(kspace_of(file), whole * samples)


def test_where_nothing_can_be_read_on(tmp_path):
    """`kolumn ... | head`: no noise when the reader has gone."""
    words = [sys.executable, "-m", "kolumn", "simulate", "--help"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert "Traceback" not in done.stderr and "defect" not in done.stderr


def test_words_of_the_process(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["kolumn", "--version"])
    with pytest.raises(SystemExit) as stop:
        main()
    assert stop.value.code in (0, None) and capsys.readouterr().out.startswith("kolumn ")


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real scans are not at {DATA}")
def test_a_prospectively_undersampled_scan(tmp_path, capsys):
    file = DATA / "siemens_phantom_bssfp_r3_14coil.mrd.h5"
    result = good(capsys, "compare", file, "-o", tmp_path / "r", "--methods", "zero-filled,grappa")
    assert "is itself undersampled (2.12x)" in result.err
    good(capsys, "recon", file, "-o", tmp_path / "a.npy", "--method", "grappa")
    assert np.load(tmp_path / "a.npy").shape == (192, 144)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real scans are not at {DATA}")
def test_sense_and_grappa_win_on_a_real_head(tmp_path, capsys):
    file = DATA / "brain_gre_8coil.h5"
    scores = {}
    for kind, factor, method in (("random", 4, "sense"), ("equispaced", 2, "grappa"), ("equispaced", 3, "grappa")):
        words = ["--mask", kind, "--acceleration", factor, "--methods", f"zero-filled,{method}", "--overwrite"]
        good(capsys, "compare", file, "-o", tmp_path / "r", *words)
        scores = json.loads((tmp_path / "r" / "metrics.json").read_text())["methods"]
        better, worse = scores[method], scores["zero-filled"]
        assert better["nmse"] < 0.7 * worse["nmse"] and better["hfen"] < 0.8 * worse["hfen"]
        assert better["psnr"] > worse["psnr"] + 2 and better["ssim"] > worse["ssim"] + 0.02
