"""What a check says when it finds something."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["note", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """One thing that is worth knowing about a file.

    Attributes:
        check: its key in CHECKS.
        severity: "note": nothing is wrong; "warning": the image will suffer; "problem": it will be wrong.
        what: what was seen, with numbers, one line.
        advice: what to do about it, one line.
    """

    check: str
    severity: Severity
    what: str
    advice: str


def ranges(numbers: list[int], most: int = 6) -> str:
    """``0-4, 122-125``: whole numbers in order, as people write them; at most ``most`` runs."""
    runs: list[list[int]] = []
    for n in numbers:
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    text = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs[:most])
    return f"{text}, ..." if len(runs) > most else text


def several(n: int, thing: str) -> str:
    """``1 coil``, ``3 coils``."""
    return f"{n} {thing}" if n == 1 else f"{n} {thing}s"
