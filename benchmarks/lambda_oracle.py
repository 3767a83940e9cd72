"""How good lambda="auto" is: PSNR with it against the best over a grid of lambda, which takes the truth to find.

    python benchmarks/lambda_oracle.py ../shared/data [--seeds 5] [--parts real,phantoms] [--bart]

Random columns, 4x, 8 % centre. The real scans of the folder, the middle slice of each, against all of k-space, for
masks of several seeds; and simulated heads (1, 4 and 8 coils, three levels of noise, two matrices, one mask), against
the noisy "reference" as ``kolumn compare`` does it, and against the "truth": the same without the noise.

The grid of tv is 3e-5 to 3e-2 of the largest magnitude of A^H y in steps of 10^(1/4): first every other point of it,
then the neighbours of the best. Wavelets, which are slow, go up and down in steps of 10^(1/2) from 1e-3 until PSNR
falls. Both go on beyond the ends while that gains. A loss below 0 means that auto lies between two points.

``--bart``: on the real scans, Debian's ``bart pics`` with its own maps and the best lambda of such a grid, in its own
units, against kolumn with lambda="auto". Its maps are those that ``ecalib`` makes unasked, cropped to the body; with
the best lambda it gets them uncropped (``-c 0``) too, and the better one counts. BART scales its image back to the
data (``-S``), and it is scored as it is.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import torch
from bart_pics import SETTINGS, Bart
from real_scans import CENTRE, names, scans, spread
from side_by_side import machine
from torch import Tensor

from kolumn.acquisition import Acquisition
from kolumn.masks import make_mask
from kolumn.metrics import psnr
from kolumn.operators import encoding
from kolumn.phantoms import phantom
from kolumn.recon import TotalVariation, ZeroFilled, make_method
from kolumn.recon.prepare import finish, prepare
from kolumn.recon.solution import Solution
from kolumn.recon.strength import unit_size
from kolumn.report.compare import undersampled

METHODS = ("tv", "wavelet")
ACCELERATION = 4.0
FIRST, STEP, POINTS = 3e-5, 10**0.25, 13
MIDDLE, REACH = 6, 14  # where the grid ends, if what is best is beyond it
KOLUMN = {"tv": (None, True), "wavelet": (6, False)}  # where to begin, and whether to refine
BART = {"tv": (10, True), "wavelet": (8, False)}
SHAPES = ((192, 160), (256, 256))
COILS = (1, 4, 8)
SNRS = (20.0, 50.0, 100.0)


@dataclass(frozen=True)
class Case:
    """One undersampled slice.

    Attributes:
        name: for the table.
        group: scan or phantom it belongs to.
        data: undersampled, with maps.
        references: magnitude (y, x), by kind.
    """

    name: str
    group: str
    data: Acquisition
    references: dict[str, Tensor]


@dataclass(frozen=True)
class Row:
    """What auto lost against one reference."""

    case: Case
    kind: str
    method: str
    lam: float
    best_lam: float
    score: float
    best: float

    @property
    def loss(self) -> float:
        return self.best - self.score

    def __str__(self) -> str:
        cells = [f"{self.lam:.2e}", f"{self.best_lam:.2e}", f"{self.score:.2f}", f"{self.best:.2f}", f"{self.loss:.2f}"]
        return f"| {self.case.name}, {self.kind} | {self.method} | {' | '.join(cells)} |"


def reference(whole: Acquisition) -> Tensor:
    return finish(ZeroFilled()(whole), whole).abs()


def case(name: str, group: str, whole: Acquisition, seed: int, references: dict[str, Tensor]) -> Case:
    shape = (whole.kspace.shape[-2], whole.kspace.shape[-1])
    data = undersampled(whole, make_mask("random", shape, ACCELERATION, CENTRE, seed).samples)
    return Case(name, group, replace(data, maps=TotalVariation().estimate(data)), references)


def real(folder: Path, files: list[str] | None, seeds: int) -> Iterator[Case]:
    for scan in scans(folder, files):
        whole = prepare(scan.load(scan.n_slices // 2))
        references = {"real scans": reference(whole)}
        for seed in range(seeds):
            yield case(f"{scan.path.name} seed {seed}", scan.path.name, whole, seed, references)


def phantoms() -> Iterator[Case]:
    for shape in SHAPES:
        for coils in COILS:
            clean, _ = phantom("anatomy", shape, coils, snr=None)
            for snr in SNRS:
                noisy, _ = phantom("anatomy", shape, coils, snr=snr)
                whole = prepare(noisy.entry(0))
                truth = prepare(replace(clean, noise=noisy.noise).entry(0))  # whitened alike
                name = f"anatomy {shape[0]} x {shape[1]}, {coils} coil{'s' * (coils > 1)}, SNR {snr:g}"
                references = {
                    "phantoms against reference": reference(whole),
                    "phantoms against truth": reference(truth),
                }
                yield case(name, name, whole, 0, references)


def magnitude(solution: Solution, case: Case) -> Tensor:
    return finish(solution.image, case.data).abs()


def auto(case: Case, method: str) -> tuple[float, Tensor]:
    """Lambda, of the largest magnitude of A^H y, and the image."""
    solution = make_method(method).solve(case.data)  # type: ignore[attr-defined]
    largest = float(encoding(case.data).adjoint(case.data.kspace).abs().max())
    return solution.lam[0] * unit_size(solution.unit, case.data, largest) / largest, magnitude(solution, case)


def climb(score: Callable[[int], float], point: int, stride: int) -> int:
    """From a point of the grid the way it goes up, to where it goes down on both sides."""
    for step in (stride, -stride):
        while abs(point + step - MIDDLE) <= REACH and score(point + step) > score(point):
            point += step
    return point


def best_on_grid(score: Callable[[int], float], begin: int | None = None, fine: bool = True) -> tuple[float, float]:
    """The best lambda and its score, given the score at each point of the grid, which ``begin`` saves some of."""
    score = cache(score)
    best = climb(score, max(range(0, POINTS, 2), key=score) if begin is None else begin, 2)
    if fine:
        best = max((best - 1, best, best + 1), key=score)
    return FIRST * STEP**best, score(best)


def lose(case: Case, method: str) -> Iterator[Row]:
    lam, image = auto(case, method)

    @cache
    def image_at(i: int) -> Tensor:
        return magnitude(make_method(method, lam=f"{FIRST * STEP**i:.6g}max").solve(case.data), case)  # type: ignore[attr-defined]

    for kind, truth in case.references.items():
        best_lam, best = best_on_grid(lambda i, truth=truth: psnr(truth, image_at(i)), *KOLUMN[method])
        yield Row(case, kind, method, lam, best_lam, psnr(truth, image), best)


def losses(cases: Iterator[Case]) -> None:
    print(
        "\n| case | method | auto lambda / max | oracle lambda / max | PSNR auto / dB | PSNR oracle / dB | loss / dB |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for one in cases:
        for method in METHODS:
            for row in lose(one, method):
                rows.append(row)
                print(row, flush=True)
    print("\n| | method | n | mean loss / dB | largest loss / dB | where |\n|---|---|---|---|---|---|")
    for kind in dict.fromkeys(row.kind for row in rows):
        for method in METHODS:
            of = [row for row in rows if (row.kind, row.method) == (kind, method)]
            worst = max(of, key=lambda row: row.loss)
            mean = statistics.mean(row.loss for row in of)
            print(f"| {kind} | {method} | {len(of)} | {mean:.2f} | {worst.loss:.2f} | {worst.case.name} |", flush=True)


def against_bart(cases: Iterator[Case]) -> None:
    print("\n" + "; ".join(f"{method}: bart pics -S -R {' '.join(words)}" for method, words in SETTINGS.items()))
    print("\n| scan | method | n | kolumn auto, PSNR / dB | BART oracle, PSNR / dB | difference / dB | BART's lambda |")
    print("|---|---|---|---|---|---|---|")
    print(end="", flush=True)
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    group = ""
    for one in cases:
        if group and one.group != group:
            summarise(group, found)
        group = one.group
        for method in METHODS:
            found.setdefault((group, method), []).append(duel(one, method))
    summarise(group, found)
    for method in METHODS:
        of = [ours - theirs for (_, m), seeds in found.items() if m == method for ours, theirs, _ in seeds]
        ahead = f"n = {len(of)}, ahead in {sum(d > 0 for d in of)}"
        print(f"\n{method}: kolumn auto - BART oracle {spread(of, 2)} dB, {ahead}")


def duel(case: Case, method: str) -> tuple[float, float, float]:
    """PSNR of kolumn, of BART, and BART's lambda."""
    (truth,) = case.references.values()

    def theirs(lam: float, crop: float | None) -> float:
        return psnr(truth, finish(peers[crop].pics(method, lam), case.data).abs())

    peers = {crop: Bart(case.data, crop) for crop in (None, 0.0)}
    best_lam, best = best_on_grid(lambda i: theirs(FIRST * STEP**i, None), *BART[method])
    if case.data.n_coils > 1:
        best = max(best, theirs(best_lam, 0.0))
    return psnr(truth, auto(case, method)[1]), best, best_lam


def summarise(group: str, found: dict[tuple[str, str], list[tuple[float, float, float]]]) -> None:
    for method in METHODS:
        ours, theirs, lams = (list(x) for x in zip(*found[group, method], strict=True))
        apart = [a - b for a, b in zip(ours, theirs, strict=True)]
        cells = [spread(ours, 2), spread(theirs, 2), spread(apart, 2), f"{min(lams):.1e} to {max(lams):.1e}"]
        print(f"| {group} | {method} | {len(ours)} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5, help="masks for each real scan")
    parser.add_argument("--parts", type=names, default=["real", "phantoms"], help="real, phantoms")
    parser.add_argument("--files", type=names, help="parts of the names of real scans; all by default")
    parser.add_argument("--bart", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    print(machine())
    scanned = real(options.folder, options.files, options.seeds)
    if options.bart:
        against_bart(scanned)
        return
    parts = {"real": scanned, "phantoms": phantoms()}
    losses(one for part in options.parts for one in parts[part])


if __name__ == "__main__":
    main()
