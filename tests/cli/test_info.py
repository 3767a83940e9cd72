"""What `kolumn info` prints, for people and for programs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from kolumn.acquisition import Geometry
from kolumn.cli.info import info
from kolumn.doctor.facts import orientation, towards
from kolumn.errors import FormatError
from kolumn.io import write_kspace
from kolumn.phantoms import phantom

DATA = Path(__file__).parents[3] / "shared" / "data"
app = typer.Typer()
app.command()(info)


@pytest.fixture(scope="module")
def scan():
    return phantom(shape=(64, 48), n_coils=3, n_slices=2)[0]


@pytest.fixture
def file(tmp_path, scan):
    path = tmp_path / ("a_very_long_name_that_would_be_wrapped_at_eighty_columns" * 2 + ".mrd")
    write_kspace(path, scan)
    return path


def run(*words) -> str:
    result = CliRunner().invoke(app, [str(w) for w in words])
    if result.exception:
        raise result.exception
    return result.output


def lines(text: str) -> dict[str, str]:
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in text.split("\n\n")[0].splitlines())


def test_text(file):
    text = run(file)
    found = lines(text)
    assert found["file"] == str(file)
    assert found["format"] == "ismrmrd"
    assert (found["slices"], found["coils"]) == ("2", "3")
    assert found["k-space"] == "64 x 48 (readout x phase encode)"
    assert found["image"] == "64 x 48 pixels"
    assert found["slice thickness"] == "5 mm, one every 5 mm"
    assert found["orientation"] == "axial; down is towards back, across towards left"
    assert found["position"] == "0.0, 0.0, 2.5 mm (left, back, head) of slice 0"
    assert found["sampled"] == "all 48 columns"
    assert found["calibration"] == "all of k-space"
    assert text.endswith("doctor: nothing to report\n")
    assert "\x1b" not in text


def test_undersampled(tmp_path, scan):
    k = scan.kspace.numpy().copy()
    mask = np.arange(48) % 4 == 0
    mask[20:29] = True
    k[..., ~mask] = 0
    k[:, 1] = 0
    np.save(tmp_path / "a.npy", k)
    text = run(tmp_path / "a.npy")
    found = lines(text)
    assert found["sampled"] == "18 of 48 columns, every 4th, denser in the middle, from 0 to 44; acceleration 2.67"
    assert found["calibration"] == "9 columns in the middle (20 to 28), embedded"
    assert "warning: 1 of 3 coils are dead: coil 1 exactly 0\n  -> leave them out: " in text
    found = json.loads(run(tmp_path / "a.npy", "--json"))
    assert found["mask"]["acceleration"] == pytest.approx(48 / 18)
    assert (found["calibration"]["first"], found["calibration"]["last"]) == (20, 28)
    assert found["amplitude"]["largest"] == pytest.approx(np.abs(k).max(), rel=1e-6)
    assert [f["check"] for f in found["findings"]] == ["dead coils"]
    assert set(found["findings"][0]) == {"check", "severity", "what", "advice"}


def test_two_dimensional_mask(tmp_path, scan):
    mask = np.random.default_rng(0).random((64, 48)) < 0.5
    mask[24:40, 16:32] = True
    np.savez(tmp_path / "a.npz", kspace=scan.kspace.numpy() * mask, mask=mask)
    found = json.loads(run(tmp_path / "a.npz", "--json"))
    assert found["mask"]["kind"] == "2-D"
    assert found["mask"]["acceleration"] == pytest.approx(mask.size / mask.sum())
    assert found["calibration"]["rows"] >= 16
    assert lines(run(tmp_path / "a.npz"))["sampled"].startswith("a 2-D pattern in 48 of 48 columns; acceleration 1.")


def test_json_of_a_healthy_file(file):
    found = json.loads(run(file, "--json"))
    assert found["findings"] == []
    assert found["mask"]["kind"] == "full"
    assert found["geometry"]["fov (mm)"]["y"] == pytest.approx(240)
    assert found["geometry"]["orientation"] == "axial"


def test_nan_is_reported_not_raised(tmp_path):
    np.save(tmp_path / "a.npy", np.full((2, 16, 16), np.nan, np.complex64))
    text = run(tmp_path / "a.npy")
    assert "problem: slice 0: kspace holds NaN or infinity in 512 of 512 samples" in text
    assert "mask" not in json.loads(run(tmp_path / "a.npy", "--json"))


def test_dataset(tmp_path, scan):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["other"] = scan.kspace.numpy()
    with pytest.raises(FormatError, match="it has: other 2x3x64x48"):
        run(tmp_path / "a.h5")
    assert lines(run(tmp_path / "a.h5", "--dataset", "other"))["coils"] == "3"


def test_brackets_in_a_name_are_no_markup(tmp_path, scan):
    np.save(tmp_path / "a[red]b.npy", scan.kspace.numpy())
    assert "a[red]b.npy" in run(tmp_path / "a[red]b.npy")


def test_nothing_heavy_is_imported_for_the_help():
    heavy = ("torch", "numpy", "h5py", "rich.table")
    code = f"import sys, kolumn.cli.info; sys.exit(any(m in sys.modules for m in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("read", "phase", "words"),
    [
        ((0, 1, 0), (1, 0, 0), "axial"),
        ((0, 0, -1), (0, 1, 0), "sagittal"),
        ((0, 0, -1), (-1, 0, 0), "coronal"),
        ((0, 0.8, 0.6), (1, 0, 0), "axial, tilted 37 degrees"),
        ((0, 0, 0), (1, 0, 0), "unknown"),
    ],
)
def test_orientation_in_words(read, phase, words):
    assert orientation(Geometry((8, 8), (8.0, 8.0, 1.0), read_dir=read, phase_dir=phase)) == words


def test_directions_in_words():
    axes = np.eye(3).tolist()
    assert [towards(tuple(a)) for a in axes] == ["left", "back", "head"]
    assert [towards(tuple(-x for x in a)) for a in axes] == ["right", "front", "feet"]


@pytest.mark.skipif(not DATA.is_dir(), reason=f"the real scans are not at {DATA}")
def test_real_scan():
    text = run(DATA / "siemens_phantom_bssfp_r3_14coil.mrd.h5")
    found = lines(text)
    assert found["image"] == "192 x 144 pixels, after 2 x readout oversampling"
    assert found["sampled"] == "68 of 144 columns, every 3rd, denser in the middle, from 18 to 123; acceleration 2.12"
    assert found["calibration"] == "49 columns in the middle (48 to 96), embedded"
    assert found["noise scan"] == "yes"
    assert found["header: field strength (T)"] == "2.8936"
    assert "warning" not in text and "problem" not in text
