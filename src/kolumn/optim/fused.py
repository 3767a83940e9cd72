"""Kernels of torch that pass once over the memory, for the rules that can be said in their terms."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple

import torch

from .blocks import Item
from .layout import rows
from .rule import Options

_NUMBERS = (torch.float32, torch.float64)
_HAS = all(hasattr(torch, name) for name in ("_fused_sgd_", "_fused_adam_", "_fused_adamw_"))


class Kernel(NamedTuple):
    """Where a kernel can take the place of a rule, and the kernel: it changes flat parameters and states in place."""

    run: Callable[[list[Item], Options], None]
    devices: frozenset[str] = frozenset({"cpu", "cuda"})
    suits: Callable[[Options], bool] = lambda options: True


def take(name: str, items: list[Item], options: Options) -> list[Item]:
    """Update the items that a kernel of torch can; return the others, untouched.

    Args:
        name: of the rule.
        items: parameters, gradients and states, which are changed in place.
        options: of the rule, all of them.
    """
    kernel = KERNELS.get(name)
    if not _HAS or kernel is None or not kernel.suits(options):
        return items
    alike: dict[Any, list[Item]] = defaultdict(list)
    rest = []
    for item in items:
        flat = _flat(item) if item.w.device.type in kernel.devices else None
        if flat is None:
            rest.append(item)
            continue
        item.state["t"] += 1
        flat.state["t"] = item.state["t"]
        alike[item.w.device, item.w.dtype].append(flat)
    for flats in alike.values():
        kernel.run(flats, options)
    return rest


def _flat(item: Item) -> Item | None:
    """The item, as rows where it is not contiguous; None where a kernel would not read its memory in order."""
    w, g, state = item
    if w.dtype not in _NUMBERS or not w.numel():
        return None
    names = [name for name in state if name != "t"]
    tensors = [w, g, *map(state.__getitem__, names)]
    if all(map(torch.Tensor.is_contiguous, tensors)):
        return item
    flat = rows(tensors)
    return None if flat is None else Item(flat[0], flat[1], dict(zip(names, flat[2:], strict=True)))


def _sgd(items: list[Item], options: Options) -> None:
    torch._fused_sgd_(
        [item.w for item in items],
        [item.g for item in items],
        [item.state["m"] for item in items] if options["momentum"] else [],
        lr=options["lr"],
        momentum=options["momentum"],
        weight_decay=options["weight_decay"],
        nesterov=options["nesterov"] and options["momentum"] > 0,
        dampening=0.0,
        maximize=False,
        is_first_step=False,
    )


def _adam(items: list[Item], options: Options) -> None:
    _moments(torch._fused_adam_, items, options)


def _adamw(items: list[Item], options: Options) -> None:
    _moments(torch._fused_adamw_, items, options)


def _moments(primitive: Callable[..., None], items: list[Item], options: Options) -> None:
    """Adam, and AMSGrad where there is a u. In step infinity there is no bias left to correct."""
    count = {item.state["t"]: float(item.state["t"]) if options["bias_correction"] else math.inf for item in items}
    steps = {t: torch.tensor(step, device=items[0].w.device) for t, step in count.items()}
    largest = [item.state["u"] for item in items if "u" in item.state]
    primitive(
        [item.w for item in items],
        [item.g for item in items],
        [item.state["m"] for item in items],
        [item.state["v"] for item in items],
        largest,
        [steps[item.state["t"]] for item in items],
        lr=options["lr"],
        beta1=options["betas"][0],
        beta2=options["betas"][1],
        weight_decay=options["weight_decay"],
        eps=options["eps"],
        amsgrad=bool(largest),
        maximize=False,
    )


def _rmsprop(items: list[Item], options: Options) -> None:
    """RMSprop is Adam with beta = 0 in step infinity: its m is g, and may lie where g does."""
    gradients = [item.g for item in items]
    torch._fused_adam_(
        [item.w for item in items],
        gradients,
        gradients,
        [item.state["v"] for item in items],
        [],
        [torch.tensor(math.inf)] * len(items),
        lr=options["lr"],
        beta1=0.0,
        beta2=options["alpha"],
        weight_decay=0.0,
        eps=options["eps"],
        amsgrad=False,
        maximize=False,
    )


KERNELS = {
    "sgd": Kernel(_sgd),
    "adam": Kernel(_adam),
    "adamw": Kernel(_adamw),
    "amsgrad": Kernel(_adam),
    "rmsprop": Kernel(
        _rmsprop,
        frozenset({"cpu"}),
        lambda options: not (options["momentum"] or options["centered"] or options["weight_decay"]),
    ),
}
