"""Checkpoints: whole or not there, never code, and one line when they are broken."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
import torch

from kolumn.errors import FormatError, OutputError
from kolumn.train.checkpoint import LAST, load_checkpoint, save_checkpoint

STATE = {
    "description": {"method": "unet", "options": {"channels": 4}},
    "settings": {},
    "step": 7,
    "seconds": 1.5,
    "model": {"weight": torch.arange(5000.0)},
    "optimizer": {"state": {0: {"t": 3}}, "param_groups": []},
    "watch": {},
    "seen": {"coils": [1]},
}


def test_round_trip(tmp_path):
    save_checkpoint(tmp_path / LAST, STATE)
    found = load_checkpoint(tmp_path / LAST)
    assert torch.equal(found["model"].pop("weight"), STATE["model"]["weight"])
    assert found == {**STATE, "model": {}, "format": 2}
    assert [p.name for p in tmp_path.iterdir()] == [LAST]


def test_what_fails_while_writing_leaves_the_old_one(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / LAST, STATE)
    before = (tmp_path / LAST).read_bytes()

    def full(state, path):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(OutputError, match="the disk is full"):
        save_checkpoint(tmp_path / LAST, {**STATE, "step": 8})
    assert (tmp_path / LAST).read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == [LAST]


def broken(path: Path, how: str) -> None:
    save_checkpoint(path, STATE)
    data = path.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 0xFF]) + data[middle + 1 :]
    entry = data.index(b"PK\x01\x02") + 8  # where the directory says whether a part is encrypted
    locked = data[:entry] + bytes([data[entry] | 1]) + data[entry + 1 :]
    path.write_bytes({"cut": data[:middle], "empty": b"", "text": b"hello", "flipped": flipped, "locked": locked}[how])


@pytest.mark.parametrize("how", ["cut", "empty", "text", "flipped", "locked"])
def test_damage_gives_one_line(how, tmp_path):
    path = tmp_path / LAST
    broken(path, how)
    with pytest.raises(FormatError, match="is damaged or no checkpoint") as error:
        load_checkpoint(path)
    assert "\n" not in str(error.value) and str(path) in str(error.value) and len(str(error.value)) < 400


def test_something_else_gives_one_line(tmp_path):
    path = tmp_path / LAST
    with pytest.raises(FormatError, match="does not exist"):
        load_checkpoint(path)
    torch.save({"weight": torch.ones(2)}, path)
    with pytest.raises(FormatError, match="no checkpoint of `kolumn train`"):
        load_checkpoint(path)
    torch.save([1], path)
    with pytest.raises(FormatError, match="no checkpoint of `kolumn train`"):
        load_checkpoint(path)
    torch.save({**STATE, "format": 99}, path)
    with pytest.raises(FormatError, match="format 99"):
        load_checkpoint(path)


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("evil"),))


def test_no_code_is_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save({**STATE, "format": 2, "extra": Evil()}, tmp_path / LAST)
    with pytest.raises(FormatError, match=r"such objects could run code.*; go on from best\.pt, or start anew"):
        load_checkpoint(tmp_path / LAST)
    (tmp_path / LAST).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(FormatError, match="is damaged or no checkpoint"):
        load_checkpoint(tmp_path / LAST)
    assert not (tmp_path / "evil").exists()
