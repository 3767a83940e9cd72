"""The record of a run: enough to repeat it."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

_PACKAGES = ("kolumn", "torch", "numpy", "h5py", "matplotlib", "nibabel")


def run_record(command: Sequence[str], file: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Versions, command, settings, threads and the hash of the file, ready for JSON.

    Args:
        command: the words of the command line.
        file: what was read.
        settings: every choice that was made, defaults too, seeds among them.
    """
    return {
        "command": list(command),
        "settings": dict(settings),
        "file": {"name": file.name, "bytes": file.stat().st_size, "sha256": file_hash(file)},
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "versions": {name: _version(name) for name in _PACKAGES},
    }


def file_hash(file: Path) -> str:
    """SHA-256 of a file, read in pieces; of the data where a name stands for a header and its data."""
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while piece := stream.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
