"""What an iterative method found, and how it got there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from torch import Tensor

from ..acquisition import Acquisition

SEARCHING = "seconds, searching lambda"


class Progress(NamedTuple):
    """A point of a convergence plot.

    Attributes:
        seconds: since the first iteration of this entry began.
        iteration: from 1.
        objective: 1/2 ||A x - y||^2 + lambda R(x), in the units of the data squared.
    """

    seconds: float
    iteration: int
    objective: float


@dataclass(frozen=True)
class Solution:
    """The image and the account of it; tuples have one element for each entry of the batch, in order.

    Attributes:
        image: complex (*batch, y, x).
        lam: regularisation strength, in ``unit``.
        unit: "sigma" (the noise of a coil) or "max" (the largest magnitude of A^H y); see docs/concepts.
        iterations: of the last solve; those that chose lambda are not among them.
        objective: 1/2 ||A x - y||^2 + lambda R(x) at the end, in the units of the data squared.
        stopped: why it ended: "tolerance", "iterations", "seconds", or SEARCHING, where half of the seconds were over
            before the best lambda was found.
        history: the way there, empty unless it was asked for.
    """

    image: Tensor
    lam: tuple[float, ...]
    unit: str
    iterations: tuple[int, ...]
    objective: tuple[float, ...]
    stopped: tuple[str, ...]
    history: tuple[tuple[Progress, ...], ...] = ()


class Iterative(Protocol):
    """A reconstructor that can tell how it got there."""

    def __call__(self, acquisition: Acquisition, /) -> Tensor:
        """Reconstruct."""
        ...

    def solve(self, acquisition: Acquisition, history: bool = False) -> Solution:
        """Reconstruct, with the account."""
        ...
