"""The convergence plot, and its place among the files of a report."""

from __future__ import annotations

import base64
import math

import numpy as np
import pytest
import torch
from PIL import Image

from kolumn.errors import OutputError
from kolumn.masks import Mask
from kolumn.recon.solution import Progress
from kolumn.report import files, save_report
from kolumn.report.account import Account
from kolumn.report.compare import Comparison, Result
from kolumn.report.convergence import curve, iterative, save_convergence

ACCOUNT = Account((3,), (2.0,), (0.1,), ("max",), ("tolerance",))
NAMES = {"metrics.json", "report.png", "report.html", "run.json"}


def way(*objectives, step=0.5):
    return tuple(Progress(step * i, i, f) for i, f in enumerate(objectives, start=1))


def comparison(**histories) -> Comparison:
    """Three slices, and a method for each history; () for one that is direct."""
    ramp = torch.linspace(0, 1, 600).reshape(30, 20).expand(3, 30, 20)
    mask = Mask("random", torch.arange(20)[None] % 3 == 0, 3.0, 0.1, 0)
    results = {
        name: Result(ramp + 0.1, 1.0, account=ACCOUNT if history else Account(), history=history)
        for name, history in histories.items()
    }
    return Comparison(ramp, mask.samples, mask.to_dict(), results)


def test_curve():
    """(f - min f) / f_last; the least itself has no place on a logarithmic axis, wherever it stands."""
    seconds, gap = curve(way(10.0, 4.0, 1.0, 2.0))
    assert seconds == [0.5, 1.0, 2.0] and gap == [4.5, 1.5, 0.5]
    assert curve(way(8.0, math.nan, math.inf, 4.0)) == ([0.5], [1.0])
    assert curve(way(8.0, 2.0, 0.0)) == ([0.5, 1.0], [1.0, 0.25])  # against the largest where the last is 0
    assert curve(way(5.0)) == ([], []) == curve(way(math.nan)) == curve(way(0.0, 0.0))


def drawn(monkeypatch, path, c):
    """The axis and the legend of the plot that was saved."""
    from matplotlib.figure import Figure

    kept = []
    draw = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (kept.append(self), draw(self, *a, **k)))
    save_convergence(path, c, "a $title$")
    with Image.open(path) as picture:
        picture.load()
        assert picture.format == "PNG" and picture.width > 900
    return kept[0].axes[0], [text.get_text() for text in kept[0].legends[0].get_texts()]


def test_one_curve_for_each_method(tmp_path, monkeypatch):
    c = comparison(direct=(), tv=way(10.0, 4.0, 1.0, 2.0), wavelet=way(300.0, 200.0, 100.0, step=0.2), sense=())
    c.results["failed"] = Result(error="no", history=way(2.0, 1.0))
    assert list(iterative(c)) == ["tv", "wavelet"]
    axis, legend = drawn(monkeypatch, tmp_path / "c.png", c)
    assert legend == ["tv\n4 iterations in 2 s", "wavelet\n3 iterations in 0.6 s"]
    tv, wavelet = axis.lines
    np.testing.assert_allclose(tv.get_xydata(), [(0.5, 4.5), (1.0, 1.5), (2.0, 0.5)])
    np.testing.assert_allclose(wavelet.get_xydata(), [(0.2, 2.0), (0.4, 1.0)])
    assert tv.get_color() != wavelet.get_color()
    assert axis.get_yscale() == "log" and axis.get_xscale() == "linear" and axis.get_xlim()[0] == 0
    assert axis.get_xlabel().endswith("slice 1 of 0 to 2") and axis.get_title() == "a $title$"


@pytest.mark.parametrize(("gap", "low"), [(1e-9, 1e-6), (1e-3, 1e-3)])
def test_a_point_beside_the_least_does_not_stretch_the_axis(gap, low, tmp_path, monkeypatch):
    axis, _ = drawn(monkeypatch, tmp_path / "c.png", comparison(a=way(3.0, 1.0 + gap, 1.0)))
    assert low / 2 < axis.get_ylim()[0] <= low < 2 < axis.get_ylim()[1]


def test_times_far_apart_get_a_logarithmic_axis(tmp_path, monkeypatch):
    axis, _ = drawn(monkeypatch, tmp_path / "c.png", comparison(a=way(3.0, 1.0), b=way(3.0, 1.0, step=20)))
    assert axis.get_xscale() == "log"


@pytest.mark.parametrize("history", [way(5.0), way(5.0, step=0.0), way(0.0, 0.0), way(1.0, 2.0, step=0.0)])
def test_next_to_nothing_to_draw(history, tmp_path, monkeypatch):
    _, legend = drawn(monkeypatch, tmp_path / "c.png", comparison(a=history))
    assert len(legend) == 1


def test_more_methods_than_colours(tmp_path, monkeypatch):
    axis, _ = drawn(monkeypatch, tmp_path / "c.png", comparison(**{f"m{i}": way(3.0, 1.0) for i in range(9)}))
    assert len(axis.lines) == 9


def test_in_the_report(tmp_path):
    folder = tmp_path / "r"
    save_report(folder, comparison(tv=way(3.0, 1.0)), "a.h5", {})
    assert {p.name for p in folder.iterdir()} == NAMES | {"convergence.png"}
    page = (folder / "report.html").read_text()
    assert base64.b64encode((folder / "convergence.png").read_bytes()).decode() in page
    assert page.count("data:image/png") == 4 and "medians over the slices" in page
    with pytest.raises(OutputError, match=r"already holds metrics.json, .*, run.json, convergence.png;"):
        files.check_folder(folder, False)
    save_report(folder, comparison(zero=()), "a.h5", {}, overwrite=True)
    assert {p.name for p in folder.iterdir()} == NAMES
    page = (folder / "report.html").read_text()
    assert "Convergence" not in page and "medians" not in page


def test_a_plot_alone_is_not_overwritten(tmp_path):
    (tmp_path / "convergence.png").write_bytes(b"mine")
    with pytest.raises(OutputError, match=r"already holds convergence.png;"):
        save_report(tmp_path, comparison(zero=()), "a.h5", {})
    assert (tmp_path / "convergence.png").read_bytes() == b"mine"


def test_an_old_report_stays_where_the_plot_fails(tmp_path, monkeypatch):
    save_report(tmp_path, comparison(tv=way(3.0, 1.0)), "a.h5", {})
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def full(path, *args):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "save_convergence", full)
    with pytest.raises(OutputError, match="cannot write"):
        save_report(tmp_path, comparison(tv=way(9.0, 1.0)), "b.h5", {}, overwrite=True)
    monkeypatch.setattr(files, "save_page", full)
    with pytest.raises(
        OutputError, match="cannot write"
    ):  # nor does the plot of an old one go, where the new one fails
        save_report(tmp_path, comparison(zero=()), "b.h5", {}, overwrite=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_a_folder_in_the_way_of_a_file(tmp_path):
    """Found before anything is replaced."""
    save_report(tmp_path, comparison(zero=()), "a.h5", {})
    (tmp_path / "convergence.png").mkdir()
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    for c in (comparison(tv=way(3.0, 1.0)), comparison(zero=())):
        with pytest.raises(OutputError, match=r"convergence\.png is a directory"):
            save_report(tmp_path, c, "b.h5", {}, overwrite=True)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before
