"""The command line: one small module per command, everything heavy imported when a command runs."""

from __future__ import annotations

import errno
import os
import sys


def main(words: list[str] | None = None) -> None:
    """Entry point of ``kolumn``: one clear line and exit code 2 for what the user can mend, no traceback.

    Args:
        words: of the command line; None: those of this process. ``--debug`` anywhere among them shows tracebacks.
    """
    words = list(sys.argv[1:] if words is None else words)
    debug = "--debug" in words
    words = [w for w in words if w != "--debug"]
    from ..errors import KolumnError
    from .app import app

    try:
        app(args=words, prog_name="kolumn")
    except KeyboardInterrupt:
        _stop("stopped", 130)
    except Exception as error:
        if debug:
            raise
        if isinstance(error, BrokenPipeError):
            os._exit(0)  # the reader of our output has gone: nothing is left to say
        known = isinstance(error, KolumnError)
        _stop(_one_line(error), 2 if known or _is_environment(error) else 1)


def _is_environment(error: Exception) -> bool:
    return isinstance(error, OSError | MemoryError)


def _one_line(error: Exception) -> str:
    from ..errors import KolumnError

    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return "the disk is full; nothing was written"
    if isinstance(error, MemoryError):
        return "out of memory; take fewer slices (--slices) or coils (--coils)"
    text = " ".join(str(error).split())
    if isinstance(error, KolumnError | OSError):
        return text
    return f"unexpected {type(error).__name__}: {text[:300]}; this is a defect of kolumn, --debug shows where"


def _stop(message: str, code: int) -> None:
    print(f"kolumn: {message}", file=sys.stderr)  # noqa: T201
    raise SystemExit(code)
