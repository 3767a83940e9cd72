"""Batch norm whose mean and standard deviation are constants to the gradient, beside the one that goes through both."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor, nn

from ..nn import BatchNorm
from ..optim import Optimizer
from .result import Result
from .stripes import BATCH, CHANCE, DEPTH, DIVERGED, IMAGES, LEARNT, NOISE, SIDE, WIDTH, last, network, stripes, train
from .style import COLOURS, canvas

RATES = (0.1, 0.3, 1.0)
STEPS, SEEDS = 200, 3
UNIT_STEPS, UNIT_RATE = 200, 0.1
LOST = 0.9 * CHANCE  # a loss from which on nothing is known, or no longer
EPS = 1e-5

# what is a constant to the gradient -> mean, standard deviation
DETACHED = {
    "neither": (False, False),
    "the mean": (True, False),
    "the deviation": (False, True),
    "both": (True, True),
}


def run() -> Result:
    """Train one unit and a deep network with each of the four gradients."""
    numbers, curves = measure(RATES, DEPTH, STEPS, SEEDS)
    return Result(numbers, verdict(numbers), words(numbers), draw(numbers, curves))


def normalise_detached(x: Tensor, mean: bool, deviation: bool) -> Tensor:
    """(x - mu) / sigma, over all axes but 1, where mu, sigma or both are constants to the gradient."""
    dim = [d for d in range(x.ndim) if d != 1]
    mu = x.mean(dim, keepdim=True)
    sigma = ((x - mu).square().mean(dim, keepdim=True) + EPS).sqrt()
    return (x - (mu.detach() if mean else mu)) / (sigma.detach() if deviation else sigma)


class DetachedNorm(nn.Module):
    """Batch norm, a xhat + b, with constants for the gradient; in training alone."""

    def __init__(self, num_features: int, mean: bool, deviation: bool) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation
        self.a = nn.Parameter(torch.ones(num_features, 1, 1))
        self.b = nn.Parameter(torch.zeros(num_features, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (batch, channel, y, x)."""
        return self.a * normalise_detached(x, self.mean, self.deviation) + self.b


def norm(mean: bool, deviation: bool) -> Callable[[int], nn.Module]:
    """The layer for a number of channels: that of kolumn where the gradient goes through both."""
    if not (mean or deviation):
        return BatchNorm
    return lambda num_features: DetachedNorm(num_features, mean, deviation)


def unit(mean: bool, deviation: bool, steps: int, generator: Generator) -> dict[str, list[float]]:
    """One unit, xhat of w u + b, told to give 2 u + 1, which it cannot: its w, b and loss before each step."""
    u = torch.randn(256, 1, dtype=torch.float64, generator=generator)
    u = (u - u.mean()) / u.std(correction=0)
    w, b = (nn.Parameter(torch.full((1,), start, dtype=torch.float64)) for start in (1.0, 0.0))
    optimizer = Optimizer([w, b], "sgd", lr=UNIT_RATE)
    found: dict[str, list[float]] = {"w": [], "b": [], "loss": []}
    for _ in range(steps):
        loss = (normalise_detached(w * u + b, mean, deviation) - 2 * u - 1).square().mean() / 2
        for key, value in (("w", w), ("b", b), ("loss", loss)):
            found[key].append(float(value.detach()))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return found


