"""Gradients of a VGG16-shaped network at initialisation, layer by layer."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor
from torch.nn import functional

from ..optim import Optimizer
from ..phantoms import anatomy
from .mri_linear import one_thread
from .result import Result
from .style import COLOURS, canvas

VGG16 = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))  # channels between poolings
DENSE = (4096, 4096, 1000)
SIDE, BATCH, SEEDS = 64, 8, 3
TENFOLD = 10.0  # scales that differ: by an order of magnitude

VGG_PAPER = "0.01, as in the VGG paper"
# standard deviation of the weights, from inputs and outputs of a unit; biases are 0
STARTS = {
    "He": lambda n_in, n_out: math.sqrt(2 / n_in),
    "Glorot": lambda n_in, n_out: math.sqrt(2 / (n_in + n_out)),
    "torch's default": lambda n_in, n_out: math.sqrt(1 / (3 * n_in)),
    VGG_PAPER: lambda n_in, n_out: 0.01,
}
STEPPED = ("He", VGG_PAPER)
TINY = 1e-20  # an eps far below all of these gradients
STEPS: dict[str, tuple[str, dict[str, float]]] = {
    "SGD": ("sgd", {}),
    "Adam, eps 1e-8": ("adam", {}),
    "Adam, eps 1e-20": ("adam", {"eps": TINY}),
    "LAMB, eps 1e-20": ("lamb", {"eps": TINY}),
}


def run() -> Result:
    """Back-propagate through the network from several initialisations, and let each rule make a step."""
    with one_thread():  # the same sums on every machine
        numbers = measure(VGG16, DENSE, SIDE, BATCH, SEEDS)
    return Result(numbers, verdict(numbers), words(numbers), draw(numbers))


def names(blocks: Sequence[Sequence[int]], dense: Sequence[int]) -> list[str]:
    """Of the layers, as in the paper: conv1_1 to fc8."""
    convolutions = [f"conv{i}_{j}" for i, block in enumerate(blocks, 1) for j in range(1, len(block) + 1)]
    return convolutions + [f"fc{i}" for i in range(len(blocks) + 1, len(blocks) + 1 + len(dense))]


def weights(
    blocks: Sequence[Sequence[int]], dense: Sequence[int], side: int, start: str, generator: Generator
) -> list[Tensor]:
    """Random weights (out, in, 3, 3) of the convolutions and (out, in) of the dense layers, for RGB images."""
    channels = [3, *(c for block in blocks for c in block)]
    flat = channels[-1] * (side // 2 ** len(blocks)) ** 2
    shapes: list[tuple[int, ...]] = [(b, a, 3, 3) for a, b in pairwise(channels)]
    shapes += [(b, a) for a, b in zip([flat, *dense[:-1]], dense, strict=True)]
    drawn = []
    for shape in shapes:
        area = math.prod(shape[2:])
        std = STARTS[start](shape[1] * area, shape[0] * area)
        drawn.append(std * torch.randn(shape, generator=generator))
    return drawn


def forward(images: Tensor, layers: Sequence[Tensor], blocks: Sequence[Sequence[int]]) -> Tensor:
    """Convolutions and ReLU, each block followed by a pooling, then dense layers: (batch, classes)."""
    remaining = iter(layers)
    x = images
    for block in blocks:
        for _ in block:
            x = functional.conv2d(x, next(remaining), padding=1).relu()
        x = functional.max_pool2d(x, 2)
    x = x.flatten(1)
    *hidden, last = remaining
    for w in hidden:
        x = functional.linear(x, w).relu()
    return functional.linear(x, last)


def pictures(side: int, batch: int, generator: Generator) -> Tensor:
    """Heads in random colours, of mean 0 and standard deviation 1: (batch, 3, side, side)."""
    heads = torch.stack([anatomy((side, side), generator) for _ in range(batch)])
    x = heads[:, None] * torch.rand(batch, 3, 1, 1, generator=generator)
    return (x - x.mean((1, 2, 3), keepdim=True)) / x.std((1, 2, 3), keepdim=True)


def rms(x: Tensor) -> float:
    """Root mean square."""
    return float(x.square().mean().sqrt())


def measure(blocks: Sequence[Sequence[int]], dense: Sequence[int], side: int, batch: int, seeds: int) -> dict[str, Any]:
    """Root mean squares of gradients and weights of each layer, and how far a step of each rule goes."""
    layers = names(blocks, dense)
    found: dict[str, Any] = {"layers": layers, "seeds": seeds, "images": batch, "starts": {}, "steps": {}}
    for start in STARTS:
        gradients, rates = [], []
        for seed in range(seeds):
            generator = Generator().manual_seed(seed)
            params = [w.requires_grad_() for w in weights(blocks, dense, side, start, generator)]
            images = pictures(side, batch, generator)
            labels = torch.randint(dense[-1], (batch,), generator=generator)
            functional.cross_entropy(forward(images, params, blocks), labels).backward()  # type: ignore[no-untyped-call]
            gradients.append([rms(p.grad) for p in params if p.grad is not None])
            rates.append([0.01 * rms(p.detach()) / g for p, g in zip(params, gradients[-1], strict=True)])
            if seed == 0 and start in STEPPED:
                found["steps"][start] = {name: moved(params, name, statistics.median(rates[-1])) for name in STEPS}
        found["starts"][start] = {
            "gradient_rms": gradients,
            "gradient_spread": [max(g) / min(g) for g in gradients],
            "rate_spread": [max(r) / min(r) for r in rates],  # of the rate at which SGD changes a layer by 1 %
        }
    return found


def moved(params: list[Tensor], name: str, sgd_rate: float) -> list[float]:
    """By what part of itself the first step of a rule changes each layer, over the median of the layers.

    SGD has the rate at which it changes the median layer by 1 %: at others its step might be lost in rounding.
    """
    rule, options = STEPS[name]
    copies = [torch.nn.Parameter(p.detach().clone()) for p in params]
    for copy, p in zip(copies, params, strict=True):
        copy.grad = p.grad
    Optimizer(copies, rule, lr=sgd_rate if rule == "sgd" else 1e-3, **options).step()
    parts = [rms(c.detach() - p.detach()) / rms(p.detach()) for c, p in zip(copies, params, strict=True)]
    return [part / statistics.median(parts) for part in parts]


def verdict(numbers: dict[str, Any]) -> bool:
    """Gradients, and the rates that would suit the layers, differ tenfold for every initialisation and seed."""
    spreads = [
        s for start in numbers["starts"].values() for key in ("gradient_spread", "rate_spread") for s in start[key]
    ]
    return min(spreads) >= TENFOLD


def words(numbers: dict[str, Any]) -> str:
    """What came out."""
    gradient, rate = (
        {name: statistics.median(start[key]) for name, start in numbers["starts"].items()}
        for key in ("gradient_spread", "rate_spread")
    )
    least, most = min(gradient, key=gradient.__getitem__), max(gradient, key=gradient.__getitem__)
    steps = {name: max(parts) / min(parts) for name, parts in numbers["steps"][VGG_PAPER].items()}
    least_gradient = min(min(seed) for seed in numbers["starts"][VGG_PAPER]["gradient_rms"])
    return (
        f"It is a matter of initialisation. The root mean square of the gradient differs between layers by a factor "
        f"of {gradient[most]:.0f} ({most}) and of {gradient[least]:.0f} ({least}; {numbers['seeds']} seeds, medians), "
        f"the rate at which SGD changes a layer by 1 % by factors of {min(rate.values()):.0f} to "
        f"{max(rate.values()):.0f}; asked for was tenfold, for every initialisation. In the paper's network a first "
        f"step of SGD changes layers by parts of themselves that differ {steps['SGD']:.0f}-fold, and one of Adam "
        f"{steps['Adam, eps 1e-20']:.2g}-fold, if eps is below its gradients of {least_gradient:.0e}; with the usual "
        f"eps of 1e-8 they differ {steps['Adam, eps 1e-8']:.0f}-fold."
    )


def draw(numbers: dict[str, Any]) -> Figure:
    """Gradients of each layer over those of the median layer, and steps of each rule."""
    spreads = [statistics.median(start["gradient_spread"]) for start in numbers["starts"].values()]
    title = f"How much gradients differ between layers is up to the initialisation: {min(spreads):.0f}- to "
    figure = canvas(12, 5.2, f"{title}{max(spreads):.0f}-fold")
    gradients, *steps = figure.subplots(1, 3, sharey=True)
    places = list(range(len(numbers["layers"])))
    for (name, start), colour in zip(numbers["starts"].items(), COLOURS, strict=False):
        relative = [[g / statistics.median(seed) for g in seed] for seed in start["gradient_rms"]]
        columns = list(zip(*relative, strict=True))
        level = statistics.median(statistics.median(seed) for seed in start["gradient_rms"])
        label = f"{name} (median {level:.0e})"
        gradients.plot(places, [statistics.median(c) for c in columns], "o-", color=colour, label=label, ms=4)
        gradients.fill_between(
            places, [min(c) for c in columns], [max(c) for c in columns], color=colour, alpha=0.2, lw=0
        )
    gradients.set_title("Gradient of the weights, root mean square")
    gradients.set_ylabel("relative to the median layer")
    for axis, (start, moves) in zip(steps, numbers["steps"].items(), strict=True):
        for name, colour, marker in zip(STEPS, (*COLOURS[4:], COLOURS[1]), "osD^", strict=True):
            wide = (
                {"ms": 7, "lw": 4, "zorder": 1} if name == "Adam, eps 1e-8" else {"ms": 4}
            )  # below the next, which may hide it
            axis.plot(places, moves[name], f"{marker}-", color=colour, label=name, **wide)
        axis.set_title(f"What a first step changes of each layer,\nrelative (start: {start})")
    for axis in (gradients, *steps):
        axis.legend(loc="upper right" if axis is gradients else "lower right")
        _layers(axis, numbers["layers"])
    return figure


def _layers(axis: Axes, layers: list[str]) -> None:
    axis.set_yscale("log")
    axis.set_xticks(range(len(layers)), labels=layers, rotation=70, fontsize=8.5)
    axis.set_xlabel("layer, from the image to the classes")
