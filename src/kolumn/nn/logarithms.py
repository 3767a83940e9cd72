"""Which parameters of a network are logarithms of penalties and thresholds, and which are weights."""

from __future__ import annotations

from torch import nn

LOGARITHMS = ("alpha", "beta", "gamma", "theta", "eta")


def weights_and_logarithms(network: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Its parameters in two lists, either of which may be empty: logarithms bear much larger steps than weights."""
    named = list(network.named_parameters())
    logarithms = [p for name, p in named if name.split(".")[-1] in LOGARITHMS]
    return [p for name, p in named if name.split(".")[-1] not in LOGARITHMS], logarithms