def measure(
    rates: Sequence[float], depth: int, steps: int, seeds: int
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Where a unit and a deep network end; and the losses of the latter on the way, at the middle rate, first start."""
    numbers: dict[str, Any] = {"rates": list(rates), "depth": depth, "steps": steps, "seeds": seeds}
    numbers["loss_of_chance"] = CHANCE
    numbers["unit"] = {name: unit(*which, UNIT_STEPS, Generator().manual_seed(0)) for name, which in DETACHED.items()}
    curves: dict[str, list[float]] = {}
    for key in ("final_loss", "largest_bias"):
        numbers[key] = {name: [[] for _ in rates] for name in DETACHED}
    for seed in range(seeds):
        data = stripes(IMAGES, SIDE, NOISE, Generator().manual_seed(seed))
        for name, which in DETACHED.items():
            for i, rate in enumerate(rates):
                generator = Generator().manual_seed(100 + seed)
                net = network(depth, WIDTH, norm(*which), generator)
                losses = train(net, data, rate, steps, BATCH, generator)
                numbers["final_loss"][name][i].append(last(losses))
                numbers["largest_bias"][name][i].append(largest_bias(net))
                if i == len(rates) // 2 and seed == 0:
                    curves[name] = losses
    return numbers, curves


def largest_bias(net: nn.Sequential) -> float:
    """Of the convolutions that a layer follows: it should have no effect, and no gradient."""
    biases = [c.bias for c, n in pairwise(net) if isinstance(c, nn.Conv2d) and list(n.parameters())]
    most = max(float(b.detach().abs().max()) for b in biases if b is not None)
    return most if most < DIVERGED else DIVERGED


def outcome(numbers: dict[str, Any], name: str) -> tuple[int, int]:
    """Of the runs in which the full gradient learnt: how many ended no better than chance, and how many there are."""
    pairs = [
        (mine, full)
        for at in zip(numbers["final_loss"][name], numbers["final_loss"]["neither"], strict=True)
        for mine, full in zip(*at, strict=True)
    ]
    compared = [mine for mine, full in pairs if full < LEARNT]
    return sum(mine > LOST for mine in compared), len(compared)


def verdict(numbers: dict[str, Any]) -> bool:
    """Of the runs in which the full gradient learns, more than half of those with both detached diverge."""
    lost, of = outcome(numbers, "both")
    return of > 0 and lost > of / 2


def words(numbers: dict[str, Any]) -> str:
    """What came out."""
    counts = {name: outcome(numbers, name) for name in DETACHED if name != "neither"}
    each = ", ".join(f"{lost} with {name} detached" for name, (lost, _) in counts.items())
    loss = {name: statistics.median(numbers["final_loss"][name][len(numbers["rates"]) // 2]) for name in DETACHED}
    drift = max(b for at in numbers["largest_bias"]["the mean"] for b in at)
    one = numbers["unit"]
    return (
        f"One unit told to give what it cannot keeps still with the full gradient and drifts without end when detached "
        f"(after {UNIT_STEPS} steps b = {one['the mean']['b'][-1]:.3g} with the mean detached, "
        f"w = {one['the deviation']['w'][-1]:.3g} with the deviation). In a network of {numbers['depth']} layers, of "
        f"{counts['both'][1]} runs that learnt with the full gradient, these ended at chance: {each}; at rate "
        f"{numbers['rates'][len(numbers['rates']) // 2]:g} the losses after {numbers['steps']} steps are "
        f"{loss['neither']:.2g} with the full gradient and {loss['both']:.2g} with both detached, and biases that have "
        f"no effect grew to up to {drift:.3g} with the mean detached. Asked for was that more than half "
        "end at chance with both detached."
    )


def draw(numbers: dict[str, Any], curves: dict[str, list[float]]) -> Figure:
    """The drift of one unit, and losses of the network."""
    figure = canvas(11, 7, "Through the mean and the deviation, the gradient knows what normalisation will undo")
    axes = figure.subplots(2, 2)
    for axis, key, title in (
        (axes[0][0], "b", "One unit, xhat(w u + b): b has no effect, yet is pushed on"),
        (axes[0][1], "w", "The same: w has no effect, yet is pushed on"),
    ):
        for (name, found), colour, style in zip(numbers["unit"].items(), COLOURS, ("-", "--", "-.", ":"), strict=False):
            axis.plot(found[key], style, color=colour, label=f"detached: {name}")
        axis.set_xlabel(f"steps (SGD, rate {UNIT_RATE:g})")
        axis.set_ylabel(key)
        axis.set_title(title)
    axes[0][0].legend()
    _curves(axes[1][0], numbers, curves)
    _ends(axes[1][1], numbers)
    return figure


def _curves(axis: Axes, numbers: dict[str, Any], curves: dict[str, list[float]]) -> None:
    for (name, losses), colour in zip(curves.items(), COLOURS, strict=False):
        smooth = [statistics.median(losses[max(0, i - 7) : i + 8]) for i in range(len(losses))]
        axis.plot([min(s, 3) for s in smooth], color=colour, label=f"detached: {name}")
    axis.axhline(numbers["loss_of_chance"], color=COLOURS[6], lw=1, ls=":")
    axis.annotate("chance", (0, numbers["loss_of_chance"]), (2, 3), textcoords="offset points")
    axis.set_ylim(0, 2.6)
    axis.set_xlabel("steps")
    axis.set_ylabel("loss on a batch (median of 15)")
    axis.set_title(f"A network of {numbers['depth']} layers at rate {numbers['rates'][len(numbers['rates']) // 2]:g}")


def _ends(axis: Axes, numbers: dict[str, Any]) -> None:
    for i, (name, colour) in enumerate(zip(DETACHED, COLOURS, strict=False)):
        for j, losses in enumerate(numbers["final_loss"][name]):
            places = [j + 0.17 * (i - 1.5) + 0.03 * (k - 1) for k in range(len(losses))]
            label = f"detached: {name}" if j == 0 else None
            axis.plot(places, [min(max(loss, 1e-3), 3) for loss in losses], "o", ms=5, color=colour, label=label)
    axis.axhline(numbers["loss_of_chance"], color=COLOURS[6], lw=1, ls=":")
    axis.annotate("chance", (0, numbers["loss_of_chance"]), (-40, 3), textcoords="offset points")
    axis.legend(fontsize=8)
    axis.set_yscale("log")
    axis.set_xticks(range(len(numbers["rates"])), labels=[f"rate {rate:g}" for rate in numbers["rates"]])
    axis.set_ylabel(f"loss after {numbers['steps']} steps")
    axis.set_title(f"Where {numbers['seeds']} starts ended")
