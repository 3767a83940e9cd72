"""The records of an evaluation, each kept as soon as it is there: JSON lines, the settings in the first."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import FormatError, OutputError
from ..io.atomic import atomic

Key = tuple[str, str, float | None, float | None, int]  # file, kind of mask, acceleration, centre, seed

NAME = "records.jsonl"


class Records:
    """The file of records in a folder, and what it holds.

    Attributes:
        path: the file.
        kept: records by key.
    """

    def __init__(self, path: Path, kept: dict[Key, dict[str, Any]] | None = None) -> None:
        self.path = path
        self.kept = kept or {}

    def get(self, key: Key) -> dict[str, Any] | None:
        """The record of that key, if there is one."""
        return self.kept.get(key)

    def append(self, key: Key, record: Mapping[str, Any]) -> None:
        """Keep a record, on the disk before this returns.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            with self.path.open("ab") as file:
                file.write(_line(record))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise OutputError(
                f"cannot write {self.path}: {error.strerror or error}; make room, then go on with --resume"
            ) from error
        self.kept[key] = json.loads(_line(record))


def start_records(folder: Path, settings: Mapping[str, Any]) -> Records:
    """Start anew, with the settings alone, in place of whatever stands there.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic(folder / NAME, overwrite=True) as beside:
        beside.write_bytes(_line({"settings": settings}))
    return Records(folder / NAME)


def resume_records(folder: Path, settings: Mapping[str, Any]) -> Records | None:
    """The records that stand there; None where there are none. The half line of a run that was killed is cut off.

    Raises:
        FormatError: a line that is no record.
        OutputError: they were made with other settings.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].splitlines()
    if not lines:
        return None
    _check_settings(folder, _parsed(path, 1, lines[0], {"settings"})["settings"], settings)
    kept: dict[Key, dict[str, Any]] = {}
    for i, line in enumerate(lines[1:], 2):
        record = _parsed(path, i, line, {"file", "sha256", "slices", "seed", "mask", "methods", "notes"})
        kept[_key(record)] = record
    if whole < len(data):
        os.truncate(path, whole)
    return Records(path, kept)


def check_files(records: Iterable[Mapping[str, Any]], hashes: Mapping[str, str]) -> None:
    """Raise OutputError unless the files of the records are there, and are what they were.

    Args:
        records: those that stand there.
        hashes: SHA-256 of each file by name, of those at least that the records name.
    """
    for record in records:
        name = record["file"]
        if hashes.get(name) != record["sha256"]:
            how = "has changed since then" if name in hashes else "is not among the files now"
            raise OutputError(f"the records are of {name} too, which {how}; choose another folder or pass --overwrite")


def _key(record: Mapping[str, Any]) -> Key:
    mask = record["mask"]
    return record["file"], mask["kind"], mask["acceleration"], mask["center"], record["seed"]


def _line(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, allow_nan=False).encode() + b"\n"


def _parsed(path: Path, number: int, line: bytes, wanted: set[str]) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not wanted <= value.keys():
        what = "record" if "file" in wanted else "start"
        raise FormatError(f"{path}, line {number}, is no {what} of an evaluation; mend it, or pass --overwrite")
    return value


def _check_settings(folder: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    other = [name for name in {**theirs, **ours} if theirs.get(name) != ours.get(name)]
    if other:
        was = ", ".join(f"{name} was {json.dumps(theirs.get(name))[:100]}" for name in other)
        raise OutputError(
            f"{folder} holds an evaluation with other settings: {was}; repeat them, choose another folder, "
            "or pass --overwrite"
        )
