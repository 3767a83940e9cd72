"""A trained U-Net beside compressed sensing and the linear map, on a quarter of k-space of one coil and of eight."""

from __future__ import annotations

import statistics
from typing import Any

import torch
from matplotlib.figure import Figure
from torch import Tensor

from ..acquisition import Acquisition, acquire
from ..masks import make_mask
from ..phantoms import phantom
from ..recon import make_method
from .result import Result
from .slices import LABELS, Case, Scores, quality_and_time, reconstruct
from .style import canvas, show

SHAPE, SEEDS, SNR = (256, 256), 5, 50.0
ACCELERATION, CENTER = 4.0, 0.08
CASES = {"one coil": 1, "eight coils": 8}
SPARSE, NETWORK, UNROLLED, LINEAR, SENSE = ("tv", "wavelet"), "unet", "unrolled", "zero-filled", "sense"
METHODS = (LINEAR, SENSE, *SPARSE, NETWORK, UNROLLED)
SHOWN = (LINEAR, "tv", NETWORK, UNROLLED)
DETAIL = (slice(84, 156), slice(92, 164))
DARK = 0.3  # of white: the end of the scale of the errors


def run() -> Result:
    """Reconstruct heads that no network was trained on, from one coil and from eight."""
    cases = {name: reconstruct_case(SHAPE, n_coils, SEEDS) for name, n_coils in CASES.items()}
    numbers: dict[str, Any] = {
        "acceleration": ACCELERATION,
        "middle_fraction": CENTER,
        "heads": SEEDS,
        "snr": SNR,
        "cases": {name: case.scores for name, case in cases.items()},
        "holds": {name: holds(case.scores) for name, case in cases.items()},
    }
    return Result(numbers, verdict(numbers), words(numbers), draw(numbers, cases))


def reconstruct_case(shape: tuple[int, int], n_coils: int, seeds: int) -> Case:
    """Reconstruct a slice of each head by each method; one coil has no use for SENSE."""
    scans, heads = zip(*(noisy_scan(shape, n_coils, seed) for seed in range(seeds)), strict=True)
    names = [name for name in METHODS if name != SENSE or n_coils > 1]
    return reconstruct(torch.cat(heads), {name: (make_method(name), scans) for name in names})


def noisy_scan(shape: tuple[int, int], n_coils: int, seed: int) -> tuple[Acquisition, Tensor]:
    """A quarter of the columns of a head (coil, ky, kx), and the head (1, y, x): all of it depends on the seed."""
    full, truth = phantom(shape=shape, n_coils=n_coils, snr=SNR, seed=seed)
    mask = make_mask("random", shape, ACCELERATION, CENTER, seed).samples
    return acquire(full.kspace, mask, noise=full.noise).entry(0), truth


def better(scores: dict[str, Scores], network: str) -> bool:
    """Whether a network has a lower error in each head than the better of the sparse methods."""
    best = [min(errors) for errors in zip(*(scores[name]["error"] for name in SPARSE), strict=True)]
    return all(e < b for e, b in zip(scores[network]["error"], best, strict=True))


def holds(scores: dict[str, Scores]) -> dict[str, bool]:
    """Each part of the claim: the U-Net against the better of the sparse methods in each head; medians of times."""
    times = {name: statistics.median(scores[name]["seconds"]) for name in (*SPARSE, NETWORK)}
    return {"better": better(scores, NETWORK), "sooner": times[NETWORK] < min(times[name] for name in SPARSE)}


def verdict(numbers: dict[str, Any]) -> bool:
    """Every part of the claim holds in every case."""
    return all(all(parts.values()) for parts in numbers["holds"].values())


def words(numbers: dict[str, Any]) -> str:
    """What came out."""
    sentences = []
    for name, scores in numbers["cases"].items():
        mid = {m: {key: statistics.median(v) for key, v in s.items()} for m, s in scores.items()}
        each = ", ".join(f"{LABELS[m]} {s['error']:.0%} in {s['seconds']:.2g} s" for m, s in mid.items())
        held = numbers["holds"][name]
        sooner = "sooner" if held["sooner"] else "not sooner"
        sentences.append(
            f"From {name} the U-Net is {_better(held['better'])} than compressed sensing, and {sooner}; the unrolled "
            f"network is {_better(better(scores, UNROLLED))}. Errors in the head are {each}."
        )
    which = "The U-Net is the one of the package, which ends in agreement with the data."
    return " ".join([f"Medians of {numbers['heads']} heads.", which, *sentences])


def _better(yes: bool) -> str:
    return "better in every head" if yes else "not better in every head"


def draw(numbers: dict[str, Any], cases: dict[str, Case]) -> Figure:
    """A detail and its error for some methods, and quality and time for all."""
    answer = "better and sooner than" if verdict(numbers) else "beside"
    figure = canvas(11, 7.8, f"A quarter of the columns: a network in one step, {answer} compressed sensing in many")
    columns = figure.add_gridspec(1, 2, width_ratios=(2.7, 1))
    cells = columns[0].subgridspec(4, 1 + len(SHOWN))
    for i, (name, case) in enumerate(cases.items()):
        truth = case.truth[0][DETAIL]
        white = float(truth.max())
        show(figure.add_subplot(cells[2 * i, 0]), truth, f"{name}:\nthe object", white)
        for j, method in enumerate(SHOWN, 1):
            image = case.images[method][0][DETAIL]
            text = f"{LABELS[method]},\n{case.scores[method]['psnr_db'][0]:.1f} dB"
            show(figure.add_subplot(cells[2 * i, j]), image, text, white)
            error = (image - truth).abs()
            axis = figure.add_subplot(cells[2 * i + 1, j])
            show(axis, error, f"error, to {DARK:.0%} of white", DARK * white, "inferno")
    quality_and_time(figure.add_subplot(columns[1]), {name: case.scores for name, case in cases.items()})
    return figure
