"""What normalisation layers make of features of head images: their means, their ranges, and what is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor, nn
from torch.nn import functional

from ..nn import BatchNorm, GroupNorm, InstanceNorm, LayerNorm
from ..phantoms import anatomy
from .result import Result
from .style import COLOURS, canvas

SHAPE, CHANNELS, GROUP = (64, 56), 8, 4
BRIGHTNESS = (0.5, 1.0, 2.0, 4.0)  # of the images in a batch
RANGES = (1e-3, 1.0, 1e3)  # standard deviations to reach, and means, of either sign
SPREADS = (0.0, 0.1, 0.2, 0.4, 0.7, 1.0)  # standard deviation of the logarithm of the brightness
FAINT = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)  # standard deviation of an input
EPS = 1e-5  # the default of the layers
SAME = 1e-3  # what does not count
# curves that lie on one another: each smaller than the one before
LOOKS: list[dict[str, Any]] = [
    {"color": COLOURS[i], "marker": "o", "ms": size, "lw": width, "mew": 0}
    for i, (size, width) in enumerate(((5, 1.8), (12, 6), (8, 3.5), (4, 1.2)))
]

# name -> the layer with or without a and b, and the axes of (image, group, channel, y, x) that one set runs along
Make = Callable[[bool], nn.Module]
LAYERS: dict[str, tuple[Make, tuple[int, ...]]] = {
    "batch": (lambda affine: BatchNorm(CHANNELS, affine=affine), (0, 3, 4)),
    "layer": (lambda affine: LayerNorm(CHANNELS, affine=affine), (1, 2, 3, 4)),
    "instance": (lambda affine: InstanceNorm(CHANNELS, affine=affine), (3, 4)),
    "group": (lambda affine: GroupNorm(CHANNELS, GROUP, affine=affine), (2, 3, 4)),
}


def run() -> Result:
    """Normalise features of heads of unequal brightness, reach for ranges with a and b, and try to undo it."""
    numbers = measure(SHAPE, Generator().manual_seed(0))
    return Result(numbers, verdict(numbers), words(numbers), draw(numbers))


def measure(shape: tuple[int, int], generator: Generator) -> dict[str, Any]:
    """What each layer does to the same images."""
    brightness = torch.tensor(BRIGHTNESS, dtype=torch.float64).reshape(-1, 1, 1, 1)
    x = features(shape, len(BRIGHTNESS), generator) * brightness
    alike = made_alike(features(shape, 8, generator))
    log_brightness = torch.randn(8, 1, 1, 1, dtype=torch.float64, generator=generator)
    return {
        "brightness": list(BRIGHTNESS),
        "input": by_image(x),
        "ranges": list(RANGES),
        "spread_of_log_brightness": list(SPREADS),
        "input_std": list(FAINT),
        "layers": {
            name: {
                "output": by_image(layer(make, False)(x)),
                **deviation(layer(make, False)(x), dim, 0, 1),
                "range_deviation": ranges(make, dim, x),
                "undo_error": [undo_error(layer(make, False), alike * (s * log_brightness).exp()) for s in SPREADS],
                "output_std": [float(layer(make, False)(std * alike / alike.std()).std()) for std in FAINT],
            }
            for name, (make, dim) in LAYERS.items()
        },
    }


def features(shape: tuple[int, int], n: int, generator: Generator) -> Tensor:
    """Random 3 x 3 convolutions of heads, double (n, CHANNELS, y, x)."""
    heads = torch.stack([anatomy(shape, generator) for _ in range(n)])[:, None].double()
    kernel = torch.randn(CHANNELS, 1, 3, 3, dtype=torch.float64, generator=generator)
    return functional.conv2d(heads, kernel, padding=1)


def made_alike(x: Tensor) -> Tensor:
    """All channels of all images with the mean and the standard deviation of the first image's first channel."""
    xhat = (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), correction=0, keepdim=True)
    return xhat * x[0, 0].std(correction=0) + x[0, 0].mean()


def layer(make: Make, affine: bool) -> nn.Module:
    """A new one, in double precision."""
    return make(affine).double()


def by_image(x: Tensor) -> dict[str, list[list[float]]]:
    """Mean and standard deviation of each channel (inner list) of each image."""
    return {"mean": x.mean((2, 3)).tolist(), "std": x.std((2, 3), correction=0).tolist()}


def deviation(y: Tensor, dim: tuple[int, ...], mean: float, std: float) -> dict[str, float]:
    """How far the sets are from a mean and a standard deviation, at most, in units of the latter."""
    sets = y.detach().reshape(len(y), -1, GROUP, *y.shape[2:])
    return {
        "mean_deviation": float((sets.mean(dim) - mean).abs().max() / std),
        "std_deviation": float((sets.std(dim, correction=0) / std - 1).abs().max()),
    }


def ranges(make: Make, dim: tuple[int, ...], x: Tensor) -> float:
    """The largest deviation from the ranges that a = standard deviation and b = mean are to give."""
    most = 0.0
    for std in RANGES:
        for mean in (0.0, *RANGES, *(-m for m in RANGES)):
            norm = layer(make, True)
            for name, value in (("weight", std), ("bias", mean)):
                nn.init.constant_(norm.get_parameter(name), value)
            most = max(most, *deviation(norm(x), dim, mean, std).values())
    return most


def undo_error(norm: nn.Module, x: Tensor) -> float:
    """Relative error of the a and b of each channel that give x back best: least squares over all images."""
    xhat, dim = norm(x), (0, 2, 3)
    u, v = (t - t.mean(dim, keepdim=True) for t in (xhat, x))
    a = (u * v).sum(dim, keepdim=True) / (u * u).sum(dim, keepdim=True)
    return float((a * u - v).norm() / v.norm())


