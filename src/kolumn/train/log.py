"""The record of a training: one line of numbers for each report, as CSV and, if wished, for TensorBoard."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import MissingExtraError
from ..io.atomic import atomic

CSV = "log.csv"


class Log:
    """Rows of numbers by name; what a row does not have stays empty."""

    def __init__(self, folder: Path, columns: Sequence[str], step: int = 0, tensorboard: bool = False) -> None:
        """Begin a log, or go on with the one that stands in the folder, up to that step.

        Raises:
            MissingExtraError: TensorBoard is wanted and not installed.
            OutputError: it cannot be written.
        """
        self.path, self.columns = folder / CSV, list(columns)
        self.board = _board(folder, step) if tensorboard else None
        kept = [row for row in _rows(self.path) if int(row["step"]) <= step] if step else []
        with atomic(self.path, overwrite=True) as beside, beside.open("w", newline="") as file:
            writer = csv.DictWriter(file, self.columns, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(kept)

    def write(self, row: Mapping[str, float]) -> None:
        """One line; it is in the file when this returns."""
        with self.path.open("a", newline="") as file:
            csv.DictWriter(file, self.columns).writerow({k: f"{v:.6g}" for k, v in row.items()})
        if self.board is not None:
            for name, value in row.items():
                self.board.add_scalar(name, value, int(row["step"]))

    def close(self) -> None:
        """Write what TensorBoard has not written yet."""
        if self.board is not None:
            self.board.close()


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="") as file:
        return [row for row in csv.DictReader(file) if (row.get("step") or "").isdigit()]


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError('--tensorboard needs TensorBoard: pip install "kolumn[tensorboard]"') from error
    return SummaryWriter(str(folder), purge_step=step + 1)
