"""The files of an evaluation: evaluation.md, evaluation.csv, evaluation.json."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import ArgumentError, OutputError
from ..io.atomic import atomic
from . import evaluate_records
from .evaluate_table import HEADER, cells, flat, notes_of, rows_by_file, rows_over_files
from .files import check_folder

TABLES = ("evaluation.json", "evaluation.csv", "evaluation.md")
NAMES = (*TABLES, evaluate_records.NAME)

_WHAT = (
    "root sum of squares of the coil images (the magnitude, for one coil) of all of k-space, with the same whitening; "
)
REFERENCE = {  # by key of reference.REFERENCES
    "rss": f"{_WHAT}noise of the scan is in it.",
    "unbiased": f"{_WHAT}less its noise floor, sqrt(max(r^2 - n sigma^2, 0)).",
}
ABOUT = (
    "**Scores** are over the whole volume of a file.",
    "**n** counts records, each one mask on one file: files x seeds, less those where the method gave no image.",
    "**±** is the sample standard deviation (divisor n - 1) over files and seeds together; there is none for n = 1. It "
    "is not the error of the mean: seeds of one file are not independent scans.",
    "**asked** and **true** are accelerations: as asked for, and all samples over acquired ones (mean).",
    "**s / slice** is the median of the seconds per slice, estimates of the coils included, while methods took turns.",
)


def check_evaluation_folder(folder: Path, resume: bool, overwrite: bool) -> None:
    """Raise OutputError where an evaluation stands that is neither to go on nor to be replaced, or none can be written.

    Raises:
        ArgumentError: both are asked for.
    """
    if resume and overwrite:
        raise ArgumentError("--resume goes on and --overwrite starts anew; give one of them")
    check_folder(folder, overwrite=True)
    taken = [name for name in NAMES if (folder / name).exists()]
    if taken and not (resume or overwrite):
        raise OutputError(
            f"{folder} already holds {', '.join(taken)}; choose another folder, or pass --resume or --overwrite"
        )
    for name in taken:
        if (folder / name).is_dir():
            raise OutputError(f"{folder / name} is a directory, where the evaluation has a file; choose another folder")


def save_evaluation(
    folder: Path, records: Sequence[Mapping[str, Any]], notes: Iterable[str], run: Mapping[str, Any]
) -> None:
    """Write the tables, each of them whole or not at all, in place of those that stand there.

    Args:
        folder: that exists.
        records: from :func:`kolumn.report.evaluate.evaluate`.
        notes: what else the reader should know.
        run: the record of the run.

    Raises:
        ArgumentError: no method gave an image in any record.
        OutputError: they cannot be written.
    """
    over, by = rows_over_files(records), rows_by_file(records)
    notes = [*notes, *notes_of(records)]
    if not any(row.n for row in over):
        raise ArgumentError(f"no method gave an image; {notes[-1]}")
    table = [flat(row) for row in (*over, *by)]
    reference = REFERENCE[run["settings"]["reference"]]
    record = {"reference": reference, "aggregates": table, "notes": notes, "records": records, "run": run}
    texts = (
        json.dumps(_finite(record), indent=2, allow_nan=False) + "\n",
        _csv(table),
        _markdown(over, by, notes, run),
    )
    for name, text in zip(TABLES, texts, strict=True):
        with atomic(folder / name, overwrite=True) as beside:
            beside.write_text(text, encoding="utf-8", errors="replace", newline="\n")


def _finite(value: Any) -> Any:
    """What JSON can hold: null for a number that is not finite, as in metrics.json."""
    if isinstance(value, Mapping):
        return {key: _finite(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _csv(table: Sequence[Mapping[str, Any]]) -> str:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(table[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(table)  # None as an empty cell, floats to the last digit
    return buffer.getvalue()


def _markdown(over: Sequence[Any], by: Sequence[Any], notes: Sequence[str], run: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {run['versions'][name]}" for name in ("kolumn", "torch"))
    n_files = len({row.file for row in by})
    return "\n".join(
        (
            f"# Evaluation on {n_files} file{'s' * (n_files != 1)}\n",
            f"* **Reference:** {REFERENCE[run['settings']['reference']]}",
            *(f"* {line}" for line in ABOUT),
            "\n## Over all files\n",
            *_table(HEADER, [cells(row) for row in over]),
            "\n## File by file\n",
            *_table(("file", *HEADER), [(str(row.file), *cells(row)) for row in by]),
            "\n## Notes\n",
            *([f"* {_clean(note)}" for note in notes] or ["None."]),
            "\n## The run\n",
            f"    {_clean(' '.join(run['command']))}\n",
            f"{versions}; {run['system']}, device {run['settings']['device']}, {run['threads']} threads. "
            "The whole record, with the SHA-256 of each file, is in evaluation.json.\n",
        )
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    lines = [header, ["---"] * len(header), *rows]
    return [f"| {' | '.join(_clean(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines]


def _clean(text: str) -> str:
    """In one line, whatever the name of a file holds."""
    return "".join(c if c.isprintable() else "?" for c in text)
