"""`kolumn evaluate`: a folder of scans to tables; stopped runs, wrong words, and what is left alone."""

from __future__ import annotations

import csv
import json
import statistics
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from kolumn_runs import SHAPE, bad, good, run, save, scan_of, tree

from kolumn.masks import make_mask
from kolumn.report import undersampled

FILES = ["evaluation.csv", "evaluation.json", "evaluation.md", "records.jsonl"]
QUICK = ["--methods", "zero-filled,sense", "--acceleration", "2,3", "--center", "0.25,0.2", "--seeds", "2"]


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    save(folder / "one.h5", scan_of(1))
    save(folder / "two.npy", scan_of(2, seed=2))
    save(folder / "fast.h5", undersampled(scan_of(1), make_mask("equispaced", SHAPE, 2, 0.25).samples))
    (folder / "notes.txt").write_text("mine")
    return folder


@pytest.fixture(scope="module")
def done(scans, tmp_path_factory):
    """A finished evaluation; not to be changed."""
    folder = tmp_path_factory.mktemp("done") / "e"
    from kolumn.cli import main

    with pytest.raises(SystemExit) as stop:
        main(["evaluate", str(scans), "-o", str(folder), *QUICK])
    assert stop.value.code in (0, None)
    return folder


def saved(folder):
    def never(word):
        raise AssertionError(f"{word} is no JSON")

    return json.loads((folder / "evaluation.json").read_text(), parse_constant=never)


def rows(folder):
    with (folder / "evaluation.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def without_times(folder):
    found = saved(folder)
    for row in found["aggregates"]:
        del row["seconds_per_slice"]
    for record in found["records"]:
        for method in record["methods"].values():
            del method["seconds"]
    return found["aggregates"], found["records"], found["notes"]


def test_tables(scans, tmp_path, capsys):
    result = good(capsys, "evaluate", scans, "-o", tmp_path / "e", *QUICK)
    assert sorted(p.name for p in (tmp_path / "e").iterdir()) == FILES
    left = [
        "fast.h5 is left out: it is itself undersampled (62% of it is there), without a full reference",
        "notes.txt is left out: it is in no format that kolumn reads",
    ]
    said = [line for line in result.err.splitlines() if not line.startswith("evaluate ")]  # progress, where it is slow
    assert said[:2] == [f"note: {note}" for note in left]
    assert said[2:] == [
        "files: 2, masks on them: 8, done already: 0",
        f"tables in {tmp_path / 'e' / 'evaluation.md'}, .csv and .json",
    ]
    assert saved(tmp_path / "e")["notes"] == left
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0][:6] == ["mask", "asked", "true", "center", "method", "n"]
    assert [line[:2] + line[3:6] for line in lines[1:]] == [
        ["random", level, center, method, "4"]
        for level, center in (("2", "0.25"), ("3", "0.2"))
        for method in ("zero-filled", "sense")
    ]
    table = rows(tmp_path / "e")
    assert [(r["scope"], r["file"], r["n"]) for r in table] == [("all", "", "4")] * 4 + [
        ("file", name, "2") for name in ("one.h5", "two.npy") for _ in range(4)
    ]


def test_each_number_is_that_of_compare(done, scans, tmp_path, capsys):
    """Of four runs of `kolumn compare`: their mean and their spread."""
    psnr = []
    for name in ("one.h5", "two.npy"):
        for seed in (0, 1):
            words = ["--acceleration", "3", "--center", "0.2", "--seed", seed, "--methods", "sense"]
            good(capsys, "compare", scans / name, "-o", tmp_path / f"{name}{seed}", *words)
            metrics = json.loads((tmp_path / f"{name}{seed}" / "metrics.json").read_text())
            psnr.append(metrics["methods"]["sense"]["psnr"])
    (row,) = [r for r in rows(done) if (r["scope"], r["acceleration"], r["method"]) == ("all", "3.0", "sense")]
    assert float(row["psnr_mean"]) == pytest.approx(sum(psnr) / 4, rel=1e-6)
    assert float(row["psnr_std"]) == pytest.approx(statistics.stdev(psnr), rel=1e-4)
    assert float(row["true_acceleration"]) == pytest.approx(40 / 13)


def test_record_of_the_run(done, scans):
    found = saved(done)["run"]
    assert found["command"] == ["kolumn", "evaluate", str(scans), "-o", str(done), *QUICK]
    settings = found["settings"]
    assert settings["methods"] == ["zero-filled", "sense"] and settings["seeds"] == 2
    assert (settings["accelerations"], settings["centers"]) == ([2.0, 3.0], [0.25, 0.2])
    assert settings["torch"] == found["versions"]["torch"] == torch.__version__
    assert [f["name"] for f in found["files"]] == ["one.h5", "two.npy"] and "file" not in found
    assert [f["bytes"] for f in found["files"]] == [(scans / n).stat().st_size for n in ("one.h5", "two.npy")]
    assert {r["sha256"] for r in saved(done)["records"]} == {f["sha256"] for f in found["files"]}
    assert found["records_of_earlier_runs"] == 0
    lines = [json.loads(line) for line in (done / "records.jsonl").read_text().splitlines()]
    assert lines[0] == {"settings": settings} and len(lines) == 9


