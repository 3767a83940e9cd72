"""Run the command line in this process, and small files to run it on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from kolumn.acquisition import Acquisition
from kolumn.cli import main
from kolumn.io import open_scan, write_kspace
from kolumn.phantoms import phantom

SHAPE = (48, 40)
MASK = ["--mask", "equispaced", "--acceleration", "2", "--center", "0.25"]  # 10 calibration columns of 40


@dataclass
class Run:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str


def run(capsys: pytest.CaptureFixture[str], *words: object) -> Run:
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        main([str(w) for w in words])
    printed = capsys.readouterr()
    code = stop.value.code
    return Run(code if isinstance(code, int) else 0 if code is None else 1, printed.out, printed.err)


def good(capsys: pytest.CaptureFixture[str], *words: object) -> Run:
    result = run(capsys, *words)
    assert result.code == 0, result.err
    return result


def bad(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    """The one line that a command stopped with."""
    result = run(capsys, *words)
    assert result.code == 2, (result.code, result.err)
    assert result.out == ""
    line = result.err
    assert line.startswith("kolumn: ") and line.endswith("\n") and line.count("\n") == 1, line
    assert "Traceback" not in line and "defect" not in line and len(line) < 700
    return line


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content, and every folder."""
    return {str(p.relative_to(folder)): p.read_bytes() if p.is_file() else b"" for p in sorted(folder.rglob("*"))}


def scan_of(n_slices: int = 1, n_coils: int = 4, seed: int = 1, snr: float = 200.0) -> Acquisition:
    """A small head; its slices are 1 : 30 : 0.1 in brightness."""
    acquisition = phantom(shape=SHAPE, n_coils=n_coils, n_slices=n_slices, snr=snr, seed=seed)[0]
    scale = torch.tensor([1.0, 30.0, 0.1])[:n_slices, None, None, None]
    acquisition.kspace.mul_(scale if n_slices <= 3 else 1)
    return acquisition


def save(path: Path, acquisition: Acquisition) -> Path:
    write_kspace(path, acquisition)
    return path


def kspace_of(path: Path) -> torch.Tensor:
    return open_scan(path).volume().kspace
