"""What the reader of a comparison should know, in a line each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from ..errors import gist
from .account import limit_note

if TYPE_CHECKING:
    from .compare import Result

_GREY = 0.01  # of white: a noise floor above that is worth a word


def own_mask_note(name: str, acceleration: float) -> str:
    """Of a file that is itself undersampled."""
    return (
        f"{name} is itself undersampled ({acceleration:.2f}x), so its own mask was used, there is no full reference, "
        "and nothing is scored"
    )


def result_notes(results: Mapping[str, Result]) -> list[str]:
    """Which methods failed, what networks warned of, and which methods were stopped short of convergence."""
    notes = [f"{name} gave no image: {r.error}" for name, r in results.items() if r.error]
    for result in results.values():
        alike: dict[str, list[str]] = {}
        for text in result.warnings:
            alike.setdefault(gist(text), []).append(text)
        notes += [said + _more(len(others)) for said, *others in alike.values()]
    limits = [limit_note(name, r.account) for name, r in results.items() if not r.error]
    return notes + [note for note in limits if note]


def _more(n: int) -> str:
    return f" ({n} more slice{'s' * (n > 1)} like it)" if n else ""


def reference_notes(
    reference: str, truth: Tensor, floor: float, able: Sequence[str], can_leave: bool = False
) -> list[str]:
    """What images were scored against, where that is not the usual thing or does some of them wrong.

    Args:
        reference: its name.
        truth: itself, magnitude.
        floor: the root mean square of its air.
        able: names of those methods that take noise away.
        can_leave: whether one of them would leave it on request.
    """
    if reference != "rss":
        return [f"scored against the root sum of squares less its noise floor ({reference})"]
    white = float(truth.max())
    if not able or floor <= _GREY * white:
        return []
    return [
        f"{', '.join(able)}: less noise in the image than in the reference, whose noise floor is {floor / white:.1%} "
        "of white; --reference unbiased takes it away"
        + ("; with --denoise no networks leave measured noise in their images" if can_leave else "")
    ]
