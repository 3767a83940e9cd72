"""What a network has been trained on, in the measures of its model card."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from ..acquisition import Acquisition
from ..recon.card import MEASURES, measure

_RARE = 0.005  # of the scans at either end: too few to have learned from
_LATEST = 20_000  # scans


@dataclass
class Seen:
    """Each of a card's measures of the scans that a process has trained on, of the latest 20 000.

    Attributes:
        values: by name of the measure, in order.
    """

    values: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in MEASURES})

    def add(self, acquisition: Acquisition) -> None:
        """Take in a batch."""
        for name, values in measure(acquisition).items():
            self.values[name] = [*self.values[name], *values][-_LATEST:]

    def ranges(self) -> dict[str, tuple[float, float]]:
        """Least and largest of each measure, but for the 0.5 % of the scans at either end."""
        found = {}
        for name, values in self.values.items():
            if values:
                kept = torch.tensor(values, dtype=torch.float64)
                low, high = (kept.quantile(q, interpolation="nearest").item() for q in (_RARE, 1 - _RARE))
                found[name] = (low, high)
        return found