def test_resume_after_a_cut(done, scans, tmp_path, capsys):
    folder = tmp_path / "e"
    folder.mkdir()
    lines = (done / "records.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "records.jsonl").write_bytes(b"".join(lines[:4]) + lines[4][:37])
    words = ["evaluate", scans, "-o", folder, *QUICK]
    assert "already holds records.jsonl; choose another folder, or pass --resume" in bad(capsys, *words)
    result = good(capsys, *words, "--resume")
    assert "files: 2, masks on them: 8, done already: 3" in result.err
    assert without_times(folder) == without_times(done)
    after = (folder / "records.jsonl").read_bytes().splitlines(keepends=True)
    assert after[:4] == lines[:4] and len(after) == len(lines)
    assert saved(folder)["run"]["records_of_earlier_runs"] == 3
    before = (folder / "records.jsonl").read_bytes()
    assert "done already: 8" in good(capsys, *words, "--resume").err
    assert (folder / "records.jsonl").read_bytes() == before
    assert without_times(folder) == without_times(done)


def test_progress_counts_every_slice_of_every_method_that_is_to_do(done, scans, tmp_path, capsys, monkeypatch):
    told: list[str] = []
    totals: list[int] = []

    @contextmanager
    def progress(what, total):
        totals.append(total)
        yield told.append

    monkeypatch.setattr("kolumn.cli.console.progress", progress)
    (tmp_path / "e").mkdir()
    lines = (done / "records.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "e" / "records.jsonl").write_bytes(b"".join(lines[:-1]))  # one is to do: two slices, two methods
    good(capsys, "evaluate", scans, "-o", tmp_path / "e", *QUICK, "--resume")
    assert totals == [4]
    about = "two.npy, random 3x, center 0.2, seed 1"
    assert told == [f"{about}, {name}, slice {i}" for i in (0, 1) for name in ("zero-filled", "sense")]


def test_resume_with_nothing_there(scans, tmp_path, capsys):
    words = ["evaluate", scans / "one.h5", "-o", tmp_path / "e", *QUICK[:-1], "1", "--resume"]
    assert "holds no records to go on from" in good(capsys, *words).err
    assert sorted(p.name for p in (tmp_path / "e").iterdir()) == FILES


def test_resume_with_other_choices_or_files(scans, tmp_path, capsys):
    mine = tmp_path / "mine"
    mine.mkdir()
    for name in ("one.h5", "two.npy"):
        (mine / name).write_bytes((scans / name).read_bytes())
    words = ["evaluate", mine, "-o", tmp_path / "e", "--methods", "zero-filled", "--seeds", "1"]
    good(capsys, *words)
    before = tree(tmp_path / "e")
    again = [*words, "--resume"]
    assert "other settings: seeds was 1; repeat them" in bad(capsys, *again, "--seeds", "2")
    assert "other settings: masks was " in bad(capsys, *again, "--mask", "gaussian")
    assert "--resume goes on and --overwrite starts anew" in bad(capsys, *again, "--overwrite")
    save(mine / "three.h5", scan_of(1, seed=3))
    result = good(capsys, *again)  # a file more is more to do
    assert "files: 3, masks on them: 3, done already: 2" in result.err
    (mine / "three.h5").unlink()
    assert "three.h5 too, which is not among the files now" in last(capsys, *again)
    save(mine / "three.h5", scan_of(1, seed=4))
    assert "three.h5 too, which has changed since then" in last(capsys, *again)
    good(capsys, *words, "--overwrite")
    assert sorted(tree(tmp_path / "e")) == sorted(before)
    assert {r["file"] for r in saved(tmp_path / "e")["records"]} == {"one.h5", "two.npy", "three.h5"}


def last(capsys, *words):
    """The one line that a command stopped with, after its notes."""
    result = run(capsys, *words)
    assert result.code == 2 and result.out == ""
    line = result.err.splitlines()[-1]
    assert line.startswith("kolumn: ") and "defect" not in line and "Traceback" not in result.err
    return line


def test_overwrite(scans, tmp_path, capsys, monkeypatch):
    words = ["evaluate", scans / "one.h5", "-o", tmp_path / "e", "--methods", "zero-filled"]
    good(capsys, *words, "--seeds", "1")
    (tmp_path / "e" / "notes.txt").write_text("mine")
    before = tree(tmp_path / "e")
    line = bad(capsys, *words, "--seeds", "2")
    assert "already holds evaluation.json, evaluation.csv, evaluation.md, records.jsonl;" in line
    assert "unknown mask" in bad(capsys, *words, "--overwrite", "--mask", "x")
    assert "leaves none" in bad(capsys, *words, "--overwrite", "--acceleration", "99", "--center", "0")
    assert tree(tmp_path / "e") == before  # a mistake costs nothing
    good(capsys, *words, "--seeds", "2", "--overwrite")
    assert [r["n"] for r in rows(tmp_path / "e")] == ["2", "2"]
    assert (tmp_path / "e" / "notes.txt").read_text() == "mine"

    def stopped(*a, **k):
        raise KeyboardInterrupt

    monkeypatch.setattr("kolumn.report.evaluate.evaluate", stopped)
    assert run(capsys, *words, "--seeds", "3", "--overwrite").code == 130
    assert sorted(tree(tmp_path / "e")) == ["notes.txt", "records.jsonl"]  # no table that is not of these records


def test_results_may_lie_among_the_scans(scans, tmp_path, capsys):
    save(tmp_path / "one.npy", scan_of(1))
    words = ["evaluate", tmp_path, "-o", tmp_path, "--methods", "zero-filled", "--seeds", "1"]
    assert "note" not in good(capsys, *words).err
    assert "note" not in good(capsys, *words, "--resume").err


def test_a_method_that_fails(tmp_path, capsys):
    """Without a sampled centre SENSE has no calibration lines, but where chance gives it some."""
    save(tmp_path / "one.npy", scan_of(1))
    words = ["evaluate", tmp_path, "-o", tmp_path / "e", "--acceleration", "2", "--center", "0", "--seeds", "3"]
    result = good(capsys, *words, "--methods", "zero-filled,sense")
    zero, sense = rows(tmp_path / "e")[:2]
    assert (zero["n"], zero["n_failed"]) == ("3", "0") and 0 < int(sense["n_failed"]) <= 3
    assert int(sense["n"]) + int(sense["n_failed"]) == 3
    notes = [note for note in saved(tmp_path / "e")["notes"] if "sense gave no image" in note]
    assert notes and all(f"note: {note}\n" in result.err for note in notes)
    assert all(note.startswith("one.npy, random 2x, center 0, seed") for note in notes)


def test_no_method_gives_an_image(tmp_path, capsys):
    save(tmp_path / "one.npy", scan_of(1))
    words = ["evaluate", tmp_path / "one.npy", "-o", tmp_path / "e", "--seeds", "1"]
    line = last(capsys, *words, "--methods", "sense", "--center", "0.25", "--acceleration", "2", "--lam", "inf")
    assert "no method gave an image; one.npy, random 2x, center 0.25, seed 0: sense gave no image: " in line
    assert "NaN" in line
    assert [p.name for p in (tmp_path / "e").iterdir()] == ["records.jsonl"]


def test_many_notes_are_cut_short(tmp_path, capsys):
    save(tmp_path / "one.npy", scan_of(1))
    for i in range(25):
        (tmp_path / f"{i:02d}.txt").write_text("words")
    result = good(capsys, "evaluate", tmp_path, "-o", tmp_path / "e", "--methods", "zero-filled", "--seeds", "1")
    assert result.err.count("is left out") == 20 and "note: 5 more like these" in result.err
    text = (tmp_path / "e" / "evaluation.md").read_text()
    assert text.count("is left out") == 25


def test_options_reach_their_methods(scans, tmp_path, capsys):
    words = ["evaluate", scans / "one.h5", *QUICK, "--seeds", "1", "--whiten", "none"]
    good(capsys, *words, "-o", tmp_path / "a", "--lam", "0.5")
    good(capsys, "evaluate", "--lam", "0.001", *words[1:], "-o", tmp_path / "b")
    a, b = (saved(tmp_path / name)["records"][0]["methods"] for name in "ab")
    assert a["zero-filled"]["nmse"] == b["zero-filled"]["nmse"] and a["sense"]["nmse"] != b["sense"]["nmse"]
    assert saved(tmp_path / "a")["run"]["settings"]["method_options"]["sense"] == {"lam": 0.5}
    assert saved(tmp_path / "a")["run"]["settings"]["whiten"] == "none"


def test_another_reference(scans, tmp_path, capsys):
    words = ["evaluate", scans / "one.h5", "-o", tmp_path / "e", "--methods", "zero-filled", "--seeds", "2"]
    result = good(capsys, *words, "--reference", "unbiased")
    assert result.err.count("note: every record: scored against the root sum of squares less its noise floor") == 1
    assert "less its noise floor" in saved(tmp_path / "e")["reference"]
    assert saved(tmp_path / "e")["run"]["settings"]["reference"] == "unbiased"
    assert 'other settings: reference was "unbiased"' in last(capsys, *words, "--resume")


def test_one_centre_for_all_accelerations(scans, tmp_path, capsys):
    words = ["evaluate", scans / "one.h5", "-o", tmp_path / "e", "--methods", "zero-filled", "--seeds", "1"]
    good(capsys, *words, "--mask", "random, gaussian", "--acceleration", "2, 3,2", "--center", "0.1")
    assert [(r["mask"], r["acceleration"], r["center"]) for r in rows(tmp_path / "e") if r["scope"] == "all"] == [
        (kind, acceleration, "0.1") for kind in ("random", "gaussian") for acceleration in ("2.0", "3.0")
    ]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--mask", "random,rndom"], "unknown mask 'rndom'; did you mean 'random'?"),
        (["--mask", ","], "no masks to evaluate"),
        (["--mask", "no.npy"], "no.npy: there is no such file"),
        (["--acceleration", "4,x"], "--acceleration is '4,x'; wanted numbers with commas between them, as in 4,8"),
        (["--acceleration", ""], "--acceleration is ''; wanted numbers"),
        (["--acceleration", "4,0.5"], "acceleration is 0.5; wanted a finite number of at least 1"),
        (["--acceleration", "4,99"], "acceleration 99 leaves none of the 40 columns; lower it"),
        (["--acceleration", "4,20"], "lower center or acceleration"),
        (["--acceleration", "nan"], "acceleration is nan"),
        (
            ["--center", "0.08,0.04"],
            "--center gives 2 numbers and --acceleration 1; wanted one center, or one for each",
        ),
        (["--acceleration", "2,3,4", "--center", "0.08,0.04"], "--center gives 2 numbers and --acceleration 3; wanted"),
        (["--center", "2"], "center is 2.0; wanted a fraction"),
        (["--seeds", "0"], "seeds is 0; wanted how many masks"),
        (["--seed", "3"], "unknown option --seed; --seeds N takes the seeds 0 to N - 1"),
        (["--methods", "zero-filled,sens"], "unknown method 'sens'"),
        (["--methods", ","], "no methods to evaluate"),
        (["--whiten", "x"], "whitening is 'x'"),
        (["--reference", "x"], "reference is 'x'"),
        (["--whiten", "scan"], "holds no fully sampled k-space; "),
        (["--device", "abacus"], "device 'abacus' cannot be used here"),
        (["--aceleration", "4"], "unknown option --aceleration; did you mean --acceleration? see `kolumn evaluate"),
        (["--methods", "zero-filled,sense", "--lam", "x"], "--lam is 'x'; wanted a number for sense\n"),
        (["--methods", "zero-filled", "--rows", "1"], "--rows is an option of grappa, not of zero-filled"),
    ],
)
def test_wrong_options(scans, tmp_path, capsys, monkeypatch, words, says):
    monkeypatch.setattr("kolumn.report.evaluate.compare", lambda *a, **k: pytest.fail("worked first"))
    assert says in bad(capsys, "evaluate", scans, "-o", tmp_path / "e", *words)
    assert list(tmp_path.iterdir()) == []


