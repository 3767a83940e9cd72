"""Methods that tell how they got there: what `recon`, `compare` and `demo` make of it."""

from __future__ import annotations

import json
import re
from statistics import median

import numpy as np
import pytest
import torch
from kolumn_runs import MASK, SHAPE, bad, good, save, scan_of, tree
from PIL import Image
from stub_methods import Frames, Steps

import kolumn
from kolumn.acquisition import scale_maps
from kolumn.cli import console
from kolumn.io import open_scan
from kolumn.masks import make_mask
from kolumn.metrics import score
from kolumn.phantoms import phantom
from kolumn.recon import METHODS
from kolumn.report import compare, undersampled
from kolumn.report.account import Account
from kolumn.report.compare import Comparison, Result
from kolumn.report.table import HEADER, rows

pytestmark = pytest.mark.usefixtures("stubs")
ITERATIVE = [name for name, cls in METHODS.items() if hasattr(cls, "solve")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("iterative")
    samples = make_mask("equispaced", SHAPE, 2, 0.25, 0).samples
    save(folder / "full.npz", scan_of(3))
    save(folder / "one.npz", scan_of(1))
    save(folder / "under.npz", undersampled(scan_of(3), samples))
    return folder


def solutions(folder, file="under.npz", **options):
    """Of each slice by itself."""
    acquisition = open_scan(folder / file).volume()
    return [Steps(**options).solve(acquisition.entry(i)) for i in range(3)]


def values(found, key):
    return [x for s in found for x in getattr(s, key)]


def test_recon_says_how_it_went(folder, tmp_path, capsys):
    target = tmp_path / "image.nii.gz"
    found = solutions(folder)
    n, lam = median(values(found, "iterations")), median(values(found, "lam"))
    assert len(set(values(found, "iterations"))) == 3
    result = good(capsys, "recon", folder / "under.npz", "-o", target, "--method", "steps")
    about = f"lambda {lam:.2g} max, {n} iterations, stopped by tolerance"
    assert result.err == f"steps: 3 slices of 48 x 40 in {target}; {about}\n"
    assert result.out == "" and re.search(r"lambda 0\.\d+ max, \d+ iterations", result.err)


def test_recon_warns_of_the_limit(folder, tmp_path, capsys):
    """Two of three slices stop at it; and no note where it was the time that was up."""
    words = ["recon", folder / "under.npz", "-o", tmp_path / "a.npy", "--method", "steps", "--overwrite"]
    limit = sorted(values(solutions(folder), "iterations"))[0]
    note, line = good(capsys, *words, "--max-iterations", limit).err.splitlines()
    what = f"its limit of {limit} iterations in 2 of 3 slices and may not have converged; raise --max-iterations"
    assert note == f"note: steps stopped at {what}"
    assert line.startswith("steps: 3 slices of 48 x 40 in ")
    ends = values(solutions(folder, max_iterations=limit), "stopped")
    first, other = ("tolerance in 1", "iterations in 2")[:: 1 if ends[0] == "tolerance" else -1]
    assert line.endswith(f"{limit} iterations, stopped by {first}, {other}")
    line = good(capsys, *words, "--max-iterations", 1, "--seconds", "0.5").err
    assert line.count("\n") == 1 and line.endswith(" 1 iteration, stopped by seconds\n")
    one = good(capsys, *words, "--max-iterations", 1, "--slices", 1).err
    assert one.startswith("note: steps stopped at its limit of 1 iteration and may not have converged;")


def test_direct_methods_have_nothing_to_say(folder, tmp_path, capsys):
    result = good(capsys, "recon", folder / "under.npz", "-o", tmp_path / "a.npy", "--method", "zero-filled")
    assert result.err == f"zero-filled: 3 slices of 48 x 40 in {tmp_path / 'a.npy'}\n"


def test_recon_of_a_series(folder, tmp_path, capsys):
    """All chosen slices are frames of one acquisition."""
    acquisition = open_scan(folder / "under.npz").volume()
    words = ["recon", folder / "under.npz", "-o", tmp_path / "a.npy", "--method", "frames", "--overwrite"]
    for slices, chosen in (([], [0, 1, 2]), (["--slices", "1:"], [1, 2])):
        line = good(capsys, *words, *slices).err
        got = np.load(tmp_path / "a.npy")
        expected = kolumn.reconstruct(acquisition.kspace[chosen], method="zero-filled")
        expected = (expected - expected.mean(0)).numpy()
        np.testing.assert_allclose(got, expected, atol=1e-5 * np.abs(expected).max())
        assert line.startswith(f"frames: {len(chosen)} slices of 48 x 40 in ")
    assert "1 frame; wanted several" in bad(capsys, *words, "--slices", "1")
    assert "1 frame; wanted several" in bad(capsys, *words[:1], folder / "one.npz", *words[2:])


@pytest.mark.parametrize("sets", [(), (2,)])
def test_a_series_with_the_options_of_recon(sets, folder, tmp_path, capsys, monkeypatch):
    """Mask, maps of one or two sets, compression: the method sees one acquisition, and the same coils in all frames."""
    seen = []
    solve = Frames.solve
    monkeypatch.setattr(Frames, "solve", lambda self, a, history=False: (seen.append(a), solve(self, a))[1])
    maps = torch.randn(*sets, 4, *SHAPE, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    np.save(tmp_path / "maps.npy", maps.numpy())
    np.save(tmp_path / "mask.npy", np.arange(SHAPE[1]) % 5 > 0)
    words = ["recon", folder / "full.npz", "-o", tmp_path / "a.npy", "--method", "frames", "--overwrite"]
    good(capsys, *words, "--mask", tmp_path / "mask.npy", "--maps", tmp_path / "maps.npy")
    assert seen[0].kspace.shape == (3, 4, *SHAPE)
    assert seen[0].mask.reshape(-1, SHAPE[1])[0].tolist() == [i % 5 > 0 for i in range(SHAPE[1])]
    for i in range(3):
        torch.testing.assert_close(seen[0].entry(i).maps, scale_maps(maps))
    good(capsys, *words, "--coils", 2)
    assert seen[1].kspace.shape == (3, 2, *SHAPE)
    both = torch.cat([seen[1].kspace, open_scan(folder / "full.npz").volume().kspace], 1).movedim(1, 0).flatten(1)
    assert torch.linalg.matrix_rank(both, rtol=1e-4) == 4  # two combinations of the four, not two for each frame


def test_compare_gives_the_account(folder, tmp_path, capsys):
    words = ["compare", folder / "full.npz", "-o", tmp_path / "r", *MASK, "--methods", "zero-filled,steps"]
    result = good(capsys, *words)
    methods = json.loads((tmp_path / "r" / "metrics.json").read_text())["methods"]
    acquisition = undersampled(
        open_scan(folder / "full.npz").volume(), make_mask("equispaced", SHAPE, 2, 0.25, 0).samples
    )
    found = [Steps(spin=True).solve(acquisition.entry(i)) for i in range(3)]
    got = methods["steps"]
    assert list(got)[5:] == ["iterations", "objective", "lambda", "lambda_unit", "stopped"]
    assert got["iterations"] == values(found, "iterations") and len(set(got["iterations"])) == 3
    assert got["objective"] == pytest.approx(values(found, "objective"), rel=1e-5)
    assert got["lambda"] == values(found, "lam") and got["lambda_unit"] == "max"
    assert got["stopped"] == ["tolerance"] * 3
    assert list(methods["zero-filled"]) == ["nmse", "psnr", "ssim", "hfen", "seconds"]
    cells = {line.split()[0]: line.split()[5:] for line in result.out.splitlines()}
    objective, lam = f"{sum(got['objective']):.4g}", f"{median(got['lambda']):.2g}"
    assert cells["steps"] == [str(median(got["iterations"])), f"{got['seconds']:.2f}", objective, lam, "max"]
    assert cells["zero-filled"][0] == "-" and cells["zero-filled"][2:] == ["-", "-"]
    page = (tmp_path / "r" / "report.html").read_text()
    for cell in (str(median(got["iterations"])), objective, f"{lam} max"):
        assert f"<td>{cell}</td>" in page
    assert "medians over the slices" in page
    assert max(map(len, result.out.splitlines())) <= 100


@pytest.mark.parametrize("terminal", [True, False])
def test_the_table_fits_100_columns(terminal, capsys, monkeypatch):
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "100")
    account = Account((200,), (1.23456e-9,), (0.00012,), ("sigma",), ("tolerance",))
    scores = {"nmse": 12.34567, "psnr": -10.12, "ssim": 0.98765, "hfen": 12.3456}
    wide = Result(None, 12345.67, scores, account=account)
    console.print_table(HEADER, rows(Comparison(None, torch.ones(1, 1), {}, {"zero-filled": wide})))
    line = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()[1]
    cells = [
        "zero-filled",
        "12.34567",
        "-10.12",
        "0.9877",
        "12.3456",
        "200",
        "12345.67",
        "1.235e-09",
        "0.00012",
        "sigma",
    ]
    assert line.split() == cells and len(line.rstrip()) <= 100


def test_compare_warns_of_the_limit(folder, tmp_path, capsys):
    words = ["compare", folder / "full.npz", "-o", tmp_path / "r", *MASK, "--methods", "zero-filled,steps"]
    result = good(capsys, *words, "--max-iterations", "2")
    metrics = json.loads((tmp_path / "r" / "metrics.json").read_text())
    (note,) = [note for note in metrics["notes"] if "limit" in note]
    assert note.startswith("steps stopped at its limit of 2 iterations in 3 of 3 slices")
    assert f"note: {note}\n" in result.err and note in (tmp_path / "r" / "report.html").read_text()
    assert metrics["methods"]["steps"]["stopped"] == ["iterations"] * 3


def test_compare_with_a_series(folder):
    """Frames are reconstructed together, and scored and timed like the rest."""
    scan, told = open_scan(folder / "full.npz"), []
    mask = make_mask("equispaced", SHAPE, 2, 0.25, 0)
    got = compare(scan, lambda shape: mask, ["frames", "steps"], progress=lambda *about: told.append(about))
    data = undersampled(scan.volume(), mask.samples)
    expected = Frames()(data).abs()
    assert list(got.results) == ["frames", "steps"]
    torch.testing.assert_close(got.results["frames"].images, expected, rtol=1e-4, atol=1e-5 * float(expected.max()))
    reference = kolumn.reconstruct(scan.volume(), method="zero-filled").abs()
    assert got.results["frames"].scores["nmse"] == pytest.approx(score(reference, expected)["nmse"], rel=1e-4)
    assert got.results["frames"].account.iterations == Frames().solve(data).iterations
    assert got.results["frames"].seconds > 0
    assert sorted(told) == sorted((name, i) for name in ("frames", "steps") for i in range(3))


def test_a_series_of_one_frame_fails_alone(folder, tmp_path, capsys):
    words = ["compare", folder / "one.npz", "-o", tmp_path / "r", *MASK, "--methods", "frames,zero-filled"]
    result = good(capsys, *words)
    assert "note: frames gave no image: 1 frame; wanted several\n" in result.err
    got = json.loads((tmp_path / "r" / "metrics.json").read_text())["methods"]["frames"]
    assert got["seconds"] is None and "iterations" not in got


def test_convergence(folder, tmp_path, capsys, monkeypatch):
    """Of the middle slice, once more and outside of the times; without it nothing of an older one stays."""
    asked = []
    solve = Steps.solve

    def note(self, acquisition, history=False):
        asked.append((history, float(acquisition.kspace.abs().max())))
        return solve(self, acquisition, history)

    monkeypatch.setattr(Steps, "solve", note)
    words = ["compare", folder / "full.npz", "-o", tmp_path, *MASK, "--methods", "zero-filled,steps"]
    good(capsys, *words, "--convergence")
    names = {"metrics.json", "report.png", "report.html", "run.json", "convergence.png"}
    assert set(tree(tmp_path)) == names
    with Image.open(tmp_path / "convergence.png") as picture:
        picture.load()
    assert "Convergence</h2>" in (tmp_path / "report.html").read_text()
    assert json.loads((tmp_path / "run.json").read_text())["settings"]["convergence"] is True
    plain = [brightness for history, brightness in asked if not history]
    assert len(plain) == 3 and [b for history, b in asked if history] == [plain[1]]
    before = tree(tmp_path)
    line = bad(capsys, *words)
    assert "already holds metrics.json, report.png, report.html, run.json, convergence.png;" in line
    assert tree(tmp_path) == before
    good(capsys, *words, "--overwrite")
    assert set(tree(tmp_path)) == names - {"convergence.png"}
    assert "Convergence</h2>" not in (tmp_path / "report.html").read_text()
    assert len(asked) == 7


def test_convergence_needs_a_method_that_iterates(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("kolumn.report.compare", lambda *a, **k: pytest.fail("worked first"))
    words = ["compare", folder / "full.npz", "-o", tmp_path / "r", "--methods", "zero-filled,sense", "--convergence"]
    line = bad(capsys, *words)
    assert "--convergence needs one of" in line and "steps" in line and "which are zero-filled, sense\n" in line
    assert list(tmp_path.iterdir()) == []


def test_the_seed_of_compare_is_that_of_the_methods(folder, tmp_path, capsys):
    words = ["compare", folder / "full.npz", "-o", tmp_path / "r", *MASK, "--methods", "zero-filled,steps"]
    good(capsys, *words, "--seed", "5")
    options = json.loads((tmp_path / "r" / "run.json").read_text())["settings"]["method_options"]
    assert options == {"zero-filled": {}, "steps": {"seed": 5}}


def test_demo_with_convergence(tmp_path, capsys, monkeypatch):
    small = phantom(shape=SHAPE, n_coils=4)
    monkeypatch.setattr("kolumn.phantoms.phantom", lambda seed: small)
    words = ["demo", "-o", tmp_path / "r", "--methods", "zero-filled,steps", "--convergence"]
    good(capsys, *words)
    assert (tmp_path / "r" / "convergence.png").stat().st_size > 1000


@pytest.mark.parametrize("method", ITERATIVE)
def test_the_real_ones(method, folder, tmp_path, capsys):
    """`tv` and its like."""
    words = ["recon", folder / "under.npz", "-o", tmp_path / "a.npy", "--method", method, "--max-iterations", "30"]
    line = good(capsys, *words, "--lam", "0.001max").err.splitlines()[-1]
    assert re.search(r"; lambda 0\.001 max, \d+ iterations, stopped by \w+", line)
    words = ["compare", folder / "full.npz", "-o", tmp_path / "r", *MASK, "--methods", f"zero-filled,{method}"]
    good(capsys, *words, "--max-iterations", "30", "--lam", "0.001max", "--convergence")
    got = json.loads((tmp_path / "r" / "metrics.json").read_text())["methods"][method]
    assert got["lambda"] == pytest.approx([0.001] * len(got["lambda"])) and got["lambda_unit"] == "max"
    assert all(1 <= n <= 30 for n in got["iterations"]) and all(f > 0 for f in got["objective"])
    assert (tmp_path / "r" / "convergence.png").exists()
