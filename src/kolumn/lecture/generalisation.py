"""Problems with more unknowns than data, where it depends on the optimizer which of the many solutions is found."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor

from ..optim import Optimizer
from .mri_linear import one_thread
from .result import Result
from .style import COLOURS, canvas

RULES: dict[str, tuple[str, dict[str, Any]]] = {"SGD": ("sgd", {"momentum": 0.9}), "Adam": ("adam", {})}
POINTS, UNKNOWNS, TEST = 100, 200, 4000  # of the linear problems; Wilson's has 3 + 5 unknowns a point
BATCHES = (100, 75, 50, 25, 10)  # the first is all points
SEEDS, STEPS = 5, 1000
POSITIVE = 0.6  # how probable the label +1 is
WORSE = 0.1  # of all test points


class Task(NamedTuple):
    """Data to learn from (n, d) with labels +1 and -1, those to test with, and the slope of the loss in the output."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor
    slope: Callable[[Tensor, Tensor], Tensor]
    rates: dict[str, float]


def run() -> Result:
    """Train on the construction of Wilson et al. with batches of several sizes, and on three linear problems."""
    with one_thread():  # which is faster for so little data
        numbers = measure(POINTS, UNKNOWNS, TEST, STEPS, SEEDS)
    return Result(numbers, verdict(numbers), words(numbers), draw(numbers))


def wilson(n: int, test: int, generator: Generator) -> Task:
    """The label, 1, 1, and a few features that no other point has: 1 of them where the label is +1, 5 where it is -1.

    The first feature tells all, and the weight vector of least norm relies on it. Least squares. The features that
    only one point has say nothing about new points, whose own have never been seen and have weight 0.

    Reference: The marginal value of adaptive gradient methods in machine learning, Wilson et al., 2017,
    arXiv:1705.08292, section 3.3.
    """
    y, test_y = (2.0 * (torch.rand(k, generator=generator) < POSITIVE).double() - 1 for k in (n, test))
    x, test_x = torch.zeros(n, 3 + 5 * n, dtype=torch.float64), torch.zeros(test, 3 + 5 * n, dtype=torch.float64)
    for features, labels in ((x, y), (test_x, test_y)):
        features[:, 0], features[:, 1:3] = labels, 1
    for i in range(n):
        x[i, 3 + 5 * i : (4 if y[i] > 0 else 8) + 5 * i] = 1
    return Task(x, y, test_x, test_y, lambda output, label: output - label, {"SGD": 0.1, "Adam": 0.01})


def linear(truth: Tensor, n: int, test: int, generator: Generator) -> Task:
    """Labels sign(<truth, x>) of normal x, logistic regression."""
    x = torch.randn(n + test, len(truth), dtype=torch.float64, generator=generator)
    y = (x @ truth).sign()

    def slope(output: Tensor, label: Tensor) -> Tensor:
        return -label * torch.sigmoid(-label * output)

    return Task(x[:n], y[:n], x[n:], y[n:], slope, {"SGD": 1.0, "Adam": 0.01})


def truths(d: int, generator: Generator) -> dict[str, Tensor]:
    """What labels depend on: five features, all at random, all alike."""
    few = torch.zeros(d, dtype=torch.float64)
    few[:5] = 1
    normal = torch.randn(d, dtype=torch.float64, generator=generator)
    return {"5 features": few, "all, normal weights": normal, "all, weights +1 or -1": normal.sign()}


def errors(task: Task, name: str, batch: int, steps: int, generator: Generator) -> dict[str, float]:
    """Train from 0 on batches drawn at random; the fractions of points that are then on the wrong side."""
    rule, options = RULES[name]
    w = torch.nn.Parameter(torch.zeros(task.x.shape[1], dtype=torch.float64))
    optimizer = Optimizer([w], rule, lr=task.rates[name], **options)
    for _ in range(steps):
        x, y = task.x, task.y
        if batch < len(y):
            drawn = torch.randperm(len(y), generator=generator)[:batch]
            x, y = x[drawn], y[drawn]
        w.grad = task.slope(x @ w.detach(), y) @ x / len(y)
        optimizer.step()
    wrong = [(x @ w.detach()).sign() != y for x, y in ((task.x, task.y), (task.test_x, task.test_y))]
    return {"train": float(wrong[0].double().mean()), "test": float(wrong[1].double().mean())}


