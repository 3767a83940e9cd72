"""The table of experiments, what is written of each, and the gallery."""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from kolumn import lecture
from kolumn.errors import ArgumentError, FormatError, OutputError
from kolumn.lecture import EXPERIMENTS, gallery, picture, runner, style
from kolumn.lecture.gallery import rows, save_gallery
from kolumn.lecture.result import Result
from kolumn.lecture.runner import check_targets, run_experiment

FOLDER = Path(lecture.__file__).parent


def file_of(name: str) -> Path:
    return FOLDER / f"{name.replace('-', '_')}.py"


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(path: Path) -> set[str]:
    return {node.name for node in parsed(path).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_a_claim_and_a_file(name):
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", name)
    assert re.fullmatch(r"[A-Z].*[^ ]\.", EXPERIMENTS[name])
    assert file_of(name).exists()


def test_every_file_with_a_run_is_an_experiment():
    runs = {path for path in FOLDER.glob("*.py") if "run" in functions(path)}
    assert runs == {file_of(name) for name in EXPERIMENTS}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_runs_without_arguments_and_judges_in_a_function_of_its_own(name):
    module = importlib.import_module(f"kolumn.lecture.{name.replace('-', '_')}")
    assert not inspect.signature(module.run).parameters
    assert inspect.signature(module.run).return_annotation == "Result"
    assert "verdict" in functions(file_of(name))


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda p: p.name)
def test_no_state_that_is_global(path):
    for node in ast.walk(parsed(path)):
        names = [a.name for a in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
        assert "pyplot" not in " ".join([*names, getattr(node, "module", None) or ""])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            called = ast.unparse(node.func)
            assert called not in ("torch.manual_seed", "torch.seed", "random.seed", "numpy.random.seed"), called


@pytest.mark.slow
@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_as_it_is_run(name, tmp_path):
    before = torch.get_rng_state(), torch.get_num_threads(), dict(matplotlib.rcParams)
    run_experiment(name, tmp_path)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (torch.get_num_threads(), dict(matplotlib.rcParams))
    assert (tmp_path / f"{name}.png").stat().st_size < picture.LARGEST


# One experiment, fed by hand


def found(verdict=True, **numbers) -> Result:
    figure = style.canvas(3, 2, "a finding")
    figure.add_subplot().plot([1, 3, 2], color=style.COLOURS[0])
    return Result({"error_db": 1.5, **numbers}, verdict, "It came out as 1.5 < 2 & so on.", figure)


@pytest.fixture
def fed(monkeypatch):
    """Makes every experiment return what it is given."""

    def feed(result: Result) -> None:
        monkeypatch.setattr(runner, "load", lambda name: lambda: result)

    return feed


@pytest.mark.parametrize("verdict, text", [(True, "borne out"), (False, "not borne out")])
def test_what_is_written_of_an_experiment(fed, tmp_path, verdict, text):
    fed(found(verdict, counts=[1, 2]))
    record = run_experiment("buffers", tmp_path / "new")
    assert sorted(p.name for p in (tmp_path / "new").iterdir()) == ["buffers.json", "buffers.png"]
    assert record == json.loads((tmp_path / "new" / "buffers.json").read_text())
    assert record["seconds"] >= 0
    del record["seconds"]
    assert record == {
        "name": "buffers",
        "claim": EXPERIMENTS["buffers"],
        "verdict": text,
        "words": "It came out as 1.5 < 2 & so on.",
        "numbers": {"error_db": 1.5, "counts": [1, 2]},
        "kolumn": "0.1.0",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    with Image.open(tmp_path / "new" / "buffers.png") as image:
        assert image.size == (300, 200)


def test_the_style_is_put_on_for_the_experiment_alone(monkeypatch, tmp_path):
    seen = {}

    def run() -> Result:
        seen.update(matplotlib.rcParams)
        return found()

    monkeypatch.setattr(runner, "load", lambda name: run)
    before = dict(matplotlib.rcParams)
    run_experiment("buffers", tmp_path)
    assert seen["axes.titlelocation"] == "left" != before["axes.titlelocation"]
    assert dict(matplotlib.rcParams) == before


def test_numbers_that_json_cannot_hold_are_refused(fed, tmp_path):
    fed(found(bad=float("nan")))
    with pytest.raises(ValueError, match="JSON"):
        run_experiment("buffers", tmp_path)
    assert not (tmp_path / "buffers.json").exists()


def test_nothing_is_overwritten_unless_told(fed, tmp_path, monkeypatch):
    fed(found())
    run_experiment("buffers", tmp_path)
    before = (tmp_path / "buffers.json").read_text()
    fed(found(False))
    with pytest.raises(OutputError, match=r"already holds buffers.json, buffers.png; .*--overwrite"):
        run_experiment("buffers", tmp_path)
    assert (tmp_path / "buffers.json").read_text() == before
    run_experiment("buffers", tmp_path, overwrite=True)
    assert '"not borne out"' in (tmp_path / "buffers.json").read_text()


def test_targets_are_checked_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")

    def never() -> Result:
        raise AssertionError("ran although it could not write")

    monkeypatch.setattr(runner, "load", lambda name: never)
    with pytest.raises(OutputError, match="is a file; give the name of a folder"):
        run_experiment("buffers", tmp_path / "file")
    with pytest.raises(OutputError, match="does not exist; create it first"):
        run_experiment("buffers", tmp_path / "no" / "where")
    names = [f"{letter}.json" for letter in "abcdef"]
    for name in names:
        (tmp_path / name).write_text("")
    with pytest.raises(OutputError, match=r"already holds a.json, b.json, c.json and 3 more; "):
        check_targets(tmp_path, names, overwrite=False)
    check_targets(tmp_path, names, overwrite=True)


@pytest.mark.parametrize(
    "name, message",
    [
        ("mri-linaer", "there is no experiment 'mri-linaer'; did you mean 'mri-linear'?"),
        ("BUFFERS", "did you mean 'buffers'?"),
        ("qqq", "there is no experiment 'qqq'; `kolumn lecture list` shows them all"),
        ("../style", "there is no experiment"),
    ],
)
def test_unknown_names(name, message):
    with pytest.raises(ArgumentError, match=re.escape(message)):
        lecture.load(name)


# Pictures


def test_a_palette_keeps_greys_and_the_main_colours():
    pixels = np.zeros((40, 256, 3), np.uint8)
    pixels[:20] = np.arange(256, dtype=np.uint8)[None, :, None]
    drawn = [tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in style.COLOURS[:6]]
    for i, colour in enumerate(drawn):
        pixels[20:, 40 * i : 40 * i + 40] = colour
    small = picture.with_palette(Image.fromarray(pixels))
    assert small.mode == "P"
    back = np.asarray(small.convert("RGB")).astype(int)
    assert np.abs(back - pixels).max() <= 2
    assert (back[:20] == back[:20, :, :1]).all(), "greys stay grey"
    assert (back[0, [0, 255]] == [[0] * 3, [255] * 3]).all()


def test_a_picture_without_colours():
    pixels = np.full((9, 7, 3), 255, np.uint8)
    assert (np.asarray(picture.with_palette(Image.fromarray(pixels)).convert("RGB")) == 255).all()


@pytest.mark.parametrize("side, dpi", [(40, 100), (700, 70)])
def test_a_large_figure_is_drawn_smaller(tmp_path, side, dpi):
    noise = np.random.default_rng(0).random((side, side))
    figure = Figure(figsize=(7, 7))
    axis = figure.add_axes((0, 0, 1, 1))
    axis.imshow(noise, cmap="gray")
    axis.set_axis_off()
    picture.save_figure(tmp_path / "x.png", figure)
    with Image.open(tmp_path / "x.png") as image:
        assert image.size == (7 * dpi, 7 * dpi)


def test_images_of_a_row_share_their_scale():
    axes = style.canvas(4, 2, "two").subplots(1, 2)
    drawn = [style.show(a, torch.rand(5, 7) * s, "x", white=0.5) for a, s in zip(axes, (1, 30), strict=True)]
    assert [image.get_clim() for image in drawn] == [(0, 0.5)] * 2
    assert style.show(axes[0], torch.rand(5, 7), "x", white=1, black=-1).get_clim() == (-1, 1)


# The gallery


@pytest.fixture
def shown(fed, tmp_path):
    for name, verdict in (("mri-linear", True), ("buffers", False)):
        fed(found(verdict, many=[3.0, *range(20)], table={"a_b": {"c": 0.123456}}, nested=[[1], [2]]))
        run_experiment(name, tmp_path)
    return tmp_path


def test_the_gallery_shows_every_experiment_in_the_order_of_the_lecture(shown):
    save_gallery(shown)
    page, text = ((shown / name).read_text() for name in gallery.PAGES)
    for content in (page, text):
        assert content.index("buffers.png") < content.index("mri-linear.png")
        assert content.count("not run here") == len(EXPERIMENTS) - 2
        for wanted in ("table / a b / c", "0.1235", "21 numbers, 0 to 19, median 9", "2 lists, in the JSON"):
            assert wanted in content
        assert "http" not in content, "offline"
    assert all(f"<td>{claim}</td>" in page for claim in EXPERIMENTS.values())
    assert "It came out as 1.5 &lt; 2 &amp; so on." in page and "1.5 < 2 & so on." in text
    assert page.count('class="verdict yes"') == 2 and page.count('class="verdict"') == 2  # in the table and beside it
    assert "**Not borne out.**" in text and "**Borne out.**" in text


def test_the_gallery_keeps_what_stands_there(shown):
    save_gallery(shown)
    with pytest.raises(OutputError, match=r"already holds index.html, README.md"):
        save_gallery(shown)
    save_gallery(shown, overwrite=True)


def test_a_gallery_needs_experiments(tmp_path):
    with pytest.raises(OutputError, match="holds no experiment to show; run `kolumn lecture all"):
        save_gallery(tmp_path)
    with pytest.raises(OutputError, match="holds no experiment"):
        save_gallery(tmp_path / "nowhere")


@pytest.mark.parametrize("content", ["{", "[]", '{"name": "buffers"}', "\xff"])
def test_a_json_that_is_not_of_an_experiment(shown, content):
    (shown / "buffers.json").write_bytes(content.encode("latin-1"))
    with pytest.raises(FormatError, match=r"buffers\.json.*run `kolumn lecture buffers --overwrite` again"):
        save_gallery(shown)
    assert not (shown / "index.html").exists()


def test_numbers_become_rows():
    assert rows({"a_b": 1, "c": {"d": 0.000012345, "e": [1, 2.5]}, "f": True, "g": "word", "h": []}) == [
        ("a b", "1"),
        ("c / d", "1.234e-05"),
        ("c / e", "1 2.5"),
        ("f", "True"),
        ("g", "word"),
        ("h", ""),
    ]
