"""From the records of an evaluation to its tables: mean, spread and n over all files, and of each file."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev
from typing import Any

COLUMNS = {  # score -> heading and how it is written
    "psnr": ("PSNR / dB", "{:.2f}"),
    "ssim": ("SSIM", "{:.4f}"),
    "nmse": ("NMSE", "{:.5f}"),
    "hfen": ("HFEN", "{:.4f}"),
}
HEADER = ("mask", "asked", "true", "center", "method", "n", *(h for h, _ in COLUMNS.values()), "s / slice")
_Record = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """What one method did with one mask, over all files or on one.

    Attributes:
        file: its name; None: all files.
        kind: of the mask.
        acceleration: as asked for, or None where the mask does not ask.
        center: fraction of the fully sampled centre, or None.
        method: name.
        n: records that count, each one mask on one file.
        failed: records in which the method gave no image.
        n_files: files among those that count.
        true_acceleration: mean over the records, failed ones too.
        scores: (mean, standard deviation) by name; the first None for n = 0, the second for n < 2 or an infinite mean.
        seconds: median of the seconds per slice, or None for n = 0.
    """

    file: str | None
    kind: str
    acceleration: float | None
    center: float | None
    method: str
    n: int
    failed: int
    n_files: int
    true_acceleration: float
    scores: dict[str, tuple[float | None, float | None]]
    seconds: float | None


def rows_over_files(records: Sequence[_Record]) -> list[Row]:
    """A row for each (mask, acceleration, centre, method) over all files."""
    return list(_rows(records, lambda record: None))


def rows_by_file(records: Sequence[_Record]) -> list[Row]:
    """A row for each (file, mask, acceleration, centre, method)."""
    return list(_rows(records, lambda record: record["file"]))


def _rows(records: Sequence[_Record], file_of: Callable[[_Record], str | None]) -> Iterator[Row]:
    groups: dict[tuple[Any, ...], list[_Record]] = {}
    for record in records:
        mask = record["mask"]
        key = (file_of(record), mask["kind"], mask["acceleration"], mask["center"])
        groups.setdefault(key, []).append(record)
    for key, group in groups.items():
        true = fmean(r["mask"]["true_acceleration"] for r in group)
        for method in group[0]["methods"]:
            good = [r for r in group if "error" not in r["methods"][method]]
            scores = {name: spread([_value(r["methods"][method][name]) for r in good]) for name in COLUMNS}
            times = [r["methods"][method]["seconds"] / r["slices"] for r in good]
            n_files = len({r["file"] for r in good})
            counts = (len(good), len(group) - len(good), n_files)
            yield Row(*key, method, *counts, true, scores, median(times) if times else None)


def spread(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation (the divisor is n - 1); None for what so few values do not have."""
    if not values:
        return None, None
    mean = fmean(values)
    return mean, stdev(values) if len(values) > 1 and math.isfinite(mean) else None


def _value(score: float | None) -> float:
    return math.inf if score is None else score  # JSON has no infinity, which is the PSNR of an exact image


def notes_of(records: Sequence[_Record]) -> list[str]:
    """The notes of all records: one line for all records, or all masks of a file, or all seeds of a mask."""
    counts = Counter(note for record in records for note in record["notes"])
    common = [note for note, n in counts.items() if n == len(records) > 1]
    found: dict[tuple[str, str], dict[str, list[str]]] = {}
    for record in records:
        for note in (n for n in record["notes"] if n not in common):
            seeds = found.setdefault((record["file"], note), {})
            seeds.setdefault(_mask_of(record), []).append(str(record["seed"]))
    sizes = Counter(record["file"] for record in records)
    lines = [f"every record: {note}" for note in common]
    for (file, note), seeds in found.items():
        if len(seeds) > 1 and sum(map(len, seeds.values())) == sizes[file]:
            lines.append(f"{file}, every mask: {note}")
        else:
            lines += [f"{file}, {mask}, seed{'s' * (len(n) > 1)} {', '.join(n)}: {note}" for mask, n in seeds.items()]
    return lines


def _mask_of(record: _Record) -> str:
    return mask_words(*(record["mask"][name] for name in ("kind", "acceleration", "center")))


def mask_words(kind: str, acceleration: float | None, center: float | None) -> str:
    """``random 4x, center 0.08``; the kind alone for a mask that does not ask for them."""
    return kind if acceleration is None else f"{kind} {acceleration:g}x, center {center:g}"


def cells(row: Row) -> tuple[str, ...]:
    """A row as text, in the order of HEADER; a dash where there is nothing to say."""
    return (
        row.kind,
        "-" if row.acceleration is None else f"{row.acceleration:g}",
        f"{row.true_acceleration:.2f}",
        "-" if row.center is None else f"{row.center:g}",
        row.method,
        str(row.n),
        *(_score(*row.scores[name], form) for name, (_, form) in COLUMNS.items()),
        "-" if row.seconds is None else f"{row.seconds:.3g}",
    )


def _score(mean: float | None, deviation: float | None, form: str) -> str:
    if mean is None:
        return "-"
    return form.format(mean) if deviation is None else f"{form.format(mean)} ± {form.format(deviation)}"


def flat(row: Row) -> dict[str, Any]:
    """A row as numbers by name, as the CSV and the JSON have it."""
    facts: dict[str, Any] = {
        "scope": "all" if row.file is None else "file",
        "file": row.file,
        "mask": row.kind,
        "acceleration": row.acceleration,
        "center": row.center,
        "method": row.method,
        "n": row.n,
        "n_failed": row.failed,
        "n_files": row.n_files,
        "true_acceleration": row.true_acceleration,
    }
    for name, (mean, deviation) in row.scores.items():
        facts |= {f"{name}_mean": mean, f"{name}_std": deviation}
    return facts | {"seconds_per_slice": row.seconds}
