"""Exact recovery of a sparse image from part of its Fourier transform: where it works, and from which samples.

Reference: Candes, Romberg and Tao, "Robust uncertainty principles: exact signal reconstruction from highly incomplete
frequency information", 2006, doi:10.1109/TIT.2005.862083.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor

from ..acquisition import acquire
from ..fourier import fft2
from ..phantoms import shepp_logan
from ..recon import TotalVariation, ZeroFilled
from .points import PATTERN, PATTERNS, half, random_samples, success, way
from .result import Result
from .style import COLOURS, canvas, show

SIDE = 32  # pixels of the images of points
SAMPLED = tuple(0.05 * i for i in range(1, 11))  # of k-space
POINTS = tuple(range(8, 257, 8))
FEW = (1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 96, 112, 128)  # for the comparison of patterns
TRIALS, ITERATIONS, LONG = 6, 300, 1500
ALONG = 56  # points of the images whose error is followed, and at which patterns are judged
HEAD, LINES = 256, 26  # pixels and radial lines of the head that is constant in pieces
EXACT = 1e-9  # relative error of the same image in double precision
NEARLY = 1e-5  # that of the head, whose lambda is small but not 0


def run() -> Result:
    """Map the phase transition, compare patterns of samples, and recover a head."""
    generator = Generator().manual_seed(0)
    rates = [success(SIDE, POINTS, random_samples(f), TRIALS, ITERATIONS, generator) for f in SAMPLED]
    patterns = {name: success(SIDE, FEW, p, 2 * TRIALS, ITERATIONS, generator) for name, p in PATTERNS.items()}
    ways = {name: way(SIDE, ALONG, p, LONG, generator) for name, p in PATTERNS.items()}
    head = recover_head(HEAD, LINES)
    numbers: dict[str, Any] = {
        "phase_transition": {
            "side": SIDE,
            "trials": TRIALS,
            "iterations": ITERATIONS,
            "sampled_fraction": [round(f, 2) for f in SAMPLED],
            "points": list(POINTS),
            "points_recovered_half_of_the_time": [half(POINTS, rate) for rate in rates],
            "recovered_fraction": rates,
        },
        "patterns": {
            "trials": 2 * TRIALS,
            "samples": SIDE**2 // PATTERN,
            "points": list(FEW),
            "recovered_fraction": patterns,
        },
        "double_precision": {"points": ALONG, "iterations": LONG, "error": {n: e[-1] for n, e in ways.items()}},
        "head": {"side": HEAD, "lines": LINES, "sampled_fraction": head.sampled, "error": head.errors},
    }
    return Result(numbers, verdict(numbers), words(numbers), draw(numbers, ways, head))


@dataclass(frozen=True)
class Head:
    """The head of Shepp and Logan, from radial lines and from as many equispaced columns.

    Attributes:
        truth: what it is, complex128 (y, x).
        mask: the radial lines.
        sampled: their fraction of k-space.
        images: what each method made of it.
        errors: relative, of each.
    """

    truth: Tensor
    mask: Tensor
    sampled: float
    images: dict[str, Tensor]
    errors: dict[str, float]


def recover_head(n: int, lines: int) -> Head:
    """The head, n x n, by the linear map and by the least total variation that fits the samples."""
    truth = shepp_logan((n, n), supersample=1).to(torch.complex128)
    mask = radial(n, lines)
    sampled = float(mask.float().mean())
    gap = round(1 / sampled)
    columns = torch.zeros(n, n, dtype=torch.bool)
    columns[:, n // 2 % gap :: gap] = True
    least = TotalVariation(lam="1e-8max", tolerance=0, max_iterations=600)
    k = fft2(truth)
    images = {
        "linear map, radial": ZeroFilled()(acquire(k * mask, mask)),
        "least variation, radial": least(acquire(k * mask, mask)),
        "least variation, equispaced": least(acquire(k * columns, columns)),
    }
    errors = {name: float((x - truth).norm() / truth.norm()) for name, x in images.items()}
    return Head(truth, mask, sampled, images, errors)


def radial(n: int, lines: int) -> Tensor:
    """Samples of the grid that lie nearest to lines through the middle of k-space, at equal angles; bool (n, n)."""
    mask = torch.zeros(n, n, dtype=torch.bool)
    r = torch.linspace(-(n // 2), (n - 1) // 2, 2 * n)
    for angle in torch.arange(lines) * math.pi / lines:
        y, x = (torch.round(r * along(angle)).long() + n // 2 for along in (torch.sin, torch.cos))
        inside = (y < n) & (x < n)
        mask[y[inside], x[inside]] = True
    return mask


def verdict(numbers: dict[str, Any]) -> bool:
    """Exact from random samples and radial lines, at a number of points at which coherent samples always fail."""
    by = numbers["patterns"]["recovered_fraction"]
    at = numbers["patterns"]["points"].index(numbers["double_precision"]["points"])
    error, head = numbers["double_precision"]["error"], numbers["head"]["error"]
    works = (
        by["random samples"][at] == 1 and error["random samples"] < EXACT and head["least variation, radial"] < NEARLY
    )
    coherent = ("only the middle", "every 4th column")
    fails = all(by[n][at] == 0 and error[n] > 0.01 for n in coherent) and head["least variation, equispaced"] > 0.01
    return bool(works and fails)


def words(numbers: dict[str, Any]) -> str:
    """What came out."""
    p, d, head = numbers["patterns"], numbers["double_precision"], numbers["head"]
    most = {name: always(p["points"], rate) for name, rate in p["recovered_fraction"].items()}
    return (
        f"From {p['samples']} random samples of {SIDE**2}, images of up to {most['random samples']} points always came "
        f"back (error {d['error']['random samples']:.0e} in double precision); from as many samples in random columns "
        f"up to {most['random columns']}, from the middle only up to {most['only the middle']}, and from every 4th "
        f"column up to {most['every 4th column']}. A head that is constant in pieces came back from "
        f"{head['sampled_fraction']:.0%} of k-space on radial lines with an error of "
        f"{head['error']['least variation, radial']:.0e}, and from equispaced columns with "
        f"{head['error']['least variation, equispaced']:.0%}. Exact means to {EXACT:g} for points and to {NEARLY:g} "
        "for the head, and to fail is to be off by 1% or more."
    )


def always(counts: list[int], rate: list[float]) -> int:
    """The largest number of points up to which every trial was recovered."""
    return max((k for i, k in enumerate(counts) if min(rate[: i + 1]) == 1), default=0)


def draw(numbers: dict[str, Any], ways: dict[str, list[float]], head: Head) -> Figure:
    """The head, the phase transition, the patterns, and the error on the way."""
    percent = f"{head.sampled:.0%} of k-space"
    figure = canvas(11, 7.4, f"A sparse image comes back exactly from {percent}, if the samples are incoherent")
    rows = figure.add_gridspec(2, 1, height_ratios=(1, 1.25))
    cells = rows[0].subgridspec(1, 5)
    white = 0.5  # of the skull's 1, or else one would see nothing of the brain
    show(
        figure.add_subplot(cells[0]),
        head.truth.abs(),
        "the object: constant in pieces,\nso its edges are sparse",
        white,
    )
    show(figure.add_subplot(cells[1]), head.mask.float(), f"{LINES} radial lines (white),\n{percent}", 1.0)
    for i, (name, image) in enumerate(head.images.items(), start=2):
        error = head.errors[name]
        text = f"error {error:.0%}" if error > 0.01 else f"error {error:.0e}: exact"
        show(figure.add_subplot(cells[i]), image.abs(), f"{name}:\n{text}", white)
    cells = rows[1].subgridspec(1, 3)
    _transition(figure, figure.add_subplot(cells[0]), numbers["phase_transition"])
    _patterns(figure.add_subplot(cells[1]), numbers["patterns"])
    _ways(figure.add_subplot(cells[2]), ways)
    return figure


def _transition(figure: Figure, axis: Axes, t: dict[str, Any]) -> None:
    samples = [100 * f for f in t["sampled_fraction"]]
    rate = torch.tensor(t["recovered_fraction"]).T
    mesh = axis.pcolormesh(samples, t["points"], rate.numpy(), cmap="cividis", vmin=0, vmax=1, shading="nearest")
    limit = [f * t["side"] ** 2 / 2 for f in t["sampled_fraction"]]
    axis.plot(samples, limit, "--", color="white")
    axis.annotate(
        "two samples\na point", (samples[4], limit[4]), (-8, 4), ha="right", textcoords="offset points", color="white"
    )
    axis.plot(samples, t["points_recovered_half_of_the_time"], "o-", color=COLOURS[1], ms=4)
    axis.set_ylim(0, t["points"][-1])
    axis.grid(False)
    axis.set_xlabel("random samples, % of k-space")
    axis.set_ylabel(f"bright points in {t['side']} x {t['side']} pixels")
    axis.set_title("All or nothing: a phase transition")
    figure.colorbar(mesh, ax=axis, label="recovered exactly, fraction")


def _patterns(axis: Axes, p: dict[str, Any]) -> None:
    for (name, rate), colour in zip(p["recovered_fraction"].items(), COLOURS, strict=False):
        axis.plot(p["points"], rate, "o-", ms=3.5, label=name, color=colour)
    axis.set_xscale("log", base=2)
    axis.set_xticks([*p["points"][:5], 64, 128], labels=[str(k) for k in (*p["points"][:5], 64, 128)])
    axis.set_ylim(-0.03, 1.4)
    axis.set_xlabel("bright points")
    axis.set_ylabel("recovered exactly, fraction")
    axis.set_title(f"It matters which samples (all: 1 in {PATTERN})")
    axis.legend(loc="upper left", ncols=2)


def _ways(axis: Axes, ways: dict[str, list[float]]) -> None:
    for (name, errors), colour in zip(ways.items(), COLOURS, strict=False):
        axis.semilogy(range(1, len(errors) + 1), errors, label=name, color=colour)
    axis.set_xscale("log")
    axis.set_xlabel("iterations of ADMM")
    axis.set_ylabel("relative error (double precision)")
    axis.set_title(f"Exact means exact ({ALONG} points)")
    axis.legend(loc="lower left")
