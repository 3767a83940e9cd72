"""Random columns of k-space left out, with the middle ones kept and without: what the linear map makes of it."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import Generator, Tensor

from ..fourier import fft2, ifft1
from ..masks import MASKS
from ..metrics import psnr, ssim
from ..phantoms import anatomy, smooth_phase
from ..recon import reconstruct
from .result import Result
from .style import COLOURS, canvas, show

SHAPE = (256, 256)
ACCELERATION, CENTER = 4.0, 0.08
SPACING = 5.0  # with the middle ones on top, this gives about as many equispaced columns as the random masks have
DRAWS = 20
WIDTHS = (0.0, 0.02, 0.04, 0.08, 0.12, 0.16, 0.2, 0.25)  # of the middle, at the same number of columns
SHOWS = 0.9  # correlation with the object from which an image shows it
HIDES = 0.7  # and below which it does not

Draw = Callable[[Generator], Tensor]


def run() -> Result:
    """Reconstruct one head from many masks of each kind."""
    generator = Generator().manual_seed(0)
    image = anatomy(SHAPE, generator) * smooth_phase(SHAPE, generator)
    numbers = measure(image, DRAWS, WIDTHS, generator)
    return Result(numbers, verdict(numbers), words(numbers), draw(numbers, image, Generator().manual_seed(1)))


def kinds(shape: tuple[int, int]) -> dict[str, Draw]:
    """Masks with and without the middle of k-space, about a quarter of all columns each."""

    def without_middle(generator: Generator) -> Tensor:
        middle = MASKS["random"](shape, 1 / CENTER, CENTER, generator)
        outside = (~middle).flatten().nonzero().flatten()
        mask = torch.zeros_like(middle)
        n = round(shape[1] / ACCELERATION)
        mask[:, outside[torch.randperm(len(outside), generator=generator)[:n]]] = True
        return mask

    return {
        "random, middle kept": lambda g: MASKS["random"](shape, ACCELERATION, CENTER, g),
        "random, anywhere": lambda g: MASKS["random"](shape, ACCELERATION, 0.0, g),
        "random, without the middle": without_middle,
        "equispaced, middle kept": lambda g: MASKS["equispaced"](shape, SPACING, CENTER, g),
    }


def linear(image: Tensor, mask: Tensor) -> Tensor:
    """Magnitude of what the linear map makes of the sampled columns of one coil, (y, x)."""
    return reconstruct(fft2(image), mask, method="zero-filled").abs()


def scores(image: Tensor, mask: Tensor) -> dict[str, float]:
    """How much of the object the linear map shows, and the highest alias of a point."""
    found = linear(image, mask)
    both = torch.stack([image.abs().flatten(), found.flatten()])
    return {
        "psnr_db": psnr(image.abs(), found),
        "ssim": ssim(image.abs(), found),
        "correlation": float(torch.corrcoef(both)[0, 1]),
        "highest_alias": highest_alias(mask),
    }


def point_spread(mask: Tensor) -> Tensor:
    """|F^H mask| along x over its value in the middle: what becomes of a point, real (x,)."""
    spread = ifft1(mask.flatten().to(torch.complex64), -1).abs()
    return spread / spread[len(spread) // 2]


def highest_alias(mask: Tensor) -> float:
    """The largest value of the point spread function further from the point than the middle alone resolves."""
    spread = point_spread(mask)
    blur = round(1 / CENTER)
    middle = len(spread) // 2
    return float(torch.cat([spread[: middle - blur], spread[middle + blur + 1 :]]).max())


def measure(image: Tensor, draws: int, widths: tuple[float, ...], generator: Generator) -> dict[str, Any]:
    """Scores of each kind of mask over several draws, and PSNR against the width of the middle."""
    shape = (image.shape[-2], image.shape[-1])
    numbers: dict[str, Any] = {"draws": draws, "acceleration": ACCELERATION, "middle_fraction": CENTER, "kinds": {}}
    for name, mask_of in kinds(shape).items():
        masks = [mask_of(generator) for _ in range(draws)]
        found = [scores(image, mask) for mask in masks]
        numbers["kinds"][name] = {
            "columns_median": statistics.median(int(mask.sum()) for mask in masks),
            **{key: [f[key] for f in found] for key in found[0]},
        }
    found_psnr = [
        [psnr(image.abs(), linear(image, MASKS["random"](shape, ACCELERATION, w, generator))) for _ in range(draws)]
        for w in widths
    ]
    numbers["middle_width"] = {
        "fraction": list(widths),
        "psnr_db_median": [statistics.median(p) for p in found_psnr],
        "psnr_db_least": [min(p) for p in found_psnr],
        "psnr_db_most": [max(p) for p in found_psnr],
    }
    return numbers


def verdict(numbers: dict[str, Any]) -> bool:
    """In every draw the object shows with the middle and not without, and its aliases are below equispaced ones."""
    by = numbers["kinds"]
    kept, without = by["random, middle kept"], by["random, without the middle"]
    shows = min(kept["correlation"]) > SHOWS and max(without["correlation"]) < HIDES
    incoherent: bool = max(kept["highest_alias"]) < min(by["equispaced, middle kept"]["highest_alias"])
    return shows and incoherent


def words(numbers: dict[str, Any]) -> str:
    """What came out."""
    mid = {
        name: {key: statistics.median(values) for key, values in kind.items() if isinstance(values, list)}
        for name, kind in numbers["kinds"].items()
    }
    kept, without = mid["random, middle kept"], mid["random, without the middle"]
    equal, width = mid["equispaced, middle kept"], numbers["middle_width"]
    return (
        f"From {1 / numbers['acceleration']:.0%} of the columns the linear map's image has a correlation with the "
        f"object of {kept['correlation']:.2f} (PSNR {kept['psnr_db']:.1f} dB) with the middle kept, and of "
        f"{without['correlation']:.2f} ({without['psnr_db']:.1f} dB) without it (medians of {numbers['draws']} masks). "
        f"The highest alias of a point is {kept['highest_alias']:.0%} of it for random columns and "
        f"{equal['highest_alias']:.0%} for equispaced ones. The linear map itself would rather have the middle only: "
        f"its PSNR rises from {width['psnr_db_median'][0]:.1f} to {width['psnr_db_median'][-1]:.1f} dB as all columns "
        "move there; what the outer ones are good for, only a method that knows more about images can tell. "
        f"Asked for was a correlation above {SHOWS:g} with the middle and below {HIDES:g} without it, with every mask."
    )


def draw(numbers: dict[str, Any], image: Tensor, generator: Generator) -> Figure:
    """Columns and image of each kind of mask, and three plots."""
    masks = {"everything": torch.ones(1, image.shape[-1], dtype=torch.bool)}
    masks |= {name: mask_of(generator) for name, mask_of in kinds((image.shape[-2], image.shape[-1])).items()}
    title = "A quarter of k-space by the linear map: recognisable with the middle columns, hopeless without"
    figure = canvas(11, 6.8, title)
    rows = figure.add_gridspec(2, 1, height_ratios=(1.3, 1))
    cells = rows[0].subgridspec(2, 5, height_ratios=(0.2, 1))
    white = 0.9 * float(image.abs().max())
    for column, (name, mask) in enumerate(masks.items()):
        strip, picture = (figure.add_subplot(cells[row, column]) for row in range(2))
        found = linear(image, mask)
        decibels = "the object" if column == 0 else f"PSNR {psnr(image.abs(), found):.1f} dB"
        show(strip, mask.float().expand(mask.shape[-1] // 5, -1), f"{name}\n{int(mask.sum())} columns (white)", 1.0)
        strip.add_patch(Rectangle((0, 0), 1, 1, transform=strip.transAxes, fill=False, lw=1.5, clip_on=False))
        show(picture, found, decibels, white)
    cells = rows[1].subgridspec(1, 3)
    _strips(figure.add_subplot(cells[0]), numbers)
    _spread(figure.add_subplot(cells[1]), masks)
    _widths(figure.add_subplot(cells[2]), numbers["middle_width"])
    return figure


def _strips(axis: Axes, numbers: dict[str, Any]) -> None:
    for i, (name, kind) in enumerate(numbers["kinds"].items()):
        y = torch.linspace(-0.25, 0.25, len(kind["psnr_db"])) - i
        axis.plot(kind["psnr_db"], y.tolist(), "o", ms=3.5, color=COLOURS[i], alpha=0.7)
        axis.annotate(name, (0.5, 0.32 - i), xycoords=("axes fraction", "data"), ha="center", fontsize=9)
    axis.set_yticks([])
    axis.set_ylim(-len(numbers["kinds"]) + 0.5, 0.65)
    axis.set_xlabel("PSNR of the linear map, dB")
    axis.set_title(f"Not by luck: {numbers['draws']} masks each")


def _spread(axis: Axes, masks: dict[str, Tensor]) -> None:
    for i, name in ((3, "equispaced, middle kept"), (0, "random, middle kept")):
        spread = point_spread(masks[name])
        x = torch.arange(len(spread)) - len(spread) // 2
        axis.plot(x.tolist(), spread.tolist(), color=COLOURS[i], label=name, lw=1.2)
    axis.set_ylim(0, 1.4)
    axis.set_ylabel("magnitude over that of the point")
    axis.set_xlabel("distance from a point, pixels")
    axis.set_title("A point: copies turn into noise")
    axis.legend(loc="upper left")


def _widths(axis: Axes, width: dict[str, list[float]]) -> None:
    percent = [100 * f for f in width["fraction"]]
    axis.plot(percent, width["psnr_db_median"], "o-", color=COLOURS[0], ms=4)
    axis.fill_between(percent, width["psnr_db_least"], width["psnr_db_most"], color=COLOURS[0], alpha=0.2, lw=0)
    axis.set_xlabel("middle, % of columns (25 %: all there is)")
    axis.set_ylabel("PSNR, dB (median, range)")
    axis.set_title("The wider the middle, the better")
