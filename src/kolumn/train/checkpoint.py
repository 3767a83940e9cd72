"""Everything that training goes on from, in a file that is whole or not there."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from ..errors import FormatError
from ..io.atomic import atomic
from ..io.torch_file import load_torch

FORMAT = 2
LAST, BEST = "last.pt", "best.pt"
_KEYS = {"format", "description", "settings", "step", "seconds", "model", "optimizer", "watch", "seen"}


def save_checkpoint(path: Path, state: Mapping[str, Any]) -> None:
    """Write a checkpoint beside the old one, then move it into place: there is always a whole one.

    Args:
        path: the target; what stands there is replaced.
        state: tensors, numbers, words, and lists and dicts of them.

    Raises:
        OutputError: it cannot be written.
    """
    with atomic(path, overwrite=True) as beside:
        torch.save({"format": FORMAT, **state}, beside)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint; no code in it is ever run.

    Raises:
        FormatError: missing, damaged, or something else.
    """
    if not path.is_file():
        raise FormatError(f"{path} does not exist; there is no checkpoint to go on from")
    advice = f"go on from {BEST}, or start anew"
    try:
        with zipfile.ZipFile(path) as parts:  # torch does not look at the checksums
            wrong = parts.testzip()
        if wrong is not None:
            raise zipfile.BadZipFile(f"the checksum of {wrong} is wrong")
    except (zipfile.BadZipFile, RuntimeError, EOFError, ValueError, KeyError, OSError) as error:
        reason = " ".join(str(error).split())[:100]
        raise FormatError(f"{path} is damaged or no checkpoint ({reason}); {advice}") from error
    state = load_torch(path, advice)
    if not isinstance(state, dict) or not set(state) >= _KEYS:
        raise FormatError(f"{path} is no checkpoint of `kolumn train`; give the folder that it wrote")
    if state["format"] != FORMAT:
        raise FormatError(f"{path} has format {state['format']}; this version of kolumn reads {FORMAT}")
    return state
