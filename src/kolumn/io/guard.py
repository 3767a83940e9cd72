"""Checks on a file before anything in it is believed."""

from __future__ import annotations

from pathlib import Path

from ..errors import FormatError

SPARE = 1 << 26  # 64 MiB: a grid this small is never worth a refusal
SPARSE = 64  # a k-space grid may be this many times larger than the file that fills it


def check_readable(path: Path) -> int:
    """Size of a regular file that can be opened and is not empty, in bytes.

    Raises:
        FormatError: missing, a directory or a device, empty, or not allowed to be read.
    """
    try:
        if path.is_dir():
            raise FormatError(f"{path} is a directory; give the name of a file")
        if not path.exists():
            raise FormatError(f"{path} does not exist")
        if not path.is_file():
            raise FormatError(f"{path} is not a regular file")
        with path.open("rb"):
            size = path.stat().st_size
    except (OSError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"cannot open {path}: {getattr(error, 'strerror', None) or error}") from error
    if size == 0:
        raise FormatError(f"{path} is empty (0 bytes)")
    return size


def check_grid(path: Path, nbytes: int) -> None:
    """Raise FormatError where a header asks for a k-space far beyond what the file could fill."""
    size = path.stat().st_size
    if nbytes > SPARSE * size + SPARE:
        raise FormatError(f"{path}: its header asks for a k-space of {nbytes} bytes, and the file has {size}")
