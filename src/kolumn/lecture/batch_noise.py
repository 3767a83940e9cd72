"""The noise in the statistics of a batch, what it does to training, and what the size of the batch does."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor, nn
from torch.nn import functional

from ..nn import BatchNorm, GroupNorm
from ..optim import Optimizer
from .result import Result
from .stripes import CHANCE, SIDE, WIDTH, Images, network, stripes
from .style import COLOURS, canvas

NORMS: dict[str, Callable[[int], nn.Module]] = {"batch": BatchNorm, "group": lambda n: GroupNorm(n, group_size=4)}
MATES, DRAWS = (2, 4, 8, 16, 32, 64, 128), 30  # sizes of batches, and batches of each
FEW, TEST, HARD = 64, 1024, 1.0  # pictures to learn from, to test with, and their noise
WRONG = 0.3  # of the labels, which a network can only learn by heart
DEPTH, STEPS, SEEDS, SMALL, RATE = 5, 400, 5, 8, 0.1  # of the trial whether noise regularises
SIZES, SIZE_STEPS, STARTS = (2, 4, 8, 16, 32), 150, 3  # of the trial of batch sizes
EXACT = 1e-5


def run() -> Result:
    """Measure the noise, train with it and without it, and train with batches of several sizes."""
    numbers = {
        "noise": noise(MATES, DRAWS, Generator().manual_seed(0)),
        "right_labels": regularises(FEW, TEST, 0.0, DEPTH, STEPS, SEEDS),
        "wrong_labels": regularises(FEW, TEST, WRONG, DEPTH, STEPS, SEEDS),
        "sizes": sizes(SIZES, SIZE_STEPS, TEST, DEPTH, STARTS),
    }
    return Result(numbers, verdict(numbers), words(numbers), draw(numbers))


def noise(mates: Sequence[int], draws: int, generator: Generator) -> dict[str, Any]:
    """How much the output for a picture changes with the others of its batch: standard deviation over draws, of 1."""
    pictures = stripes(512, SIDE, HARD, generator).x
    x = functional.conv2d(pictures, torch.randn(WIDTH, 1, 3, 3, generator=generator), padding=1)
    found: dict[str, Any] = {"batch_size": list(mates), "draws": draws, "output_noise": {}}
    for name, make in NORMS.items():
        layer = make(WIDTH)
        found["output_noise"][name] = []
        for size in mates:
            outputs = []
            for _ in range(draws):
                others = 1 + torch.randperm(len(x) - 1, generator=generator)[: size - 1]
                outputs.append(layer(torch.cat([x[:1], x[others]])).detach()[0])
            found["output_noise"][name].append(float(torch.stack(outputs).var(0).mean().sqrt()))
    return found


def regularises(few: int, test: int, wrong: float, depth: int, steps: int, seeds: int) -> dict[str, Any]:
    """Train on few pictures with batch norm: statistics of a small batch, or of all pictures, which have no noise.

    Everything else is the same: the pictures in each step, the start, and the rate. The labels of the test are right.
    """
    found: dict[str, Any] = {
        "pictures": few,
        "wrong_labels": wrong,
        "batch_size": SMALL,
        "steps": steps,
        "seeds": seeds,
    }
    for kind, exact in (("of the batch", False), ("of all pictures", True)):
        found[kind] = {"train_loss": [], "test_loss": [], "test_error": []}
        for seed in range(seeds):
            generator = Generator().manual_seed(seed)
            data, new = stripes(few, SIDE, HARD, generator, wrong), stripes(test, SIDE, HARD, generator)
            net = network(depth, WIDTH, BatchNorm, generator)
            fit(net, data, RATE, steps, SMALL, generator, exact)
            settle(net, data)
            loss, _ = score(net, data)
            new_loss, new_error = score(net, new)
            for key, value in (("train_loss", loss), ("test_loss", new_loss), ("test_error", new_error)):
                found[kind][key].append(value)
    return found


def sizes(batches: Sequence[int], steps: int, test: int, depth: int, seeds: int) -> dict[str, Any]:
    """Test errors of batch and group norm after training on fresh pictures in batches of several sizes."""
    found: dict[str, Any] = {"batch_size": list(batches), "steps": steps, "seeds": seeds, "test_error": {}}
    for name, make in NORMS.items():
        found["test_error"][name] = [[] for _ in batches]
        for seed in range(seeds):
            for i, size in enumerate(batches):
                generator = Generator().manual_seed(seed)
                new, data = (stripes(n, SIDE, HARD / 2, generator) for n in (test, steps * size))
                net = network(depth, WIDTH, make, generator)
                fit(net, data, RATE, steps, size, generator)
                found["test_error"][name][i].append(score(net, new)[1])
    return found


def fit(
    net: nn.Module, data: Images, rate: float, steps: int, size: int, generator: Generator, exact: bool = False
) -> None:
    """SGD; with ``exact`` the other pictures run along, and count in the statistics but not in the loss."""
    optimizer = Optimizer(net.parameters(), "sgd", lr=rate)
    for _ in range(steps):
        order = torch.randperm(len(data.label), generator=generator)
        drawn = order if exact else order[:size]
        loss = functional.cross_entropy(net(data.x[drawn])[:size], data.label[order[:size]])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()


@torch.no_grad()
def settle(net: nn.Module, data: Images) -> None:
    """Let running statistics become those of all pictures, for a fair test."""
    for layer in net.modules():
        if isinstance(layer, BatchNorm):
            layer.reset_running_stats()
            layer.momentum = None
    net.train()(data.x)


@torch.no_grad()
def score(net: nn.Module, data: Images) -> tuple[float, float]:
    """Loss, and fraction of wrong answers, in evaluation."""
    output: Tensor = net.eval()(data.x)
    return float(functional.cross_entropy(output, data.label)), float((output.argmax(1) != data.label).float().mean())


def helped(trial: dict[str, Any]) -> float:
    """The fraction of starts for which the test loss is lower with noise than without."""
    pairs = list(zip(trial["of the batch"]["test_loss"], trial["of all pictures"]["test_loss"], strict=True))
    return sum(noisy < exact for noisy, exact in pairs) / len(pairs)


def change(numbers: dict[str, Any], name: str) -> float:
    """The test error with the smallest batch less that with the largest, medians."""
    of = numbers["sizes"]["test_error"][name]
    return statistics.median(of[0]) - statistics.median(of[-1])


def holds(numbers: dict[str, Any]) -> dict[str, bool]:
    """Which parts of the claim do."""
    noise = numbers["noise"]["output_noise"]
    return {
        "batch statistics are noisy": noise["batch"][0] > 3 * noise["batch"][-1] > 3 * EXACT,
        "noise regularises": helped(numbers["wrong_labels"]) == 1,
        "group norm is independent": max(noise["group"]) < EXACT,
        "group norm suffers less from small batches": change(numbers, "group") < change(numbers, "batch"),
    }


def verdict(numbers: dict[str, Any]) -> bool:
    """All parts of the claim; noise regularises if it lowers the test loss from every start, where labels are wrong."""
    return all(holds(numbers).values())


def words(numbers: dict[str, Any]) -> str:
    """What came out."""
    noise, by_size = numbers["noise"], numbers["sizes"]
    batch = noise["output_noise"]["batch"]
    error = {name: [statistics.median(of) for of in errors] for name, errors in by_size["test_error"].items()}
    return (
        f"With batch norm the output for a picture varies with its batch by {batch[0]:.0%} (batches of "
        f"{noise['batch_size'][0]}) to {batch[-1]:.1%} ({noise['batch_size'][-1]}), with group norm by "
        f"{max(noise['output_noise']['group']):.0e}. {_trial(numbers['wrong_labels'])}. "
        f"{_trial(numbers['right_labels'])}. From batches of {by_size['batch_size'][-1]} to "
        f"{by_size['batch_size'][0]} the test error goes from {error['batch'][-1]:.1%} to {error['batch'][0]:.1%} with "
        f"batch norm and from {error['group'][-1]:.1%} to {error['group'][0]:.1%} with group norm. {_answer(numbers)}"
    )


def _answer(numbers: dict[str, Any]) -> str:
    failed = [part for part, held in holds(numbers).items() if not held]
    asked = "Noise counts as regularising where it helps from every start, with wrong labels"
    return f"{asked}; what does not hold: {'; '.join(failed) or 'nothing'}."


def _trial(trial: dict[str, Any]) -> str:
    noisy, exact = (statistics.median(trial[kind]["test_loss"]) for kind in ("of the batch", "of all pictures"))
    return (
        f"With {trial['wrong_labels']:.0%} wrong labels noisy statistics gave a lower test loss than exact ones for "
        f"{helped(trial):.0%} of {trial['seeds']} starts (medians {noisy:.2f} and {exact:.2f})"
    )


def draw(numbers: dict[str, Any]) -> Figure:
    """The noise against the size, the losses with and without it, and the errors against the size."""
    figure = canvas(11, 7, "Batch norm depends on the company a picture is in; group norm does not")
    (noisy, sizes), trials = figure.subplots(2, 2)
    _noise(noisy, numbers["noise"])
    _sizes(sizes, numbers["sizes"])
    for axis, key in zip(trials, ("wrong_labels", "right_labels"), strict=True):
        _losses(axis, numbers[key])
    trials[1].sharey(trials[0])
    trials[1].legend(loc="center")
    return figure


def _noise(axis: Axes, found: dict[str, Any]) -> None:
    sizes = found["batch_size"]
    for (name, values), colour in zip(found["output_noise"].items(), COLOURS, strict=False):
        axis.plot(sizes, [max(v, 1e-8) for v in values], "o-", ms=4, color=colour, label=f"{name} norm")
    law = [found["output_noise"]["batch"][2] * (sizes[2] / n) ** 0.5 for n in sizes]
    axis.plot(sizes, law, ":", color=COLOURS[6], label=r"$1/\sqrt{\mathrm{batch\ size}}$")
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_xlabel("batch size (1e-8: none at all)")
    axis.set_ylabel("standard deviation of the output\nfor one picture, over batches")
    axis.set_title("The output is noisy")
    axis.legend()


def _losses(axis: Axes, found: dict[str, Any]) -> None:
    kinds = ("of the batch", "of all pictures")
    for i, (key, colour) in enumerate((("train_loss", COLOURS[0]), ("test_loss", COLOURS[1]))):
        for seed in range(found["seeds"]):
            values = [found[kind][key][seed] for kind in kinds]
            label = {"train_loss": "pictures trained on", "test_loss": "new pictures"}[key] if not seed else None
            axis.plot([0 + 0.02 * i, 1 + 0.02 * i], values, "o-", ms=4, lw=0.8, color=colour, label=label)
    axis.axhline(CHANCE, color=COLOURS[6], lw=1, ls=":")
    axis.annotate("chance", (1.1, CHANCE), (0, 3), textcoords="offset points")
    axis.set_xlim(-0.3, 1.4)
    axis.set_xticks([0, 1], labels=["statistics of the batch:\nnoisy", "of all pictures:\nexact"])
    axis.set_ylabel(f"loss after {found['steps']} steps")
    axis.set_title(f"Does noise regularise? {found['pictures']} pictures, {found['wrong_labels']:.0%} wrong labels")


def _sizes(axis: Axes, found: dict[str, Any]) -> None:
    for (name, errors), colour in zip(found["test_error"].items(), COLOURS, strict=False):
        low, mid, high = ([100 * f(of) for of in errors] for f in (min, statistics.median, max))
        axis.plot(found["batch_size"], mid, "o-", ms=4, color=colour, label=f"{name} norm")
        axis.fill_between(found["batch_size"], low, high, color=colour, alpha=0.15, lw=0)
    axis.set_xscale("log", base=2)
    axis.set_ylim(0, None)
    axis.set_xlabel("batch size in training")
    axis.set_ylabel(f"test error, % (median, range of {found['seeds']})")
    axis.set_title(f"{found['steps']} steps with batches of each size")
    axis.legend()
