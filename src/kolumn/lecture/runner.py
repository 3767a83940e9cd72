"""Run an experiment, and write what it found."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import matplotlib
import torch

from .. import __version__
from ..errors import OutputError
from ..io.atomic import atomic
from . import EXPERIMENTS, load
from .picture import save_figure
from .style import STYLE

WORDS = {True: "borne out", False: "not borne out"}


def check_targets(folder: Path, names: list[str], overwrite: bool) -> None:
    """Raise OutputError where one of the files stands already, or the folder cannot be made or written.

    Args:
        folder: made where it is missing.
        names: of files.
        overwrite: whether they may stand there.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; give the name of a folder")
    if not folder.exists() and not folder.absolute().parent.is_dir():
        raise OutputError(f"the folder {folder.absolute().parent} does not exist; create it first")
    taken = [name for name in names if (folder / name).exists()]
    if taken and not overwrite:
        more = f" and {len(taken) - 3} more" if len(taken) > 3 else ""
        raise OutputError(
            f"{folder} already holds {', '.join(taken[:3])}{more}; choose another folder or pass --overwrite"
        )
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror or error}") from error
    if not os.access(folder, os.W_OK):
        raise OutputError(f"cannot write into {folder}; choose another folder")


def files_of(name: str) -> list[str]:
    """The files that an experiment leaves."""
    return [f"{name}.json", f"{name}.png"]


def run_experiment(name: str, folder: Path, overwrite: bool = False) -> dict[str, Any]:
    """Run one experiment and write its figure and its numbers.

    Args:
        name: in EXPERIMENTS.
        folder: for ``name``.json and ``name``.png.
        overwrite: replace those that stand there.

    Returns:
        dict: what the JSON holds.

    Raises:
        ArgumentError: no such experiment.
        OutputError: the files stand already, or cannot be written.
    """
    run = load(name)
    check_targets(folder, files_of(name), overwrite)
    start = time.perf_counter()
    with matplotlib.rc_context(STYLE):
        result = run()
        seconds = time.perf_counter() - start
        with atomic(folder / f"{name}.png", overwrite) as beside:
            save_figure(beside, result.figure)
    record = {
        "name": name,
        "claim": EXPERIMENTS[name],
        "verdict": WORDS[bool(result.verdict)],
        "words": result.words,
        "numbers": result.numbers,
        "seconds": round(seconds, 2),
        "kolumn": __version__,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }
    with atomic(folder / f"{name}.json", overwrite) as beside:
        beside.write_text(json.dumps(record, indent=2, allow_nan=False) + "\n")
    return record
