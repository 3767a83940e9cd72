"""How to train."""

from __future__ import annotations

import math
from dataclasses import dataclass

from ..errors import ArgumentError

WARMUP = 200  # steps until the learning rate is reached
_LEAST = 0.01  # of the learning rate, at the end


@dataclass(frozen=True)
class Settings:
    """How long, how fast, and how often to say and keep what.

    Attributes:
        steps: updates in all; None where ``minutes`` says it.
        minutes: of training in all, validation included; None where ``steps`` says it.
        lr: learning rate, reached after 200 updates; from there it falls to 1 % along a cosine.
        rule: a key of the optimizer's table of rules.
        clip: largest norm of a gradient; a longer one is shortened to it.
        workers: processes that make the data.
        validate_every: seconds from one validation to the next; there is one in the end in any case.
        save_every: seconds from one checkpoint to the next.
        report_every: seconds from one line of the log to the next.
        tensorboard: whether to log for TensorBoard as well.
    """

    steps: int | None = None
    minutes: float | None = None
    lr: float = 1e-3
    rule: str = "adam"
    clip: float = 6.0
    workers: int = 1
    validate_every: float = 600.0
    save_every: float = 60.0
    report_every: float = 15.0
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if (self.steps is None) == (self.minutes is None):
            raise ArgumentError("give either steps or minutes: how long to train")
        length = self.steps if self.minutes is None else self.minutes
        if not 0 < (length or 0) < math.inf:
            raise ArgumentError(
                f"{'steps' if self.minutes is None else 'minutes'} is {length}; wanted a number above 0"
            )
        for name in ("lr", "clip", "validate_every", "save_every", "report_every"):
            if not 0 < getattr(self, name) < math.inf:
                raise ArgumentError(f"{name} is {getattr(self, name)}; wanted a number above 0")
        if self.workers < 0:
            raise ArgumentError(f"workers is {self.workers}; wanted 0 or more")

    def share(self, step: int, seconds: float) -> float:
        """How much of the training is done after that many steps and seconds, from 0 on; at 1 it ends."""
        return step / self.steps if self.steps is not None else seconds / (60 * (self.minutes or 0))

    def rate(self, step: int, seconds: float, falling: bool = True) -> float:
        """What to multiply the learning rate with: a short rise, then half a period of a cosine if it is to fall.

        Reference: SGDR: stochastic gradient descent with warm restarts, Loshchilov and Hutter, 2016,
        arXiv:1608.03983 (without restarts).
        """
        cosine = 0.5 * (1 + math.cos(math.pi * min(self.share(step, seconds), 1))) if falling else 1.0
        return min(1, (step + 1) / WARMUP) * (_LEAST + (1 - _LEAST) * cosine)
