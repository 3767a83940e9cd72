"""The networks that can be trained, and their optimizer."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Mapping
from typing import Any

from torch import nn

from ..errors import ArgumentError
from ..nn.logarithms import weights_and_logarithms
from ..optim import Optimizer
from ..recon.card import ModelCard
from ..recon.weights import NETWORKS, load_network

SHIPPED = "shipped"  # the weights that come with the package
_FEW = 1000  # numbers, which a few images tell, and large ones better


def make_network(name: str, options: Mapping[str, Any], seed: int = 0) -> nn.Module:
    """A network by its name in NETWORKS.

    Args:
        name: of the network.
        options: of its constructor.
        seed: of its first weights, if they are random.

    Raises:
        ArgumentError: there is no such network or option.
    """
    _check_name(name)
    known = set(inspect.signature(NETWORKS[name]).parameters)
    for option in options:
        if option not in known - {"seed"}:
            raise ArgumentError(
                f"network {name!r} has no option {option!r}; it has {', '.join(sorted(known - {'seed'}))}"
            )
    return NETWORKS[name](**options, **({"seed": seed} if "seed" in known else {}))


def begin_with(name: str, weights: str) -> tuple[nn.Module, ModelCard | None]:
    """A network with weights to go on from, and their model card, if there is one.

    Args:
        name: of the network.
        weights: a file of them, or "shipped": those that come with the package.

    Raises:
        FormatError: the file is missing, damaged, or of no network known here.
        ArgumentError: it holds another network, or one that another package has trained.
    """
    _check_name(name)
    network, card = load_network(name, None if weights == SHIPPED else weights)
    if not isinstance(network, NETWORKS[name]):  # type: ignore[arg-type]
        raise ArgumentError(f"{weights} holds a {type(network).__name__}, which is used as it is; train {name!r} anew")
    return network.train().requires_grad_(True), card


def has_much_to_learn(network: nn.Module) -> bool:
    """Whether it has more than a thousand numbers: from nothing it then begins with small images."""
    return sum(p.numel() for p in network.parameters()) > _FEW


def _check_name(name: str) -> None:
    if name not in NETWORKS:
        near = difflib.get_close_matches(name, NETWORKS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ArgumentError(f"no network {name!r} to train; there is {', '.join(NETWORKS)}{hint}")


def make_optimizer(network: nn.Module, rule: str, lr: float) -> Optimizer:
    """Our optimizer on all parameters; logarithms of penalties and thresholds take ten times the steps of weights."""
    weights, logarithms = weights_and_logarithms(network)
    groups = [{"params": weights, "lr": lr}, {"params": logarithms, "lr": 10 * lr}]
    return Optimizer([group for group in groups if group["params"]], rule=rule, lr=lr)
