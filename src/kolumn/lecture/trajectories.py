"""Paths of SGD, RMSprop and Adam in a noisy valley, along the axes and across them."""

from __future__ import annotations

import math
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor

from ..optim import Optimizer
from .mri_linear import one_thread
from .result import Result
from .style import COLOURS, canvas

CURVATURES = (1.0, 50.0)
NOISE = 0.1  # standard deviation of where each step believes the optimum to be; starts are at a distance of 1
RULES = {"SGD": "sgd", "RMSprop": "rmsprop", "Adam": "adam"}
RATES = [1e-3 * 10 ** (i / 4) for i in range(10)]
STEPS, RUNS, OFF = 300, 200, 5  # OFF: steps in which one sets off
START = (-0.92, 0.4)  # of the paths that the figure shows
BOUNCES, SMOOTH = 60.0, 30.0  # degrees from one step to the next; 90 is that of a random walk


def run() -> Result:
    """Start each rule, at its best rate, from all around the optimum, in a valley along the axes and in one across."""
    with one_thread():  # which is faster for so little data
        numbers = measure(RUNS, STEPS)
        figure = draw(numbers)
    return Result(numbers, verdict(numbers), words(numbers), figure)


def path(rule: str, rate: float, starts: Tensor, steps: int, turn: float, generator: Generator) -> Tensor:
    """Points of each run after each step, (steps + 1, run, 2).

    f(w) = 1/2 sum_i c_i (R w)_i^2, and each step has the gradient of 1/2 sum_i c_i ((R w)_i - xi_i)^2 for a new xi,
    as a small batch has an optimum of its own. Rules that work element by element treat the runs independently.

    Args:
        rule: of an optimizer.
        rate: its learning rate.
        starts: (run, 2).
        steps: how many.
        turn: angle of the valley to the axes, radians: R.
        generator: of the noise.
    """
    c, s = math.cos(turn), math.sin(turn)
    R = torch.tensor([[c, s], [-s, c]], dtype=torch.float64)
    curvatures = torch.tensor(CURVATURES, dtype=torch.float64)
    w = torch.nn.Parameter(starts.clone())
    optimizer = Optimizer([w], rule, lr=rate)
    points = [starts]
    for _ in range(steps):
        xi = NOISE * torch.randn(starts.shape, dtype=torch.float64, generator=generator)
        w.grad = (curvatures * (w.detach() @ R.T - xi)) @ R
        optimizer.step()
        points.append(w.detach().clone())
    return torch.stack(points)


def around(runs: int, generator: Generator) -> Tensor:
    """Points at a distance of 1 from the optimum, in directions drawn at random, (run, 2)."""
    angle = 2 * math.pi * torch.rand(runs, dtype=torch.float64, generator=generator)
    return torch.stack([angle.cos(), angle.sin()], -1)


def degrees(a: Tensor, b: Tensor) -> Tensor:
    """Angles between vectors along the last axis."""
    cosine = (a * b).sum(-1) / (a.norm(dim=-1) * b.norm(dim=-1))
    return cosine.clamp(-1, 1).acos().rad2deg()


def best_rate(rule: str, starts: Tensor, steps: int, seed: int) -> float:
    """The rate with the least distance from the optimum, averaged over all steps and runs."""

    def distance(rate: float) -> float:
        mean = float(path(rule, rate, starts, steps, 0.0, Generator().manual_seed(seed)).norm(dim=-1).mean())
        return mean if math.isfinite(mean) else math.inf

    return min(RATES, key=distance)


def measure(runs: int, steps: int) -> dict[str, Any]:
    """How each rule sets off, arrives and stays, along the axes and turned by 45 degrees."""
    starts = around(runs, Generator().manual_seed(0))
    numbers: dict[str, Any] = {
        "runs": runs,
        "steps": steps,
        "curvatures": list(CURVATURES),
        "noise": NOISE,
        "rules": {},
    }
    for name, rule in RULES.items():
        rate = best_rate(rule, starts, steps, seed=1)
        found: dict[str, Any] = {"rate": rate}
        for where, turn in (("along", 0.0), ("across", math.pi / 4)):
            found[where] = summary(path(rule, rate, starts, steps, turn, Generator().manual_seed(2)))
        numbers["rules"][name] = found
    return numbers


def summary(points: Tensor) -> dict[str, Any]:
    """Medians over the runs: of the direction of the first steps, of the distances, and of the turns at the end."""
    end = points[2 * len(points) // 3 :]
    moves = end.diff(dim=0)
    distance = points.norm(dim=-1)
    quartiles = torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)
    off = degrees(points[OFF] - points[0], -points[0]).quantile(quartiles)
    return {
        "off_degrees": float(off[1]),
        "off_degrees_quartiles": [float(off[0]), float(off[2])],
        "turn_degrees": float(degrees(moves[1:], moves[:-1]).median()),
        "end_distance": float(end.square().sum(-1).mean().sqrt()),
        "distance": [round(float(d), 4) for d in distance.median(-1).values],
    }


def verdict(numbers: dict[str, Any]) -> bool:
    """Along the axes SGD is off by twice the angle of RMSprop, which turns sharply at the end where Adam does not."""
    sgd, rmsprop, adam = (numbers["rules"][name]["along"] for name in RULES)
    right: bool = sgd["off_degrees"] > 2 * rmsprop["off_degrees"]
    return right and rmsprop["turn_degrees"] > BOUNCES and adam["turn_degrees"] < SMOOTH


