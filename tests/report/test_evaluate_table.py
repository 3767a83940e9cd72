"""From records made by hand to rows, and to the three files."""

from __future__ import annotations

import csv
import json
import math

import pytest

from kolumn.errors import ArgumentError, OutputError
from kolumn.report.evaluate_save import NAMES, REFERENCE, TABLES, check_evaluation_folder, save_evaluation
from kolumn.report.evaluate_table import HEADER, cells, flat, notes_of, rows_by_file, rows_over_files, spread
from kolumn.report.reference import REFERENCES

RUN = {
    "command": ["kolumn", "evaluate", "data"],
    "versions": {"kolumn": "1", "torch": "2"},
    "system": "Linux",
    "threads": 1,
    "settings": {"device": "cpu", "reference": "rss"},
    "files": [],
}


def scores(psnr, seconds, scale=1.0):
    return {"nmse": 0.01 * scale, "psnr": psnr, "ssim": 0.9 * scale, "hfen": 0.3 * scale, "seconds": seconds}


def failed(error="it broke"):
    return dict.fromkeys(("nmse", "psnr", "ssim", "hfen", "seconds")) | {"error": error}


def record(file, seed, true, slices, notes=(), kind="random", **methods):
    mask = {"kind": kind, "acceleration": 4.0, "center": 0.08, "true_acceleration": true}
    if kind == "full":
        mask |= {"acceleration": None, "center": None}
    return {
        "file": file,
        "sha256": "",
        "slices": slices,
        "seed": seed,
        "mask": mask,
        "methods": methods,
        "notes": list(notes),
    }


# tv: 30, 32 of a.h5 and 37 of b.h5, where seed 1 failed. Mean 33; deviations -3, -1, 4: 26 / 2 = 13.
RECORDS = [
    record("a.h5", 0, 4.0, 2, tv=scores(30.0, 2.0, 1), sense=scores(20.0, 0.2)),
    record("a.h5", 1, 4.2, 2, tv=scores(32.0, 8.0, 2), sense=scores(22.0, 0.2)),
    record("b.h5", 0, 4.4, 10, tv=scores(37.0, 30.0, 6), sense=scores(27.0, 0.2)),
    record("b.h5", 1, 4.6, 10, ["tv gave no image"], tv=failed(), sense=scores(31.0, 0.2)),
]


def test_mean_and_spread_over_all_files_by_hand():
    tv, sense = rows_over_files(RECORDS)
    assert (tv.file, tv.kind, tv.acceleration, tv.center, tv.method) == (None, "random", 4.0, 0.08, "tv")
    assert (tv.n, tv.failed, tv.n_files) == (3, 1, 2)
    assert tv.true_acceleration == pytest.approx(4.3)
    assert tv.scores["psnr"] == pytest.approx((33.0, math.sqrt(13)))
    # 0.01, 0.02, 0.06: mean 0.03, deviations -2, -1, 3: 14 / 2 = 7; the others are multiples
    assert tv.scores["nmse"] == pytest.approx((0.03, 0.01 * math.sqrt(7)))
    assert tv.scores["ssim"] == pytest.approx((2.7, 0.9 * math.sqrt(7)))
    assert tv.scores["hfen"] == pytest.approx((0.9, 0.3 * math.sqrt(7)))
    assert tv.seconds == 3.0  # of 1, 4 and 3 a slice
    # 20, 22, 27, 31: mean 25, deviations -5, -3, 2, 6: 74 / 3
    assert sense.scores["psnr"] == pytest.approx((25.0, math.sqrt(74 / 3)))
    assert (sense.n, sense.failed, sense.n_files) == (4, 0, 2)
    assert sense.seconds == pytest.approx((0.1 + 0.02) / 2)


def test_a_file_on_which_a_method_always_failed_is_none_of_its_files():
    (tv, sense) = rows_over_files([RECORDS[0], RECORDS[3]])
    assert (tv.n, tv.failed, tv.n_files) == (1, 1, 1) and (sense.n, sense.failed, sense.n_files) == (2, 0, 2)


def test_rows_by_file():
    rows = rows_by_file(RECORDS)
    assert [(r.file, r.method, r.n, r.failed, r.n_files) for r in rows] == [
        ("a.h5", "tv", 2, 0, 1),
        ("a.h5", "sense", 2, 0, 1),
        ("b.h5", "tv", 1, 1, 1),
        ("b.h5", "sense", 2, 0, 1),
    ]
    assert rows[0].scores["psnr"] == pytest.approx((31.0, math.sqrt(2)))
    assert rows[2].scores["psnr"] == (37.0, None)  # of one there is no spread, which is not a spread of 0
    assert [r.true_acceleration for r in rows] == pytest.approx([4.1, 4.1, 4.5, 4.5])
    assert rows[2].seconds == 3.0