def measure(n: int, d: int, test: int, steps: int, seeds: int) -> dict[str, Any]:
    """Errors of training and test of both rules on every problem, for each seed."""
    numbers: dict[str, Any] = {"points": n, "seeds": seeds, "steps": steps, "wilson": {}, "linear": {}}
    batches = [b * n // BATCHES[0] for b in BATCHES]
    for seed in range(seeds):
        generator = Generator().manual_seed(seed)
        task = wilson(n, test, generator)
        for batch in batches:
            _add(numbers["wilson"], f"batch_{batch}", task, batch, steps, generator)
        for kind, truth in truths(d, generator).items():
            _add(numbers["linear"], kind, linear(truth, n, test, generator), n, steps, generator)
    return numbers


def _add(found: dict[str, Any], key: str, task: Task, batch: int, steps: int, generator: Generator) -> None:
    for name in RULES:
        for part, error in errors(task, name, batch, steps, generator).items():
            found.setdefault(key, {}).setdefault(name, {}).setdefault(f"{part}_error", []).append(error)


def verdict(numbers: dict[str, Any]) -> bool:
    """With all of Wilson's points at once both rules fit, and Adam's test error is larger by a tenth for every seed."""
    by = numbers["wilson"][f"batch_{numbers['points']}"]
    fits = max(max(by[name]["train_error"]) for name in RULES) == 0
    return fits and min(a - s for a, s in zip(by["Adam"]["test_error"], by["SGD"]["test_error"], strict=True)) > WORSE


def words(numbers: dict[str, Any]) -> str:
    """What came out."""

    def test(problem: dict[str, Any], name: str) -> float:
        return statistics.median(problem[name]["test_error"])

    whole = numbers["wilson"][f"batch_{numbers['points']}"]
    size, small = min((int(key.removeprefix("batch_")), found) for key, found in numbers["wilson"].items())
    lines = numbers["linear"]
    rest = ", ".join(f"{test(p, 'Adam'):.0%} against {test(p, 'SGD'):.0%} ({kind})" for kind, p in lines.items())
    return (
        f"On the construction of Wilson et al., with all {numbers['points']} points in every step, both fit the "
        f"training data; of new points Adam has {test(whole, 'Adam'):.0%} wrong and SGD {test(whole, 'SGD'):.0%} "
        f"(medians of {numbers['seeds']} seeds). It takes the whole gradient: in batches of {size} Adam has "
        f"{test(small, 'Adam'):.0%} wrong. It depends on the problem, too: for labels that depend linearly on normal "
        f"features Adam has {rest}. Asked for were {WORSE:.0%} more wrong with every seed, on the construction."
    )


def draw(numbers: dict[str, Any]) -> Figure:
    """Test errors against the size of the batch, and on the linear problems."""
    figure = canvas(11.5, 4.8, "Both fit the training data; how Adam then does on new data depends on the problem")
    left, right = figure.subplots(1, 2)
    batches = [int(key.removeprefix("batch_")) for key in numbers["wilson"]]
    _columns(left, numbers["wilson"], [str(b) if b < numbers["points"] else f"all {b}" for b in batches])
    left.set_xlabel("points in each step")
    left.set_title("The construction of Wilson et al., against Adam")
    _columns(right, numbers["linear"], [kind.replace(", ", ",\n") for kind in numbers["linear"]])
    right.set_xlabel("what the label depends on")
    right.set_title("A line between two classes, all points in each step")
    return figure


def _columns(axis: Axes, problems: dict[str, Any], labels: list[str]) -> None:
    for j, (name, colour) in enumerate(zip(RULES, COLOURS, strict=False)):
        for i, problem in enumerate(problems.values()):
            values = [100 * e for e in problem[name]["test_error"]]
            place = i + 0.3 * j - 0.15
            spread = [place + 0.06 * (k / max(1, len(values) - 1) - 0.5) for k in range(len(values))]
            axis.plot(spread, values, "o", color=colour, ms=4, alpha=0.75, label=name if i == 0 else None)
            axis.plot([place - 0.11, place + 0.11], 2 * [statistics.median(values)], color=colour, lw=2.5)
    axis.set_xticks(range(len(labels)), labels=labels)
    axis.set_ylim(-2, 55)
    axis.axhline(50, color="#a0a0a0", lw=1, ls=":")
    axis.annotate(
        "guessing", (1, 50), (0, 3), xycoords=("axes fraction", "data"), textcoords="offset points", ha="right"
    )
    axis.set_ylabel("wrong on new data, %")
    axis.legend(
        title="all fit the training data" if _all_fit(problems) else None, loc="center left", bbox_to_anchor=(0, 0.3)
    )
    axis.grid(visible=False, axis="x")


def _all_fit(problems: dict[str, Any]) -> bool:
    return max(e for p in problems.values() for name in RULES for e in p[name]["train_error"]) == 0
