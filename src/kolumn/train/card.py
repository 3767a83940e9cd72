"""The weights of a training with their model card, ready for `kolumn recon --weights`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from ..masks import MASKS
from ..recon.card import ModelCard
from ..recon.weights import save_network

WEIGHTS = "weights.safetensors"


def save_weights(
    folder: Path, name: str, network: nn.Module, trained: Mapping[str, tuple[float, float]], card: Mapping[str, Any]
) -> None:
    """Write weights and card into a folder, in place of those that stand there.

    Args:
        folder: where to.
        name: of the network in NETWORKS.
        network: whose weights.
        trained: of the card.
        card: what else it says: data, licences and scores.
    """
    about = ModelCard(name, trained, masks=tuple(MASKS), **card)
    save_network(folder / WEIGHTS, name, network, about, overwrite=True)
