"""Files of torch.save, of which only tensors and plain values are read."""

from __future__ import annotations

import pickle
import re
import warnings
from pathlib import Path
from typing import Any

import torch

from ..errors import FormatError

_UNREADABLE = (pickle.UnpicklingError, RuntimeError, OSError, EOFError, ValueError, KeyError, TypeError)
_CODE = re.compile(r"GLOBAL (\S+)")


def load_torch(path: Path, advice: str) -> Any:
    """What torch.save wrote, on the CPU; no code in it is ever run.

    Args:
        path: of the file.
        advice: what to do where it cannot be read, the end of the error.

    Raises:
        FormatError: it holds objects of other kinds, which could run code, or is damaged, or something else.
    """
    try:
        with path.open("rb") as file, warnings.catch_warnings():  # by its name torch would take it for another kind
            warnings.simplefilter("ignore")  # about the protocol of pickles that it then refuses
            return torch.load(file, map_location="cpu", weights_only=True)
    except _UNREADABLE as error:
        code = _CODE.search(str(error))
        if code:
            raise FormatError(
                f"{path} holds a {code[1]}, and such objects could run code; only tensors, numbers, words, lists and "
                f"dicts are read; {advice}"
            ) from error
        raise FormatError(f"{path} is damaged, or no file of torch.save ({_reason(error)}); {advice}") from error


def _reason(error: Exception) -> str:
    words = " ".join(str(error).split())
    return type(error).__name__ if not words or words.startswith("Weights only") else words.split(". ")[0][:100]