def test_each_mask_and_level_has_rows_of_its_own():
    other = record("a.h5", 0, 4.0, 2, tv=scores(10.0, 1.0))
    for name, value in (("kind", "equispaced"), ("acceleration", 8.0), ("center", 0.04)):
        changed = {**other, "mask": {**other["mask"], name: value}}
        first, second = rows_over_files([other, changed])
        assert (first.n, second.n) == (1, 1)
        assert getattr(second, name) == value


def test_an_exact_image_has_an_infinite_psnr_and_a_failed_one_none():
    full = [record("a.h5", 0, 1.0, 2, kind="full", tv=scores(None, 1.0), grappa=failed())]
    tv, grappa = rows_over_files(full)
    assert tv.scores["psnr"] == (math.inf, None)
    assert cells(tv)[:7] == ("full", "-", "1.00", "-", "tv", "1", "inf")
    assert grappa.scores["psnr"] == (None, None) and grappa.seconds is None
    assert cells(grappa) == ("full", "-", "1.00", "-", "grappa", "0", "-", "-", "-", "-", "-")
    assert spread([math.inf, 30.0]) == (math.inf, None)
    assert spread([]) == (None, None)


def test_cells():
    expected = ("random", "4", "4.30", "0.08", "tv", "3")
    expected += ("33.00 ± 3.61", "2.7000 ± 2.3812", "0.03000 ± 0.02646", "0.9000 ± 0.7937", "3")
    assert cells(rows_over_files(RECORDS)[0]) == expected
    assert (
        *("mask", "asked", "true", "center", "method", "n"),
        *("PSNR / dB", "SSIM", "NMSE", "HFEN", "s / slice"),
    ) == HEADER
    assert cells(rows_by_file(RECORDS)[2])[6:] == ("37.00", "5.4000", "0.06000", "1.8000", "3")


def test_notes_of_several_seeds_are_one_line():
    records = [
        record("a.h5", 0, 4.0, 1, ["slow", "tv broke"]),
        record("a.h5", 3, 4.0, 1, ["slow"]),
        record("b.h5", 0, 1.0, 1, ["slow"], kind="full"),
        record("c.h5", 0, 1.0, 1),
    ]
    assert notes_of(records) == [
        "a.h5, random 4x, center 0.08, seeds 0, 3: slow",
        "a.h5, random 4x, center 0.08, seed 0: tv broke",
        "b.h5, full, seed 0: slow",
    ]
    assert notes_of(records[:3]) == ["every record: slow", "a.h5, random 4x, center 0.08, seed 0: tv broke"]
    records.append(record("a.h5", 0, 8.0, 1, ["slow"], kind="poisson"))
    assert notes_of(records)[0] == "a.h5, every mask: slow"
    records.append(record("a.h5", 0, 9.0, 1, kind="gaussian"))
    assert notes_of(records)[0] == "a.h5, random 4x, center 0.08, seeds 0, 3: slow"
    assert notes_of(records)[1] == "a.h5, poisson 4x, center 0.08, seed 0: slow"
    assert notes_of(records[1:2]) == ["a.h5, random 4x, center 0.08, seed 3: slow"]


