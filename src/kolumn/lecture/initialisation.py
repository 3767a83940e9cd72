"""The same deep network started with weights from much too small to much too large, with and without normalisation."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, nn
from torch.nn import functional

from .result import Result
from .stripes import (
    BATCH,
    CHANCE,
    DEPTH,
    IMAGES,
    LABELS,
    LAYERS,
    LEARNT,
    NOISE,
    SIDE,
    WIDTH,
    Images,
    last,
    network,
    stripes,
    train,
)
from .style import COLOURS, canvas

GAINS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)  # times the weights of He et al.
RATES = (0.03, 0.3)  # the better one counts, since layers differ in the rate they like
SHOWN = (0.3, 1.0, 3.0)
STEPS, SEEDS = 100, 2
FORGIVING = 10.0  # times the range of gains without a layer


def run() -> Result:
    """Train from every gain with every layer."""
    numbers = measure(GAINS, RATES, DEPTH, STEPS, SEEDS)
    return Result(numbers, verdict(numbers), words(numbers), draw(numbers))


def measure(gains: Sequence[float], rates: Sequence[float], depth: int, steps: int, seeds: int) -> dict[str, Any]:
    """Where the loss ends, for each layer, gain and seed at the better rate; and signals at the start."""
    found: dict[str, list[list[float]]] = {name: [[] for _ in gains] for name in LAYERS}
    for seed in range(seeds):
        data = stripes(IMAGES, SIDE, NOISE, Generator().manual_seed(seed))
        for name, layer in LAYERS.items():
            for i, gain in enumerate(gains):
                ends = []
                for rate in rates:
                    generator = Generator().manual_seed(100 + seed)
                    net = network(depth, WIDTH, layer, generator, gain)
                    ends.append(last(train(net, data, rate, steps, BATCH, generator)))
                found[name][i].append(min(ends))
    data = stripes(BATCH, SIDE, NOISE, Generator().manual_seed(0))
    return {
        "gains": list(gains),
        "rates": list(rates),
        "depth": depth,
        "steps": steps,
        "seeds": seeds,
        "loss_of_chance": CHANCE,
        "final_loss": found,
        "gains_that_learn": {name: learning(gains, losses) for name, losses in found.items()},
        "signals": {
            name: {f"{gain:g}": signals(network(depth, WIDTH, LAYERS[name], start(), gain), data) for gain in SHOWN}
            for name in ("none", "batch")
        },
    }


def start() -> Generator:
    """The same random start for each network whose signals are compared."""
    return Generator().manual_seed(100)


def signals(net: nn.Sequential, data: Images) -> dict[str, list[float]]:
    """Root mean square after each convolution, and of the gradient there, before any training."""
    x, kept = data.x, []
    for layer in net:
        x = layer(x)
        if isinstance(layer, nn.Conv2d):
            kept.append(x)
    gradients = torch.autograd.grad(functional.cross_entropy(x, data.label), kept)
    return {
        "activation_rms": [float(t.detach().square().mean().sqrt()) for t in kept],
        "gradient_rms": [float(t.square().mean().sqrt()) for t in gradients],
    }


def learning(gains: Sequence[float], losses: Sequence[Sequence[float]]) -> list[float]:
    """The least and the largest gain from which something is learnt, in the median; empty where there is none."""
    good = [gain for gain, of in zip(gains, losses, strict=True) if statistics.median(of) < LEARNT]
    return [min(good), max(good)] if good else []


def widths(numbers: dict[str, Any]) -> dict[str, float]:
    """The largest gain that learns over the least; 0 where there is none."""
    return {name: found[1] / found[0] if found else 0.0 for name, found in numbers["gains_that_learn"].items()}


def verdict(numbers: dict[str, Any]) -> bool:
    """With every layer the range of gains that learn is wider than without by a factor of ten or more."""
    width = widths(numbers)
    return min(width[name] for name in width if name != "none") > 0.99 * FORGIVING * max(width["none"], 1)


def words(numbers: dict[str, Any]) -> str:
    """What came out."""
    ranges = [
        f"{LABELS[name]} {found[0]:g} to {found[1]:g}" if found else f"{LABELS[name]} none"
        for name, found in numbers["gains_that_learn"].items()
    ]
    none, batch = (numbers["signals"][name][f"{SHOWN[0]:g}"]["activation_rms"] for name in ("none", "batch"))
    return (
        f"Starting weights, as multiples of those of He et al., from which {numbers['depth']} layers learn in "
        f"{numbers['steps']} steps (median of {numbers['seeds']} starts, the better of rates "
        f"{' and '.join(f'{r:g}' for r in numbers['rates'])}): {', '.join(ranges)}. With {SHOWN[0]:g} times them "
        f"the signal shrinks to {none[-1] / none[0]:.0e} of itself by the last layer without one, and to "
        f"{batch[-1] / batch[0]:.1g} with batch norm. Asked for was a range {FORGIVING:g} times as "
        "wide with every layer."
    )


def draw(numbers: dict[str, Any]) -> Figure:
    """Signals and gradients from layer to layer, and the loss against the gain."""
    figure = canvas(11, 6.8, "A layer that normalises puts the scale right again after each convolution")
    rows = figure.add_gridspec(2, 1)
    cells = rows[0].subgridspec(1, 2)
    for i, (key, title) in enumerate(
        (("activation_rms", "Size of the signal at the start"), ("gradient_rms", "Size of the gradient at the start"))
    ):
        axis = figure.add_subplot(cells[i])
        _signals(axis, numbers, key)
        axis.set_title(title)
    _losses(figure.add_subplot(rows[1]), numbers)
    return figure


def _signals(axis: Axes, numbers: dict[str, Any], key: str) -> None:
    for name, style in (("none", "--"), ("batch", "-")):
        for (gain, found), colour in zip(numbers["signals"][name].items(), COLOURS, strict=False):
            axis.plot(range(1, len(found[key]) + 1), found[key], style, marker="o", ms=4, color=colour)
            if name == "none":
                axis.plot([], [], color=colour, label=f"weights x {gain}")
    axis.plot([], [], "--", color=COLOURS[6], label="no layer")
    axis.plot([], [], "-", color=COLOURS[6], label="batch norm")
    axis.set_yscale("log")
    axis.set_xlabel("convolution")
    axis.set_ylabel("root mean square")
    axis.legend(fontsize=8, ncols=2)


def _losses(axis: Axes, numbers: dict[str, Any]) -> None:
    top = 3.0
    for (name, losses), colour in zip(numbers["final_loss"].items(), COLOURS, strict=False):
        low, mid, high = ([min(f(of), top) for of in losses] for f in (min, statistics.median, max))
        axis.plot(numbers["gains"], mid, "o-", ms=4, color=colour, label=LABELS[name])
        axis.fill_between(numbers["gains"], low, high, color=colour, alpha=0.12, lw=0)
    for level, text in ((numbers["loss_of_chance"], "chance"), (LEARNT, "has learnt below")):
        axis.axhline(level, color=COLOURS[6], lw=1, ls=":")
        axis.annotate(text, (numbers["gains"][0], level), (0, 3), textcoords="offset points")
    axis.set_ylim(0, top)
    axis.set_xscale("log")
    axis.set_xlabel("weights at the start, as a multiple of those of He et al.")
    axis.set_ylabel(f"loss after {numbers['steps']} steps")
    axis.set_title(f"Who learns from which start (median and range of {numbers['seeds']}; better of two rates)")
    axis.legend(loc="upper left", bbox_to_anchor=(1, 1), fontsize=8)
