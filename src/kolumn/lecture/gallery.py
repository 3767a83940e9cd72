"""The gallery: every figure with its claim, its verdict and its numbers, as a page and as Markdown."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from jinja2 import Environment, PackageLoader

from ..errors import FormatError, OutputError
from ..io.atomic import atomic
from . import EXPERIMENTS
from .runner import check_targets

PAGES = ("index.html", "README.md")
LONG = 16  # numbers in a list, from which on the page summarises it


def save_gallery(folder: Path, overwrite: bool = False) -> None:
    """Write the pages from the JSON and the figures that stand in the folder.

    Args:
        folder: where experiments have been written.
        overwrite: replace pages that stand there.

    Raises:
        OutputError: nothing to show, or the pages stand already or cannot be written.
        FormatError: a JSON that is not that of an experiment.
    """
    records = read_records(folder)
    if not records:
        raise OutputError(f"{folder} holds no experiment to show; run `kolumn lecture all -o {folder}` first")
    check_targets(folder, list(PAGES), overwrite)
    states = {name: records[name]["verdict"] if name in records else "not run here" for name in EXPERIMENTS}
    environment = Environment(
        loader=PackageLoader("kolumn.lecture"),
        autoescape=lambda template: template is not None and ".html" in template,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for page in PAGES:
        text = environment.get_template(f"{page}.j2").render(
            records=records,
            tables={name: rows(record["numbers"]) for name, record in records.items()},
            states=states,
            claims=EXPERIMENTS,
        )
        with atomic(folder / page, overwrite) as beside:
            beside.write_text(text, encoding="utf-8")


def read_records(folder: Path) -> dict[str, dict[str, Any]]:
    """What the JSON of each experiment in the folder holds, in the order of the lecture.

    Raises:
        FormatError: one that cannot be read or lacks what the runner writes.
    """
    paths = {name: folder / f"{name}.json" for name in EXPERIMENTS}
    return {name: _read(path) for name, path in paths.items() if path.exists()}


def _read(path: Path) -> dict[str, Any]:
    wanted = {"name", "claim", "verdict", "words", "numbers", "seconds", "kolumn", "torch", "threads"}
    try:
        record = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise FormatError(f"cannot read {path}: {error}; run `kolumn lecture {path.stem} --overwrite` again") from error
    if not isinstance(record, dict) or not wanted <= record.keys() or not isinstance(record["numbers"], dict):
        raise FormatError(f"{path} is not of an experiment; run `kolumn lecture {path.stem} --overwrite` again")
    return record


def rows(numbers: dict[str, Any], above: str = "") -> list[tuple[str, str]]:
    """Numbers as rows of a name and a text: what is nested gets a name of all its levels."""
    found: list[tuple[str, str]] = []
    for key, value in numbers.items():
        name = f"{above}{key}".replace("_", " ")
        if isinstance(value, dict):
            found += rows(value, f"{name} / ")
        else:
            found.append((name, _text(value)))
    return found


def _text(value: Any) -> str:
    """A number to four digits, a list with blanks; of what is long or nested, how long it is and how far it reaches."""
    if isinstance(value, list):
        flat = all(isinstance(v, int | float) for v in value)
        if not flat and any(isinstance(v, list | dict) for v in value):
            return f"{len(value)} lists, in the JSON"
        if flat and len(value) > LONG:
            return f"{len(value)} numbers, {_text(min(value))} to {_text(max(value))}, median {_text(median(value))}"
        return " ".join(_text(v) for v in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
