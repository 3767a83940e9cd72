"""Total variation and wavelets on a quarter of k-space, of one coil and of eight: how good, and how long it takes."""

from __future__ import annotations

import statistics
from typing import Any

from matplotlib.figure import Figure

from ..acquisition import acquire
from ..masks import make_mask
from ..phantoms import phantom
from ..recon import make_method
from .result import Result
from .slices import LABELS, Case, Scores, quality_and_time, reconstruct
from .style import canvas, show

SHAPE, SLICES, SNR = (256, 256), 3, 50.0
ACCELERATION, CENTER = 4.0, 0.08
CASES = {"one coil": 1, "eight coils": 8}
SPARSE = ("tv", "wavelet")
LINEAR = "zero-filled"
FULL = "fully sampled"
GOOD = 0.5  # error, at most this part of that of the linear map
PERFECT = 2.0  # error, at most so many times that of the same noisy scan with all of k-space
SLOWER = 10.0  # seconds, at least so many times those of the linear map
DETAIL = (slice(76, 164), slice(84, 172))


def run() -> Result:
    """Reconstruct a few slices by each method, from one coil and from eight."""
    cases = {name: reconstruct_case(SHAPE, n_coils, SLICES) for name, n_coils in CASES.items()}
    numbers: dict[str, Any] = {
        "acceleration": ACCELERATION,
        "middle_fraction": CENTER,
        "slices": SLICES,
        "snr": SNR,
        "cases": {name: case.scores for name, case in cases.items()},
        "holds": {name: holds(case.scores) for name, case in cases.items()},
    }
    return Result(numbers, verdict(numbers), words(numbers), draw(numbers, cases))


def reconstruct_case(shape: tuple[int, int], n_coils: int, n_slices: int) -> Case:
    """Simulate a noisy scan, undersample it, and reconstruct it by each method."""
    full, truth = phantom(shape=shape, n_coils=n_coils, n_slices=n_slices, snr=SNR)
    mask = make_mask("random", shape, ACCELERATION, CENTER).samples
    part = acquire(full.kspace, mask, noise=full.noise)
    all_of_it, quarter = ([scan.entry(i) for i in range(n_slices)] for scan in (full, part))
    runs = {FULL: (make_method(LINEAR), all_of_it), LINEAR: (make_method(LINEAR), quarter)}
    runs |= {name: (make_method(name), quarter) for name in ("sense", *SPARSE) if name != "sense" or n_coils > 1}
    return reconstruct(truth, runs)


def holds(scores: dict[str, Scores]) -> dict[str, bool]:
    """Each part of the claim: in every slice of every sparse method for the errors, in the median for the times."""
    full, linear = scores[FULL], scores[LINEAR]
    sparse = [scores[name] for name in SPARSE]
    slow = statistics.median(linear["seconds"])
    return {
        "good": all(e <= GOOD * b for s in sparse for e, b in zip(s["error"], linear["error"], strict=True)),
        "not_perfect": all(e > PERFECT * f for s in sparse for e, f in zip(s["error"], full["error"], strict=True)),
        "slower": all(statistics.median(s["seconds"]) > SLOWER * slow for s in sparse),
    }


def verdict(numbers: dict[str, Any]) -> bool:
    """Every part of the claim holds in every case."""
    return all(all(parts.values()) for parts in numbers["holds"].values())


def words(numbers: dict[str, Any]) -> str:
    """What came out."""
    sentences = []
    for name, scores in numbers["cases"].items():
        mid = {m: {key: statistics.median(v) for key, v in s.items()} for m, s in scores.items()}
        answer = "good" if numbers["holds"][name]["good"] else "better, but not good"
        sparse = " and ".join(f"{LABELS[m]} {mid[m]['error']:.0%} in {mid[m]['seconds']:.2g} s" for m in SPARSE)
        sentences.append(
            f"From {name} at {numbers['acceleration']:g} times fewer columns the images are {answer}: the error in the "
            f"head is {mid[LINEAR]['error']:.0%} for the linear map in {1e3 * mid[LINEAR]['seconds']:.2g} ms a slice, "
            f"{sparse}, and {mid[FULL]['error']:.0%} with all of k-space."
        )
    return " ".join(sentences) + f" Good means at most {GOOD:.0%} of the error of the linear map."


def draw(numbers: dict[str, Any], cases: dict[str, Case]) -> Figure:
    """A detail and its error for each method, and quality and time."""
    title = "A quarter of the columns: compressed sensing is better than the linear map, slower, and not perfect"
    figure = canvas(11, 8.6, title)
    columns = figure.add_gridspec(1, 2, width_ratios=(2.5, 1))
    cells = columns[0].subgridspec(4, 4)
    for i, (name, case) in enumerate(cases.items()):
        truth = case.truth[0][DETAIL]
        white = float(truth.max())
        for j, method in enumerate((FULL, LINEAR, *SPARSE)):
            image = case.images[method][0][DETAIL]
            above = f"{name}:\n" if j == 0 else "\n"
            text = f"{LABELS[method]}, {case.scores[method]['psnr_db'][0]:.1f} dB"
            show(figure.add_subplot(cells[2 * i, j]), image, above + text, white)
            error = (image - truth).abs()
            show(figure.add_subplot(cells[2 * i + 1, j]), error, "error, to 30 % of white", 0.3 * white, "inferno")
    quality_and_time(figure.add_subplot(columns[1]), {name: case.scores for name, case in cases.items()})
    return figure
