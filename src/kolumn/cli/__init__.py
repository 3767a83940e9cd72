"""The command line: one small module per command, everything heavy imported when a command runs."""

from __future__ import annotations

import errno
import os
import re
import sys
import warnings
from typing import TextIO

# "Can't write data (file write failed: time = ..., errno = 28, error message = 'No space left on device', buf = ...)"
_HDF5_WRITE = re.compile(
    r"[^:(]*\((?:file write failed|unable to extend file).*error message = '([^']*)'.*\)", re.DOTALL
)
_SPINS = "1000"  # microseconds, not milliseconds; none at all costs where the machine is free
_NUMPY_WRITE = re.compile(r"\d+ requested and \d+ written")


def main(words: list[str] | None = None) -> None:
    """Entry point of ``kolumn``: one clear line and exit code 2 for what the user can mend, no traceback.

    Args:
        words: of the command line; None: those of this process. ``--debug`` anywhere among them shows tracebacks.
    """
    own_process = words is None
    if own_process:
        wait_asleep()
    words = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in words
    words = [w for w in words if w != "--debug"]
    from ..errors import KolumnError
    from .app import app

    try:
        with warnings.catch_warnings():
            warnings.showwarning = _Shown()
            app(args=words, prog_name="kolumn", obj=words)
    except KeyboardInterrupt:
        _stop("stopped", 130)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, BrokenPipeError):
            os._exit(0)  # the reader of our output has gone: nothing is left to say
        known = isinstance(error, KolumnError)
        message, code = _one_line(error), 2 if known or _is_environment(error) else 1
        if own_process and _is_environment(error) and "h5py" in sys.modules:
            _leave(message, code)
        _stop(message, code)


def wait_asleep() -> None:
    """Threads of GNU OpenMP wait for each other asleep, after a moment, unless the environment has a say of its own.

    By default they spin for milliseconds. Where other programs compute on the same cores, that keeps the thread that
    is waited for from its core: total variation took seven times as long. OpenMP reads this when torch is imported.
    """
    if not any(name in os.environ for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")):
        os.environ["GOMP_SPINCOUNT"] = _SPINS


class _Shown:
    """Warnings of ours as a line each; the same with other numbers, as of the next slice, is not said again."""

    def __init__(self) -> None:
        self.said: set[str] = set()
        self.others = warnings.showwarning

    def __call__(
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        from ..errors import OutsideTraining, gist

        if not issubclass(category, OutsideTraining):
            self.others(message, category, filename, lineno, file, line)
            return
        text = " ".join(str(message).split())
        if gist(text) not in self.said:
            self.said.add(gist(text))
            print(f"warning: {text}", file=sys.stderr, flush=True)  # noqa: T201


def _is_environment(error: Exception) -> bool:
    return isinstance(error, OSError) or _is_memory(error) or _is_hdf5_write(error)


def _is_hdf5_write(error: Exception) -> bool:
    # what h5py raises where the disk turns out to be full as late as when it closes the file
    return isinstance(error, RuntimeError) and _HDF5_WRITE.search(str(error)) is not None


def _is_memory(error: Exception) -> bool:
    # torch says it in a RuntimeError of the CPU's allocator, or in its own OutOfMemoryError of a GPU
    words = str(error).lower()
    torch_says = isinstance(error, RuntimeError) and ("allocate memory" in words or "out of memory" in words)
    return isinstance(error, MemoryError) or torch_says


def _one_line(error: Exception) -> str:
    from ..errors import KolumnError

    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full; nothing was written"
    if _is_memory(error):
        return (
            "out of memory; use smaller data, or fewer slices (--slices) or coils (--coils) where the command has them"
        )
    text = " ".join(str(error).split())
    if _is_hdf5_write(error):
        text = f"cannot write the file:{text}"
    if isinstance(error, KolumnError | OSError) or _is_hdf5_write(error):
        full = os.strerror(errno.ENOSPC)
        return _NUMPY_WRITE.sub(full, _HDF5_WRITE.sub(r" \1", text)).replace(full, "the disk is full")
    return f"unexpected {type(error).__name__}: {text[:300]}; this is a defect of kolumn, --debug shows where"


def _leave(message: str, code: int) -> None:
    # The HDF5 library crashes at exit where it could not close a file for want of space.
    print(f"kolumn: {message}", file=sys.stderr, flush=True)  # noqa: T201
    sys.stdout.flush()
    os._exit(code)


def _stop(message: str, code: int) -> None:
    print(f"kolumn: {message}", file=sys.stderr)  # noqa: T201
    raise SystemExit(code)
