"""The same deep network trained with each normalisation layer and with none, at learning rates from small to large."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator

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
    last,
    network,
    stripes,
    train,
)
from .style import COLOURS, canvas

RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
STEPS, SEEDS = 150, 3
SOME = 0.75 * CHANCE  # a loss that shows that something was learnt, if one asks for less
LARGER = 3.0  # times the rate without a layer: one step of RATES
SHOWN = 0.3  # the rate whose losses are drawn step by step


def run() -> Result:
    """Train at every rate with every layer, from several random starts."""
    numbers, curves = measure(RATES, DEPTH, STEPS, SEEDS)
    return Result(numbers, verdict(numbers), words(numbers), draw(numbers, curves))


def measure(
    rates: Sequence[float], depth: int, steps: int, seeds: int
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Where the loss ends for each layer, rate and seed; and its way at the rate SHOWN, for the first seed."""
    numbers: dict[str, Any] = {
        "rates": list(rates),
        "depth": depth,
        "steps": steps,
        "seeds": seeds,
        "loss_of_chance": CHANCE,
        "final_loss": {name: [[] for _ in rates] for name in LAYERS},
    }
    curves: dict[str, list[float]] = {}
    for seed in range(seeds):
        data = stripes(IMAGES, SIDE, NOISE, Generator().manual_seed(seed))
        for name, layer in LAYERS.items():
            for i, rate in enumerate(rates):
                generator = Generator().manual_seed(100 + seed)
                losses = train(network(depth, WIDTH, layer, generator), data, rate, steps, BATCH, generator)
                numbers["final_loss"][name][i].append(last(losses))
                if rate == SHOWN and seed == 0:
                    curves[name] = losses
    numbers["largest_rate"] = {name: largest(rates, losses) for name, losses in numbers["final_loss"].items()}
    return numbers, curves


def largest(rates: Sequence[float], losses: Sequence[Sequence[float]], level: float = LEARNT) -> list[float]:
    """For each seed the largest rate with a loss below the level, at which something was learnt; 0: there is none."""
    return [
        max((r for r, loss in zip(rates, of, strict=True) if loss < level), default=0.0)
        for of in zip(*losses, strict=True)
    ]


def ratios(numbers: dict[str, Any]) -> dict[str, float]:
    """The largest rate with each layer over that with none, medians; empty where without a layer nothing is learnt."""
    rate = {name: statistics.median(found) for name, found in numbers["largest_rate"].items()}
    return {name: rate[name] / rate["none"] for name in rate if name != "none"} if rate["none"] else {}


def verdict(numbers: dict[str, Any]) -> bool:
    """With every layer the network learns at rates that are larger by a factor of three or more."""
    return min(ratios(numbers).values(), default=0.0) > 0.99 * LARGER


def words(numbers: dict[str, Any]) -> str:
    """What came out."""
    rate = {name: statistics.median(found) for name, found in numbers["largest_rate"].items()}
    best = {name: min(statistics.median(of) for of in losses) for name, losses in numbers["final_loss"].items()}
    where = f"{numbers['depth']} layers learn in {numbers['steps']} steps"
    if rate["none"]:
        each = ", ".join(f"{name} norm {_times(ratio)}" for name, ratio in ratios(numbers).items())
        starts = f"(median of {numbers['seeds']} starts)"
        rates = f"at rates up to {rate['none']:g} {starts}. The largest rate over that one: {each}"
    else:
        each = ", ".join(f"{name} norm {found:g}" for name, found in rate.items() if name != "none")
        tried = f"{numbers['rates'][0]:g} to {numbers['rates'][-1]:g}"
        rates = (
            f"at none of the rates {tried} (median of {numbers['seeds']} starts), so that there is nothing to compare "
            f"with. The largest with a layer: {each}"
        )
    return (
        f"Without a layer {where} {rates}. "
        f"Loss at the best rate (chance is {numbers['loss_of_chance']:.2f}): "
        + ", ".join(f"{LABELS[name]} {loss:.2f}" for name, loss in best.items())
        + f". Asked for was a rate {LARGER:g} times as large or more with every layer; to learn is a loss below half "
        f"of chance; below three quarters of it the largest rates are {_less(numbers)}."
    )


def _less(numbers: dict[str, Any]) -> str:
    rates = {name: statistics.median(largest(numbers["rates"], of, SOME)) for name, of in numbers["final_loss"].items()}
    return ", ".join(f"{LABELS[name]} {rate:g}" for name, rate in rates.items())


def _times(ratio: float) -> str:
    return f"{ratio:.2g} times" if ratio else "(learns at none)"


def draw(numbers: dict[str, Any], curves: dict[str, list[float]]) -> Figure:
    """Final loss against rate, the largest rates, and losses step by step."""
    figure = canvas(11, 4.8, "How large may the learning rate be? It depends on the layer")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1.35, 0.9, 1))
    _against_rate(left, numbers)
    _largest(middle, numbers)
    for (name, losses), colour in zip(curves.items(), COLOURS, strict=False):
        smooth = [statistics.median(losses[max(0, i - 4) : i + 5]) for i in range(len(losses))]
        right.plot(range(len(smooth)), [min(s, 4) for s in smooth], color=colour, label=LABELS[name])
    right.axhline(numbers["loss_of_chance"], color=COLOURS[6], lw=1, ls=":")
    right.set_ylim(0, 3)
    right.set_xlabel("steps")
    right.set_ylabel("loss on a batch (median of 9)")
    right.set_title(f"Step by step at rate {SHOWN:g}")
    return figure


def _against_rate(axis: Axes, numbers: dict[str, Any]) -> None:
    top = 3.0
    for (name, losses), colour in zip(numbers["final_loss"].items(), COLOURS, strict=False):
        low, mid, high = ([min(f(of), top) for of in losses] for f in (min, statistics.median, max))
        axis.plot(numbers["rates"], mid, "o-", ms=4, color=colour, label=LABELS[name])
        axis.fill_between(numbers["rates"], low, high, color=colour, alpha=0.12, lw=0)
    axis.axhline(numbers["loss_of_chance"], color=COLOURS[6], lw=1, ls=":")
    axis.annotate("chance", (numbers["rates"][0], numbers["loss_of_chance"]), (0, 3), textcoords="offset points")
    axis.axhline(LEARNT, color=COLOURS[6], lw=1, ls="--")
    axis.annotate("has learnt", (numbers["rates"][0], LEARNT), (0, -12), textcoords="offset points")
    axis.set_ylim(0, top)
    axis.set_xscale("log")
    axis.set_xlabel("learning rate (SGD)")
    axis.set_ylabel(f"loss after {numbers['steps']} steps; {top:g}: {top:g} or more")
    axis.set_title(f"Loss against rate (median, range of {numbers['seeds']})")
    axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, fontsize=8)


def _largest(axis: Axes, numbers: dict[str, Any]) -> None:
    floor = numbers["rates"][0] / 3
    for i, ((_, found), colour) in enumerate(zip(numbers["largest_rate"].items(), COLOURS, strict=False)):
        for j, rate in enumerate(found):
            axis.plot(max(rate, floor), i + 0.15 * (j - (len(found) - 1) / 2), "o", color=colour, ms=6)
    axis.set_xscale("log")
    axis.set_yticks(range(len(numbers["largest_rate"])), labels=[LABELS[name] for name in numbers["largest_rate"]])
    axis.invert_yaxis()
    axis.set_xlabel(f"largest rate that learns; {floor:.1g}: none")
    axis.set_title("Each start a dot")
