"""Write beside the target, then move into place: a target is whole, or not there."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OutputError


def check_target(path: Path, overwrite: bool) -> None:
    """Raise OutputError where ``path`` exists and may not be replaced, or its folder is missing or unwritable."""
    if path.is_dir():
        raise OutputError(f"{path} is a directory; give the name of a file")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists already; choose another name or pass --overwrite")
    if not path.parent.is_dir():
        raise OutputError(f"the folder {path.parent} does not exist; create it first")
    try:
        with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent):
            pass
    except OSError as error:
        raise OutputError(f"cannot write {path}: {_reason(error)}") from error


def check_apart(path: Path, source: Path) -> None:
    """Raise OutputError where the output would replace the very file that it is made from."""
    if path.exists() and source.exists() and path.samefile(source):
        raise OutputError(f"{path} is the input itself, which is never replaced; give the output another name")


@contextmanager
def atomic(path: Path, overwrite: bool) -> Iterator[Path]:
    """A temporary path with the suffix of ``path``; moved onto ``path`` when the block ends without error.

    Raises:
        OutputError: the target exists, its folder is missing or unwritable, or the disk is full.
    """
    check_target(path, overwrite)
    folder = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        beside = folder / path.name
        yield beside
        os.replace(beside, path)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"cannot write {path}: {_reason(error)}") from error
    except RuntimeError as error:
        # libhdf5 notices on closing that there is no room, and h5py makes a RuntimeError of it
        number = re.search(r"errno = (\d+)", str(error))
        if number is None:
            raise
        raise OutputError(f"cannot write {path}: {_reason(OSError(int(number[1]), ''))}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _reason(error: OSError) -> str:
    """Why it failed, in words."""
    if error.errno == errno.ENOSPC:
        return "the disk is full"
    return error.strerror or (os.strerror(error.errno) if error.errno else str(error))