def test_wrong_folders(scans, tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    before = tree(tmp_path)
    words = ["-o", tmp_path / "e", "--methods", "zero-filled"]
    assert "empty holds no fully sampled k-space; it is empty" in bad(capsys, "evaluate", tmp_path / "empty", *words)
    assert "file is in no format that kolumn reads" in bad(capsys, "evaluate", tmp_path / "file", *words)
    assert "fast.h5 is itself undersampled" in bad(capsys, "evaluate", scans / "fast.h5", *words)
    assert "nosuch does not exist" in bad(capsys, "evaluate", tmp_path / "nosuch", *words)
    assert "one file at a time" in bad(capsys, "evaluate", scans, scans, *words)
    assert "file is a file" in bad(capsys, "evaluate", scans, "-o", tmp_path / "file")
    assert "create it first" in bad(capsys, "evaluate", scans, "-o", tmp_path / "no" / "e")
    assert tree(tmp_path) == before


def test_a_mask_of_a_file(scans, tmp_path, capsys):
    np.save(tmp_path / "mine.npy", np.arange(40) % 2)
    words = ["evaluate", scans / "one.h5", "-o", tmp_path / "e", "--methods", "zero-filled"]
    result = good(capsys, *words, "--mask", tmp_path / "mine.npy", "--acceleration", "2,4")
    assert "different masks of a file among 5 seeds: 1; each counts once" in result.err
    (row, _) = rows(tmp_path / "e")
    assert (row["acceleration"], row["center"], row["n"], row["psnr_std"]) == ("", "", "1", "")
    assert float(row["true_acceleration"]) == 2.0
    np.save(tmp_path / "mine.npy", np.arange(40) % 3)
    again = [*words, "--mask", tmp_path / "mine.npy", "--acceleration", "2,4", "--resume"]
    assert "other settings: files was " in last(capsys, *again)
