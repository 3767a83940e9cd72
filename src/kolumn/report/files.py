"""The files of a report: metrics.json, report.png, report.html, run.json, and convergence.png if it is wanted."""

from __future__ import annotations

import json
import math
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..metrics import METRICS
from .account import account_record
from .compare import Comparison
from .convergence import iterative, save_convergence
from .figure import printable, save_figure
from .page import save_page

NAMES = ("metrics.json", "report.png", "report.html", "run.json")
CONVERGENCE = "convergence.png"


def check_folder(folder: Path, overwrite: bool) -> None:
    """Raise OutputError where a report stands already, or the folder cannot be one."""
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; give the name of a folder for the report")
    taken = [name for name in (*NAMES, CONVERGENCE) if (folder / name).exists()]
    if taken and not overwrite:
        raise OutputError(f"{folder} already holds {', '.join(taken)}; choose another folder or pass --overwrite")
    for name in taken:
        if (folder / name).is_dir():
            raise OutputError(f"{folder / name} is a directory, where the report has a file; choose another folder")
    above = folder if folder.exists() else folder.parent
    if not above.is_dir():
        raise OutputError(f"the folder {above} does not exist; create it first")
    try:  # by trying, before hours of work: permissions alone do not tell, and root has them all
        tempfile.TemporaryDirectory(prefix=".kolumn.", dir=above).cleanup()
    except OSError as error:
        raise OutputError(f"cannot write into {above}: {error.strerror or error}; choose another folder") from error


def metrics_record(comparison: Comparison, file: str) -> dict[str, Any]:
    """What metrics.json holds; a score that could not be computed, or is infinite, is null."""
    empty: dict[str, Any] = dict.fromkeys(METRICS)
    methods: dict[str, dict[str, Any]] = {}
    for name, result in comparison.results.items():
        scores = {k: v if math.isfinite(v) else None for k, v in result.scores.items()}
        methods[name] = {**empty, **scores, "seconds": None if result.error else result.seconds}
        methods[name] |= {"error": result.error} if result.error else account_record(result.account)
    against = None if comparison.reference is None else comparison.against
    return {
        "file": file,
        "mask": comparison.mask,
        "reference": against,
        "methods": methods,
        "notes": comparison.notes,
    }


def _json(record: Mapping[str, Any]) -> str:
    return json.dumps(_strict(record), indent=2, allow_nan=False) + "\n"


def _strict(value: Any) -> Any:
    """What JSON can hold: an infinite or undefined number, of an option say, becomes a word."""
    if isinstance(value, Mapping):
        return {key: _strict(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def save_report(
    folder: Path, comparison: Comparison, file: str, run: Mapping[str, Any], overwrite: bool = False
) -> None:
    """Write the report into a folder, all of it or nothing.

    Args:
        folder: made where it is missing.
        comparison: what to report.
        file: name of the file that was compared.
        run: the record of the run.
        overwrite: replace a report that stands there.

    Raises:
        OutputError: a report stands there, or it cannot be written.
    """
    check_folder(folder, overwrite)
    mask = comparison.mask
    title = f"{printable(file)}: {printable(str(mask['kind']))} mask, {mask['true_acceleration']:.2f}x"
    try:
        # Inside a folder that exists: it may lie on another disk than the one above, or be all that may be written.
        beside = Path(tempfile.mkdtemp(prefix=".kolumn.", dir=folder if folder.exists() else folder.parent))
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
    try:
        (beside / "metrics.json").write_text(_json(metrics_record(comparison, file)))
        (beside / "run.json").write_text(_json(run))
        save_figure(beside / "report.png", comparison, title)
        plots = [beside / CONVERGENCE] if iterative(comparison) else []
        for plot in plots:
            save_convergence(plot, comparison, title)
        save_page(beside / "report.html", comparison, beside / "report.png", title, run, *plots)
        folder.mkdir(exist_ok=True)
        for name in (*NAMES, *(plot.name for plot in plots)):
            os.replace(beside / name, folder / name)
        if not plots:
            (folder / CONVERGENCE).unlink(missing_ok=True)  # of the report that stood here
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
