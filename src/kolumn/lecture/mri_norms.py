"""The same U-Net trained with each normalisation layer and with none, and by SGD, RMSprop and Adam."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator

from ..metrics import psnr
from ..nn import NORMS, UNet
from ..optim import Optimizer
from ..train import Sample
from ..train.loss import relative_error
from ..train.masks import RandomMasks
from ..train.simulated import Simulated
from .result import Result
from .style import COLOURS, canvas

SIDE, ACCELERATION, CENTER, SNR = 64, 4.0, 0.08, 50.0
CHANNELS, LEVELS = 16, 3
STEPS, BATCH, TEST, SEEDS = 100, 4, 8, 3  # TEST: batches of new scans
RATES = {"sgd": (0.03, 0.1, 0.3), "rmsprop": (1e-4, 3e-4, 1e-3), "adam": (1e-3, 3e-3, 1e-2)}
OPTIONS: dict[str, dict[str, float]] = {"sgd": {"momentum": 0.9}, "rmsprop": {}, "adam": {}}
RULES = {"sgd": "SGD", "rmsprop": "RMSprop", "adam": "Adam"}
PAIRS = [(norm, "adam") for norm in NORMS] + [(norm, rule) for rule in ("rmsprop", "sgd") for norm in ("group", "none")]
DIVERGED = 10.0  # a relative error from which on training is given up; what is not a number counts as this, too
SMOOTH = 15  # steps, over which losses are averaged where they are drawn or compared


class Data(NamedTuple):
    """Batches of scans, each a step of training; the loss of the linear map on each; and batches to test with."""

    train: list[Sample]
    linear: list[float]
    test: list[Sample]


class End(NamedTuple):
    """Where a training led: the loss of each batch before its step, over that of the linear map; and final scores.

    The scores are the mean loss and the mean PSNR (dB) of the scans to test with.
    """

    losses: list[float]
    loss: float
    psnr_db: float


def run() -> Result:
    """Train each pair of a layer and a rule at each rate, and from more starts at its best one."""
    numbers, curves = measure(scans(SIDE, STEPS, TEST), PAIRS, RATES, SEEDS, (CHANNELS, LEVELS))
    return Result(numbers, verdict(numbers), words(numbers), draw(numbers, curves))


def scans(side: int, steps: int, test: int) -> Data:
    """Simulated scans of a single coil, undersampled by random columns; no image is shown or tested with twice."""
    masks = RandomMasks((ACCELERATION, ACCELERATION), (CENTER, CENTER), planes=0.0, kinds={"random": 1.0})
    source = Simulated(
        batch_size=BATCH,
        sizes=(side,),
        coils={1: 1.0},
        masks=masks,
        snr=(SNR, SNR),
        estimated=0.0,
        known=1.0,
        fat=0.0,
        ripples=0.0,
    )
    batches = [source[i] for i in range(steps + test)]
    linear = network((1, 1), "none", 0).eval()  # an untrained network gives back what it is given
    return Data(batches[:steps], [score(linear, [batch])[0] for batch in batches[:steps]], batches[steps:])


def measure(
    data: Data,
    pairs: Sequence[tuple[str, str]],
    rates: Mapping[str, Sequence[float]],
    seeds: int,
    size: tuple[int, int],
) -> tuple[dict[str, Any], dict[str, list[float]]]:
    """Train each pair (layer, rule): its best rate is that of the least loss in training; then from more starts.

    A seed is that of the first weights and of the order of the scans. The scans to test with choose nothing.
    """
    numbers: dict[str, Any] = {
        "steps": len(data.train),
        "scans_in_a_step": len(data.train[0].target),
        "scans_to_test_with": sum(len(sample.target) for sample in data.test),
        "seeds": seeds,
        "linear_map": dict(zip(("loss", "psnr_db"), score(network(size, "none", 0).eval(), data.test), strict=True)),
        "pairs": {},
    }
    curves: dict[str, list[float]] = {}
    for norm, rule in pairs:
        first = {rate: train(network(size, norm, 0), data, rule, rate, 0) for rate in rates[rule]}
        tried = {rate: late(end.losses) for rate, end in first.items()}
        best = min(tried, key=lambda rate: tried[rate])
        more = [train(network(size, norm, seed), data, rule, best, seed) for seed in range(1, seeds)]
        ends = [first[best], *more]
        numbers["pairs"][name_of(norm, rule)] = {
            "rates": list(tried),
            "training_loss_over_linear_map": list(tried.values()),
            "best_rate": best,
            "loss": [end.loss for end in ends],
            "psnr_db": [end.psnr_db for end in ends],
        }
        curves[name_of(norm, rule)] = mean_of([end.losses for end in ends])
    return numbers, curves


def network(size: tuple[int, int], norm: str, seed: int) -> UNet:
    """A U-Net of (channels, levels); its weights come from the seed, and the global random state stays as it is."""
    with torch.random.fork_rng(devices=[]):
        return UNet(*size, norm, seed=seed)


def train(net: UNet, data: Data, rule: str, rate: float, seed: int) -> End:
    """One pass over the scans, at a rate that falls to 0 along half a cosine; it ends where it diverges."""
    optimizer = Optimizer(net.parameters(), rule, lr=rate, **OPTIONS[rule])
    order = torch.randperm(len(data.train), generator=Generator().manual_seed(seed)).tolist()
    losses: list[float] = []
    for step, i in enumerate(order):
        optimizer.param_groups[0]["lr"] = rate * 0.5 * (1 + math.cos(math.pi * step / len(order)))
        loss = relative_error(net(data.train[i].acquisition), data.train[i].target)
        value = float(loss.detach())
        if not value < DIVERGED:
            return End([*losses, DIVERGED], DIVERGED, 0.0)
        losses.append(value / data.linear[i])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return End(losses, *score(net.eval(), data.test))


@torch.no_grad()
def score(net: UNet, test: Iterable[Sample]) -> tuple[float, float]:
    """The mean loss, and the mean PSNR (dB) of the magnitudes; DIVERGED and 0 where they are no numbers."""
    losses, ratios = [], []
    for sample in test:
        image = net(sample.acquisition)
        losses.append(float(relative_error(image, sample.target)))
        if not losses[-1] < DIVERGED:
            return DIVERGED, 0.0
        ratios += [psnr(t.abs(), x.abs()) for t, x in zip(sample.target, image, strict=True)]
    return statistics.fmean(losses), statistics.fmean(ratios)


def name_of(norm: str, rule: str) -> str:
    """The name of a pair: "group norm, Adam"."""
    return f"{'no layer' if norm == 'none' else f'{norm} norm'}, {RULES[rule]}"


def late(losses: Sequence[float]) -> float:
    """The mean of the last steps; DIVERGED where training was given up."""
    return DIVERGED if losses[-1] >= DIVERGED else statistics.fmean(losses[-SMOOTH:])


def mean_of(runs: Sequence[Sequence[float]]) -> list[float]:
    """The mean over the runs at each step, as far as all of them came."""
    return [statistics.fmean(of) for of in zip(*runs, strict=False)]


def beats(numbers: dict[str, Any], one: str, other: str) -> bool:
    """Whether one pair has the lower loss on new scans from every start."""
    losses = (numbers["pairs"][pair]["loss"] for pair in (one, other))
    return all(a < b for a, b in zip(*losses, strict=True))


def holds(numbers: dict[str, Any]) -> dict[str, bool]:
    """Each part of the claim: every layer against none, by Adam; Adam against SGD, with group norm and without."""
    layers = [norm for norm in NORMS if norm != "none"]
    none = name_of("none", "adam")
    parts = {f"{norm} norm beats no layer": beats(numbers, name_of(norm, "adam"), none) for norm in layers}
    for norm in ("group", "none"):
        adam, sgd = name_of(norm, "adam"), name_of(norm, "sgd")
        parts[f"{adam} beats SGD"] = beats(numbers, adam, sgd)
    return parts


def verdict(numbers: dict[str, Any]) -> bool:
    """Every part of the claim holds from every start."""
    return all(holds(numbers).values())


def words(numbers: dict[str, Any]) -> str:
    """What came out."""
    mid = {pair: statistics.median(found["psnr_db"]) for pair, found in numbers["pairs"].items()}
    by_adam = [name_of(norm, "adam") for norm in NORMS]
    layers = ", ".join(f"{pair.split(',')[0]} {mid[pair]:.1f}" for pair in sorted(by_adam, key=lambda p: -mid[p]))
    rules = " and ".join(
        f"{name_of(norm, 'adam').split(',')[0]} "
        + ", ".join(f"{RULES[rule]} {mid[name_of(norm, rule)]:.1f}" for rule in reversed(RULES))
        for norm in ("group", "none")
    )
    failed = [part for part, held in holds(numbers).items() if not held]
    answer = f"Not from every start: {'; '.join(failed)}." if failed else "Each comparison holds from every start."
    return (
        f"After {numbers['steps']} steps, each pair at its best rate, the PSNR of new scans is "
        f"{numbers['linear_map']['psnr_db']:.1f} dB for the linear map; by Adam: {layers}; with {rules} (medians of "
        f"{numbers['seeds']} starts). {answer}{_edges(numbers)}"
    )


def _edges(numbers: dict[str, Any]) -> str:
    """Where a rate beyond those that were tried might have been better still."""
    pairs = numbers["pairs"].items()
    ends = [pair for pair, found in pairs if found["best_rate"] in (min(found["rates"]), max(found["rates"]))]
    return f" The best rate is the least or the largest that was tried for: {'; '.join(ends)}." if ends else ""


def draw(numbers: dict[str, Any], curves: dict[str, list[float]]) -> Figure:
    """Losses step by step, scores, and the loss against the rate."""
    figure = canvas(11, 8, "The same U-Net on the same scans: it matters what normalises and which rule steps")
    (layers, rules), (scores, sweep) = figure.subplots(2, 2)
    by_adam = [name_of(norm, "adam") for norm in NORMS]
    by_rule = [name_of(norm, rule) for rule in RULES for norm in ("group", "none")]
    _losses(layers, {pair: curves[pair] for pair in by_adam}, "Each layer, and none, by Adam")
    _losses(rules, {pair: curves[pair] for pair in by_rule}, "Each rule, with group norm and with no layer")
    _scores(scores, numbers)
    _sweep(sweep, numbers)
    return figure


def look(pair: str) -> dict[str, Any]:
    """Colour and dashes of a pair: colours are layers where Adam steps, and else rules; dashes are no layer."""
    norm, rule = pair.split(", ")
    norms = [name_of(n, "adam").split(", ")[0] for n in NORMS]
    colour = norms.index(norm) if rule == RULES["adam"] else len(NORMS) + ("RMSprop", "SGD").index(rule)
    return {"color": COLOURS[colour], "ls": "--" if norm == norms[-1] else "-"}


def _losses(axis: Axes, curves: dict[str, list[float]], title: str) -> None:
    for pair, losses in curves.items():
        smooth = [statistics.fmean(losses[max(0, i - SMOOTH + 1) : i + 1]) for i in range(len(losses))]
        axis.plot(range(1, len(smooth) + 1), smooth, label=pair, **look(pair))
    axis.set_xlabel("steps")
    axis.set_ylabel(f"training loss over that of the linear map\n(mean of {SMOOTH} steps)")
    axis.set_title(title)
    axis.legend(fontsize=8)


def _scores(axis: Axes, numbers: dict[str, Any]) -> None:
    for i, (pair, found) in enumerate(numbers["pairs"].items()):
        axis.plot(found["psnr_db"], [i] * len(found["psnr_db"]), "o", color=look(pair)["color"], ms=6, alpha=0.8)
    linear = numbers["linear_map"]["psnr_db"]
    axis.axvline(linear, color=COLOURS[6], lw=1, ls=":")
    axis.annotate("linear map", (linear, -0.6), (3, 0), textcoords="offset points", va="center", fontsize=8)
    axis.set_yticks(range(len(numbers["pairs"])), labels=list(numbers["pairs"]))
    axis.set_ylim(len(numbers["pairs"]) - 0.5, -1)
    axis.set_xlabel("PSNR of new scans, dB")
    axis.set_title(f"Scores (each of {numbers['seeds']} starts a dot)")


def _sweep(axis: Axes, numbers: dict[str, Any]) -> None:
    for pair, found in numbers["pairs"].items():
        good = [
            (r, v) for r, v in zip(found["rates"], found["training_loss_over_linear_map"], strict=True) if v < DIVERGED
        ]
        axis.plot(*zip(*good, strict=True), "o", ms=4, label=pair, **look(pair)) if good else None
    axis.set_xscale("log")
    axis.set_xlabel("learning rate at the start")
    axis.set_ylabel(f"training loss over that of the linear map\n(last {SMOOTH} steps)")
    axis.set_title("How the rates were chosen (colours as in the scores)")