def verdict(numbers: dict[str, Any]) -> bool:
    """Mean 0, standard deviation 1, every range, and each layer can be undone whatever the brightness of the images."""
    return not failures(numbers)


def failures(numbers: dict[str, Any]) -> dict[str, list[str]]:
    """What does not hold, and for which layers."""
    tests: dict[str, Callable[[dict[str, Any]], float]] = {
        "mean 0": lambda found: found["mean_deviation"],
        "standard deviation 1": lambda found: found["std_deviation"],
        "any range": lambda found: found["range_deviation"],
        "power": lambda found: max(found["undo_error"]),
    }
    layers = numbers["layers"]
    failed = {test: [name for name in layers if not off(layers[name]) < SAME] for test, off in tests.items()}
    return {test: names for test, names in failed.items() if names}


def words(numbers: dict[str, Any]) -> str:
    """What came out."""
    layers, failed = numbers["layers"], failures(numbers)
    most = {key: max(found[key] for found in layers.values()) for key in ("mean_deviation", "std_deviation")}
    reached = max(found["range_deviation"] for found in layers.values())
    text = (
        f"Without a and b the means are within {most['mean_deviation']:.0e} of 0 and the standard deviations within "
        f"{most['std_deviation']:.0e} of 1; with a and b every range from {RANGES[0]:g} to {RANGES[-1]:g} was reached "
        f"to {reached:.0e} ({SAME:g} or more counts). "
    )
    lost = failed.get("power", [])
    if not lost:
        return text + "Every layer could be undone by the best a and b."
    kept = ", ".join(name for name in layers if name not in lost) or "none"
    errors = ", ".join(f"{name} {layers[name]['undo_error'][-1]:.0%}" for name in lost)
    return text + (
        f"But a and b are the same for all images: where these differ in brightness (by a factor of "
        f"e^{SPREADS[-1]:g}, typically), the best a and b undo {kept} norm alone, and leave an error of {errors}: "
        "a layer that averages within an image takes the image's own brightness from the network."
    )


def draw(numbers: dict[str, Any]) -> Figure:
    """Statistics of each channel of each image, the errors of undoing, and the effect of eps."""
    figure = canvas(11, 7.2, "Each layer sets other means to 0: what a layer averages over, the network no longer sees")
    rows = figure.add_gridspec(2, 1, height_ratios=(1.15, 1))
    panels = {"input": numbers["input"]} | {name: found["output"] for name, found in numbers["layers"].items()}
    titles = {
        "input": "input: brightness " + " : ".join(f"{b:g}" for b in numbers["brightness"]),
        "batch": "batch norm: each channel,\nover all images",
        "layer": "layer norm: each image,\nover all channels",
        "instance": "instance norm: each channel\nof each image",
        "group": f"group norm: {GROUP} channels\nof each image",
    }
    cells = rows[0].subgridspec(1, len(panels))
    outputs = [figure.add_subplot(cells[i]) for i in range(len(panels))]
    for axis, (name, statistics) in zip(outputs, panels.items(), strict=True):
        _statistics(axis, statistics, titles[name], numbers["brightness"])
    for axis in outputs[1:]:
        axis.sharey(outputs[1])
    outputs[1].set_ylim(-2.6, 2.6)
    outputs[0].set_ylabel("mean, and standard deviation as a bar")
    outputs[0].legend(title="brightness", loc="upper left")
    cells = rows[1].subgridspec(1, 2)
    _undone(figure.add_subplot(cells[0]), numbers)
    _faint(figure.add_subplot(cells[1]), numbers)
    return figure


def _statistics(axis: Axes, statistics: dict[str, list[list[float]]], title: str, brightness: list[float]) -> None:
    for i, (mean, std) in enumerate(zip(statistics["mean"], statistics["std"], strict=True)):
        places = [channel + 0.18 * (i - 1.5) for channel in range(CHANNELS)]
        axis.errorbar(places, mean, std, fmt="o", ms=3, lw=1, color=COLOURS[i], label=f"{brightness[i]:g}")
    for edge in range(GROUP, CHANNELS, GROUP):
        axis.axvline(edge - 0.5, color=COLOURS[6], lw=0.6, ls=":")
    axis.set_xticks(range(CHANNELS))
    axis.set_xlabel("channel")
    axis.set_title(title, fontsize=9.5)


def _undone(axis: Axes, numbers: dict[str, Any]) -> None:
    for (name, found), look in zip(numbers["layers"].items(), LOOKS, strict=True):
        error = [100 * e for e in found["undo_error"]]
        axis.plot(numbers["spread_of_log_brightness"], error, label=f"{name} norm", **look)
    axis.set_xlabel("spread of the images' brightness (std of its logarithm)")
    axis.set_ylabel("error of the best a and b, %")
    axis.set_title("Can a and b undo it? Where images differ, batch norm alone")
    axis.legend(loc="upper left")


def _faint(axis: Axes, numbers: dict[str, Any]) -> None:
    for (name, found), look in zip(numbers["layers"].items(), LOOKS, strict=True):
        axis.plot(numbers["input_std"], found["output_std"], label=f"{name} norm", **look)
    axis.axvline(EPS**0.5, color=COLOURS[6], lw=1)
    axis.annotate("$\\sqrt{\\epsilon}$", (EPS**0.5, 0.05), (5, 0), textcoords="offset points")
    axis.set_xscale("log")
    axis.set_xlabel("standard deviation of the input")
    axis.set_ylabel("standard deviation of the output")
    axis.set_title("Faint images stay faint: $\\epsilon$ has the unit of $x^2$")
    axis.legend(loc="upper left")