def test_the_csv_has_every_digit(tmp_path):
    save_evaluation(tmp_path, RECORDS, [], RUN)
    with (tmp_path / "evaluation.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = [flat(row) for row in (*rows_over_files(RECORDS), *rows_by_file(RECORDS))]
    assert len(rows) == len(expected) == 6
    for got, want in zip(rows, expected, strict=True):
        assert list(got) == list(want)
        for name, value in want.items():
            assert (float(got[name]) if isinstance(value, float) else got[name]) == (
                value if isinstance(value, float) else "" if value is None else str(value)
            )
    assert [r["scope"] for r in rows] == ["all"] * 2 + ["file"] * 4
    assert rows[0]["file"] == "" and rows[0]["psnr_std"] == repr(math.sqrt(13))
    assert (rows[0]["n"], rows[0]["n_failed"], rows[0]["n_files"]) == ("3", "1", "2")


def test_the_json_is_strict_and_complete(tmp_path):
    exact = record("c.h5", 0, 1.0, 1, kind="full", tv=scores(None, 1.0), sense=scores(None, 1.0))
    save_evaluation(tmp_path, [*RECORDS, exact], ["mine"], RUN)

    def never(word):
        raise AssertionError(f"{word} is no JSON")

    saved = json.loads((tmp_path / "evaluation.json").read_text(), parse_constant=never)
    assert list(saved) == ["reference", "aggregates", "notes", "records", "run"]
    assert saved["records"] == [*RECORDS, exact] and saved["run"] == RUN
    assert saved["notes"] == ["mine", "b.h5, random 4x, center 0.08, seed 1: tv gave no image"]
    assert saved["aggregates"][0] == flat(rows_over_files(RECORDS)[0])
    assert [a["psnr_mean"] for a in saved["aggregates"] if a["mask"] == "full"] == [None] * 4
    with (tmp_path / "evaluation.csv").open(newline="") as file:
        assert {r["psnr_mean"] for r in csv.DictReader(file) if r["mask"] == "full"} == {"inf"}


def test_the_markdown_says_what_is_counted(tmp_path):
    save_evaluation(tmp_path, RECORDS, ["mine"], RUN)
    text = (tmp_path / "evaluation.md").read_text()
    assert text.startswith("# Evaluation on 2 files\n")
    for words in (
        "files x seeds",
        "over files and seeds",
        "root sum of squares",
        "divisor n - 1",
        "over the whole volume",
    ):
        assert words in text
    lines = text.splitlines()
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) == 2 + 2 + 2 + 4
    assert tables[2] == f"| {' | '.join(cells(rows_over_files(RECORDS)[0]))} |"
    assert tables[6].startswith("| a.h5 | random | 4 | 4.10 | 0.08 | tv | 2 | 31.00 ± 1.41 |")
    assert {line.count("|") for line in tables[:4]} == {12} and {line.count("|") for line in tables[4:]} == {13}
    assert "* mine" in lines and "* b.h5, random 4x, center 0.08, seed 1: tv gave no image" in lines
    assert "    kolumn evaluate data" in lines and "kolumn 1, torch 2; Linux, device cpu, 1 threads." in text


def test_the_reference_is_named(tmp_path):
    assert set(REFERENCE) == set(REFERENCES)
    for name, words in (("rss", "noise of the scan is in it"), ("unbiased", "less its noise floor")):
        save_evaluation(tmp_path, RECORDS, [], {**RUN, "settings": {"device": "cpu", "reference": name}})
        (line,) = [x for x in (tmp_path / "evaluation.md").read_text().splitlines() if "**Reference:**" in x]
        said = json.loads((tmp_path / "evaluation.json").read_text())["reference"]
        assert words in said and line == f"* **Reference:** {said}"


def test_a_strange_name_breaks_no_table(tmp_path):
    name = "a|b\nc\udc80.h5"
    save_evaluation(tmp_path, [record(name, 0, 4.0, 1, tv=scores(1.0, 1.0))], [], RUN)
    rows = [line for line in (tmp_path / "evaluation.md").read_text().splitlines() if line.startswith("| a")]
    assert len(rows) == 1 and rows[0].startswith("| a\\|b?c?.h5 |")
    assert json.loads((tmp_path / "evaluation.json").read_text())["records"][0]["file"] == name


def test_nothing_is_written_where_every_method_failed(tmp_path):
    bad = [record("a.h5", 0, 4.0, 1, ["tv: it broke"], tv=failed())]
    with pytest.raises(ArgumentError, match=r"no method gave an image; a\.h5, random 4x, .*: tv: it broke"):
        save_evaluation(tmp_path, bad, [], RUN)
    assert list(tmp_path.iterdir()) == []


def test_the_folder(tmp_path):
    check_evaluation_folder(tmp_path / "new", False, False)
    assert list(tmp_path.iterdir()) == []
    for name in NAMES:
        (tmp_path / name).write_text("mine")
        with pytest.raises(OutputError, match=f"already holds {name}; choose another folder, or pass --resume"):
            check_evaluation_folder(tmp_path, False, False)
        check_evaluation_folder(tmp_path, True, False)
        check_evaluation_folder(tmp_path, False, True)
        (tmp_path / name).unlink()
    with pytest.raises(ArgumentError, match="give one of them"):
        check_evaluation_folder(tmp_path, True, True)
    (tmp_path / TABLES[0]).mkdir()
    with pytest.raises(OutputError, match="is a directory"):
        check_evaluation_folder(tmp_path, False, True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="is a file"):
        check_evaluation_folder(tmp_path / "file", False, True)
    with pytest.raises(OutputError, match="create it first"):
        check_evaluation_folder(tmp_path / "no" / "where", False, True)
