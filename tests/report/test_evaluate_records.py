"""The file of records: whatever moment a run is killed at, it loses one record at most."""

from __future__ import annotations

import json

import pytest

from kolumn.errors import FormatError, OutputError
from kolumn.report.evaluate_records import NAME, check_files, resume_records, start_records

SETTINGS = {"methods": ["tv"], "seeds": 2}


def record(file="a.h5", seed=0, psnr=30.1):
    mask = {"kind": "random", "acceleration": 4.0, "center": 0.08}
    methods = {"tv": {"psnr": psnr}}
    return {"file": file, "sha256": "1", "slices": 1, "seed": seed, "mask": mask, "methods": methods, "notes": []}


def key(file="a.h5", seed=0):
    return file, "random", 4.0, 0.08, seed


@pytest.fixture
def folder(tmp_path):
    records = start_records(tmp_path, SETTINGS)
    records.append(key(seed=0), record(seed=0))
    records.append(key(seed=1), record(seed=1))
    return tmp_path


def test_what_is_kept_comes_back(folder):
    lines = (folder / NAME).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"settings": SETTINGS}, record(seed=0), record(seed=1)]
    back = resume_records(folder, SETTINGS)
    assert back.kept == {key(seed=0): record(seed=0), key(seed=1): record(seed=1)}
    assert back.get(key(seed=1)) == record(seed=1)
    assert back.get(key(seed=2)) is back.get(key("b.h5")) is None


def test_a_record_is_there_at_once(tmp_path):
    records = start_records(tmp_path, SETTINGS)
    records.append(key(), record())
    assert records.get(key()) == record()
    assert resume_records(tmp_path, SETTINGS).kept == records.kept


def test_cut_off_at_any_byte(folder):
    """The whole lines before count, and what is appended then stands in a line of its own."""
    path = folder / NAME
    whole = path.read_bytes()
    first, second = (i + 1 for i, byte in enumerate(whole[:-1]) if byte == ord("\n"))
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        back = resume_records(folder, SETTINGS)
        if cut < first:
            assert back is None
            continue
        expected = [0] if cut >= second else []
        expected += [1] if cut == len(whole) else []
        assert [k[-1] for k in back.kept] == expected, cut
        back.append(key(seed=7), record(seed=7))
        assert [k[-1] for k in resume_records(folder, SETTINGS).kept] == [*expected, 7]


def test_nothing_to_go_on_from(tmp_path):
    assert resume_records(tmp_path, SETTINGS) is None
    assert resume_records(tmp_path / "no", SETTINGS) is None


def test_other_settings(folder):
    before = (folder / NAME).read_bytes()
    (folder / NAME).write_bytes(before + b"half")
    for other in ({**SETTINGS, "seeds": 3}, {"seeds": 2}, {**SETTINGS, "device": "cpu"}):
        with pytest.raises(OutputError, match="holds an evaluation with other settings") as error:
            resume_records(folder, other)
        assert "\n" not in str(error.value)
    assert (folder / NAME).read_bytes() == before + b"half"
    with pytest.raises(OutputError, match=r"other settings: seeds was 2; repeat them"):
        resume_records(folder, {**SETTINGS, "seeds": 3})


@pytest.mark.parametrize("line", [b"nonsense", b"[1]", b'{"file": "a.h5"}', b"\xff", b""])
def test_a_line_that_is_no_record(folder, line):
    path = folder / NAME
    lines = path.read_bytes().splitlines()
    path.write_bytes(b"\n".join([lines[0], line, lines[2]]) + b"\n")
    with pytest.raises(FormatError, match="line 2, is no record of an evaluation"):
        resume_records(folder, SETTINGS)
    path.write_bytes(b"\n".join([line, *lines[1:]]) + b"\n")
    with pytest.raises(FormatError, match="line 1, is no start of an evaluation"):
        resume_records(folder, SETTINGS)


def test_starting_anew_leaves_nothing_of_before(folder):
    start_records(folder, {"seeds": 9})
    assert (folder / NAME).read_text() == '{"settings": {"seeds": 9}}\n'
    assert [p.name for p in folder.iterdir()] == [NAME]


def test_the_files_must_be_what_they_were():
    records = [record("a.h5"), record("b.h5")]
    check_files(records, {"a.h5": "1", "b.h5": "1", "c.h5": "7"})
    with pytest.raises(OutputError, match=r"of b\.h5 too, which has changed"):
        check_files(records, {"a.h5": "1", "b.h5": "2"})
    with pytest.raises(OutputError, match=r"of a\.h5 too, which is not among the files"):
        check_files(records, {"b.h5": "1"})


def test_a_record_that_cannot_be_written(folder):
    records = resume_records(folder, SETTINGS)
    (folder / NAME).unlink()
    (folder / NAME).mkdir()
    with pytest.raises(OutputError, match="go on with --resume"):
        records.append(key(seed=2), record(seed=2))
    assert records.get(key(seed=2)) is None
