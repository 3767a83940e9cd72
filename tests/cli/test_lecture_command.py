"""``kolumn lecture``: the list, one experiment, all of them, and the gallery."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from kolumn_runs import bad, good, tree

from kolumn.lecture import EXPERIMENTS, mri_linear, runner, style
from kolumn.lecture.result import Result


def result(name: str) -> Result:
    figure = style.canvas(2, 2, name)
    figure.add_subplot().plot([1, 2])
    return Result({"value": 1.5}, name != "buffers", f"{name} gave 1.5.", figure)


@pytest.fixture
def quick(monkeypatch):
    """Two experiments, and what each gives at once."""
    names = ("buffers", "mri-linear")
    for name in set(EXPERIMENTS) - set(names):
        monkeypatch.delitem(EXPERIMENTS, name)
    monkeypatch.setattr(runner, "load", lambda name: lambda: result(name))
    return names


def test_list_shows_every_claim(capsys):
    shown = " ".join(good(capsys, "lecture", "list").out.split())
    for name, claim in EXPERIMENTS.items():
        assert f"{name} {claim}" in shown


def test_help_and_list_import_nothing_heavy(tmp_path):
    code = (
        "import sys, atexit\n"
        "from kolumn.cli import main\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'jinja2', 'PIL'}\n"
        "atexit.register(lambda: print(sorted(heavy & set(sys.modules))))\n"
        "main(sys.argv[1:])\n"
    )
    for words in (["lecture", "--help"], ["lecture", "list"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, check=True, cwd=tmp_path
        )
        assert done.stdout.endswith("\n[]\n") and done.stderr == ""
    assert list(tmp_path.iterdir()) == []


def test_one_experiment(capsys, tmp_path, monkeypatch):
    for name, value in {"SIZES": (16, 20, 17), "PRIMES": (17,), "REPEATS": 2}.items():
        monkeypatch.setattr(mri_linear, name, value)
    said = good(capsys, "lecture", "mri-linear", "-o", tmp_path / "new")
    record = json.loads((tmp_path / "new" / "mri-linear.json").read_text())
    assert said.out == "" and said.err.startswith(f"mri-linear: {record['verdict']} (")
    assert record["words"] in said.err
    assert set(tree(tmp_path)) == {"new", "new/mri-linear.json", "new/mri-linear.png"}
    before = tree(tmp_path)
    line = bad(capsys, "lecture", "mri-linear", "-o", tmp_path / "new")
    assert "already holds mri-linear.json, mri-linear.png" in line and "--overwrite" in line
    assert tree(tmp_path) == before
    good(capsys, "lecture", "mri-linear", "-o", tmp_path / "new", "--overwrite")
    assert tree(tmp_path) != before


def test_all_runs_each(quick, capsys, tmp_path):
    said = good(capsys, "lecture", "all", "-o", tmp_path / "new").err.splitlines()
    assert [line.split(" (")[0] for line in said] == [
        "buffers: not borne out",
        "mri-linear: borne out",
        f"the gallery is {tmp_path / 'new' / 'index.html'}",
    ]
    files = {"buffers.json", "buffers.png", "index.html", "mri-linear.json", "mri-linear.png", "README.md"}
    assert set(tree(tmp_path / "new")) == files


def test_all_goes_into_a_folder_of_its_own_name(quick, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good(capsys, "lecture", "all")
    assert (tmp_path / "kolumn-lecture" / "index.html").exists()


@pytest.mark.parametrize("name", ["README.md", "mri-linear.png"])
def test_all_overwrites_nothing_and_starts_nothing(quick, capsys, tmp_path, name, monkeypatch):
    (tmp_path / name).write_text("mine")
    assert f"already holds {name}" in bad(capsys, "lecture", "all", "-o", tmp_path)
    assert tree(tmp_path) == {name: b"mine"}
    good(capsys, "lecture", "all", "-o", tmp_path, "--overwrite")
    assert (tmp_path / name).read_bytes() != b"mine"


def test_gallery_alone_makes_the_pages_again(quick, capsys, tmp_path):
    good(capsys, "lecture", "all", "-o", tmp_path)
    record = json.loads((tmp_path / "buffers.json").read_text())
    (tmp_path / "buffers.json").write_text(json.dumps(record | {"words": "Something else."}))
    assert "already holds index.html" in bad(capsys, "lecture", "gallery", "-o", tmp_path)
    good(capsys, "lecture", "gallery", "-o", tmp_path, "--overwrite")
    assert "Something else." in (tmp_path / "index.html").read_text()
    assert "holds no experiment" in bad(capsys, "lecture", "gallery", "-o", tmp_path / "empty")


@pytest.mark.parametrize(
    "name, hint",
    [
        ("mri-linaer", "did you mean 'mri-linear'?"),
        ("alll", "`kolumn lecture list` shows them all"),
        ("", "there is no experiment ''"),
    ],
)
def test_an_unknown_name_is_one_clear_line(capsys, tmp_path, name, hint):
    assert hint in bad(capsys, "lecture", name, "-o", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert "is a file" in bad(capsys, "lecture", "mri-linear", "-o", tmp_path / "file")
    assert "create it first" in bad(capsys, "lecture", "mri-linear", "-o", tmp_path / "a" / "b")
