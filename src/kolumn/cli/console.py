"""Progress on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table


class Step(Protocol):
    """Called when a piece of the work is done, with a word about it."""

    def __call__(self, about: str = "") -> None:
        """One more done."""
        ...


def say(text: str) -> None:
    """A line on stderr, which does not mix with results."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201


@contextmanager
def progress(what: str, total: int) -> Iterator[Step]:
    """A bar on a terminal; elsewhere a line every ten seconds, and none for short work."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield _plain(what, total)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda about="": bar.update(task, advance=1, description=f"{what} {about}".strip())


def _plain(what: str, total: int) -> Step:
    done, last = 0, time.monotonic()

    def step(about: str = "") -> None:
        nonlocal done, last
        done += 1
        if time.monotonic() - last > 10:
            last = time.monotonic()
            say(f"{what} {about}: {done} of {total}")

    return step


def print_table(header: tuple[str, ...], rows: list[tuple[str, ...]]) -> None:
    """A table on stdout; aligned plain text where that is not a terminal."""
    console = Console()
    if not console.is_terminal:
        widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
        for row in (header, *rows):
            first, *others = (
                c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths, strict=True))
            )
            print("  ".join((first, *others)).rstrip())  # noqa: T201
        return
    table = Table(box=None)
    for i, name in enumerate(header):
        table.add_column(name, justify="left" if i == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console.print(table)