def words(numbers: dict[str, Any]) -> str:
    """What came out."""
    sgd, rmsprop, adam = (numbers["rules"][name]["along"] for name in RULES)
    turned = {name: numbers["rules"][name]["across"]["off_degrees"] for name in RULES}
    return (
        f"In its first {OFF} steps SGD is {sgd['off_degrees']:.0f} degrees off the way to the optimum, RMSprop "
        f"{rmsprop['off_degrees']:.0f} and Adam {adam['off_degrees']:.0f} (medians of {numbers['runs']} starts). At "
        f"the end RMSprop turns by {rmsprop['turn_degrees']:.0f} degrees from step to step and Adam by "
        f"{adam['turn_degrees']:.0f}; smooth is not closer: they stay at a distance of "
        f"{rmsprop['end_distance']:.3f} and {adam['end_distance']:.3f}. And the valley must lie along the axes: turned "
        f"by 45 degrees, RMSprop is {turned['RMSprop']:.0f} degrees off and SGD {turned['SGD']:.0f}. Asked for were "
        f"twice the angle of RMSprop for SGD, and turns above {BOUNCES:g} and below {SMOOTH:g} degrees."
    )


def draw(numbers: dict[str, Any]) -> Figure:
    """Paths, their ends, distances and angles."""
    figure = canvas(11.5, 8.2, "SGD crosses the valley, RMSprop heads for the optimum and bounces, Adam is smooth")
    (whole, ends), (distances, angles) = figure.subplots(2, 2, height_ratios=(1.15, 1))
    start = torch.tensor([START], dtype=torch.float64)
    paths = {
        name: path(rule, numbers["rules"][name]["rate"], start, STEPS, 0.0, Generator().manual_seed(5))[:, 0]
        for name, rule in RULES.items()
    }
    _contours(whole, 1.05, 0.62)
    _contours(ends, 0.17, 0.1)
    for (name, points), colour in zip(paths.items(), COLOURS, strict=False):
        first = points[:60]
        whole.plot(first[:, 0], first[:, 1], ".-", color=colour, label=name, ms=4, lw=1.1)
        if name != "SGD":
            last = points[-60:]
            ends.plot(last[:, 0], last[:, 1], ".-", color=colour, label=name, ms=4, lw=1)
    whole.plot(*START, "o", color=COLOURS[6], ms=8)
    whole.annotate("start", START, (6, 7), textcoords="offset points")
    whole.set_title("The first 60 steps, each rule at its best rate")
    ends.set_title(f"The last 60 of {STEPS}, around the optimum")
    for axis in (whole, ends):
        axis.plot(0, 0, "*", color="black", ms=13, zorder=5)
        axis.legend(loc="lower right")
    _distances(distances, numbers)
    _angles(angles, numbers)
    return figure


def _contours(axis: Axes, x: float, y: float) -> None:
    xs, ys = torch.linspace(-x, x, 200), torch.linspace(-y, y, 200)
    f = 0.5 * (CURVATURES[0] * xs.square()[None] + CURVATURES[1] * ys.square()[:, None])
    levels = (float(f.max()) * torch.linspace(0.12, 1, 7).square()).tolist()
    axis.contour(xs.numpy(), ys.numpy(), f.numpy(), levels=levels, colors="#c8c8c8", linewidths=0.8)
    axis.set_xlim(-x, x)
    axis.set_ylim(-y, y)
    axis.grid(visible=False)
    axis.set_xlabel("$w_1$ (curvature 1)")
    axis.set_ylabel("$w_2$ (curvature 50)")


def _distances(axis: Axes, numbers: dict[str, Any]) -> None:
    for (name, rule), colour in zip(numbers["rules"].items(), COLOURS, strict=False):
        axis.plot(rule["along"]["distance"], color=colour, label=f"{name}, rate {rule['rate']:.2g}")
    axis.set_yscale("log")
    axis.set_xlabel("steps")
    axis.set_ylabel(f"distance (median of {numbers['runs']} starts)")
    axis.set_title("The way to the optimum")
    axis.legend()


def _angles(axis: Axes, numbers: dict[str, Any]) -> None:
    for i, (rule, colour) in enumerate(zip(numbers["rules"].values(), COLOURS, strict=False)):
        for j, where in enumerate(("along", "across")):
            low, high = rule[where]["off_degrees_quartiles"]
            middle = rule[where]["off_degrees"]
            axis.bar(i + 0.4 * j - 0.2, middle, 0.36, color=colour, alpha=1 - 0.55 * j)
            axis.errorbar(i + 0.4 * j - 0.2, middle, [[middle - low], [high - middle]], color="black", lw=1, capsize=3)
    axis.set_xticks(
        [i + x for i in range(len(RULES)) for x in (-0.2, 0, 0.2)],
        labels=[text for name in RULES for text in ("along", f"\n{name}", "across")],
    )
    axis.tick_params("x", length=0)
    axis.grid(visible=False, axis="x")
    axis.set_ylabel("degrees (median, quartiles)")
    axis.set_title(f"Off the way in {OFF} steps: valley along or across the axes")
