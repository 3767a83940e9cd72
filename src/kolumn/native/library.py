"""The shared library that the C files beside this one were compiled to."""

from __future__ import annotations

import ctypes
import hashlib
from functools import cache
from pathlib import Path

from torch import Tensor

_FOLDER = Path(__file__).parent


@cache
def library() -> ctypes.CDLL | None:
    """The compiled kernels; None where nothing was compiled, or from other source than what lies beside this file."""
    path = _FOLDER / library_name(_FOLDER)
    if not path.exists():
        return None
    try:
        return ctypes.CDLL(str(path))
    except OSError:  # made for another machine
        return None


def library_name(folder: Path) -> str:
    """A name that changes with the C files of a folder, so that a library left over from others is not used."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.glob("*.[ch]"))))
    return f"kernels-{digest.hexdigest()[:12]}.so"


def pointer(x: Tensor) -> ctypes.c_void_p:
    """Where the kernels find the numbers of a contiguous tensor."""
    assert x.is_contiguous() and not x.is_conj()
    return ctypes.c_void_p(x.data_ptr())


def check(status: int) -> None:
    """Raise what a kernel reports."""
    if status:
        raise MemoryError("no memory for what a compiled kernel keeps in between")
