"""Model cards: what a network was trained on, and where it should not be trusted."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import torch

from ..acquisition import Acquisition
from ..coils import linear_image
from ..errors import FormatError
from ..masks.measure import acceleration, calibration_width
from ..nn.level import brightness, noise_level
from ..shapes import COIL

_ROOM = 1.02  # beyond its range by less than 2 % nobody need be warned


@dataclass(frozen=True)
class ModelCard:
    """What stands beside a file of weights as JSON.

    Attributes:
        network: the method: "unet", "unrolled" or "learned-cs".
        trained: range of each of MEASURES in training, but for the most extreme.
        masks: kinds of masks in training.
        data: what it was trained on, and what it was kept from.
        licences: of the weights and of the data.
        scores: of whatever was measured, by name.
        limits: where it is known to fail.
    """

    network: str
    trained: Mapping[str, tuple[float, float]]
    masks: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()
    scores: Mapping[str, Any] = field(default_factory=dict)
    limits: tuple[str, ...] = ()

    def outside(self, acquisition: Acquisition) -> list[str]:
        """What of an acquisition lies outside of the range of training, in words."""
        found = []
        for name, values in measure(acquisition).items():
            least, most = min(values, default=math.nan), max(values, default=math.nan)
            low, high = self.trained.get(name, (-math.inf, math.inf))
            if least < low / _ROOM or most > high * _ROOM:
                value = least if least < low / _ROOM else most
                found.append(f"{TEXTS[name].format(value)} (trained on {low:.3g} to {high:.3g})")
        return found

    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def read_card(path: Path) -> ModelCard:
    """A card from its file.

    Raises:
        FormatError: it cannot be read, or is no card.
    """
    try:
        content = json.loads(path.read_text("utf-8"))
        trained = {str(name): (float(a), float(b)) for name, (a, b) in content["trained"].items()}
        lists = {name: tuple(map(str, content[name])) for name in ("masks", "data", "licences", "limits")}
        return ModelCard(str(content["network"]), trained, scores=dict(content["scores"]), **lists)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:100]
        raise FormatError(f"{path} is no model card ({reason}); restore it from where the weights came from") from error


def _coils(acquisition: Acquisition) -> float:
    return acquisition.n_coils


def _acceleration(acquisition: Acquisition) -> float:
    return acceleration(acquisition.mask, tuple(acquisition.kspace.shape))


def _calibration(acquisition: Acquisition) -> float:
    block, width = acquisition.calibration, acquisition.kspace.shape[-1]
    return (calibration_width(acquisition.mask.cpu()) if block is None else block.shape[-1]) / width


def _noise(acquisition: Acquisition) -> float:
    size = float(brightness(linear_image(acquisition.kspace).to(acquisition.kspace.dtype)))
    return float(noise_level(acquisition)) / size if size > 0 else 0.0


# Of a single entry. The noise is that of a sample over the brightness of the zero-filled image.
MEASURES: dict[str, Callable[[Acquisition], float]] = {
    "coils": _coils,
    "acceleration": _acceleration,
    "calibration": _calibration,
    "noise": _noise,
}
TEXTS = {
    "coils": "{:g} coils",
    "acceleration": "{:.3g}-fold acceleration",
    "calibration": "calibration lines of {:.2g} of the width",
    "noise": "noise of {:.2g} of the image",
}


@torch.no_grad()
def measure(acquisition: Acquisition) -> dict[str, list[float]]:
    """Each of MEASURES of each entry of a batch; those that are blank have no say."""
    batch = acquisition.kspace.shape[:COIL]
    entries = [acquisition.entry(*i) if i else acquisition for i in product(*map(range, batch))]
    entries = [entry for entry in entries if bool(torch.count_nonzero(entry.kspace))]
    return {name: [f(entry) for entry in entries] for name, f in MEASURES.items()}
