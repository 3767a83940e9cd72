"""Every error and warning that kolumn raises on purpose.

KolumnError                   one clear line: what came, what was wanted, what to do
├── ArgumentError             a wrong value or shape; also a ValueError
├── FormatError               a file that cannot be read, or is not what it says; also a ValueError
├── ConvergenceError          an iteration that diverged; also an ArithmeticError
├── CalibrationError          no calibration lines where a method needs them; also a ValueError
├── MissingExtraError         an optional package is not installed; also an ImportError
└── OutputError               a target that exists, or cannot be written; also an OSError

OutsideTraining               a warning: a network is asked for what it was not trained on; also a UserWarning
"""

from __future__ import annotations

import re


class KolumnError(Exception):
    """Base of all errors raised on purpose: the message is one line meant for the user."""


class ArgumentError(KolumnError, ValueError):
    """An argument has a wrong value, type or shape."""


class FormatError(KolumnError, ValueError):
    """A file cannot be read, or holds something else than it claims."""


class ConvergenceError(KolumnError, ArithmeticError):
    """An iteration diverged."""


class CalibrationError(KolumnError, ValueError):
    """A method needs fully sampled calibration lines in the middle of k-space and there are too few."""


class MissingExtraError(KolumnError, ImportError):
    """An optional package is needed and not installed."""


class OutputError(KolumnError, OSError):
    """A target exists already or cannot be written."""


class OutsideTraining(UserWarning):
    """A network is asked for something unlike what it was trained on."""


def gist(text: str) -> str:
    """A text without its numbers: warnings of one slice and of the next differ in nothing else."""
    return re.sub(r"[0-9][0-9.e+-]*", "#", text)
