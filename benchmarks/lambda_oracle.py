"""How good lambda="auto" is: PSNR with it against the best over a grid of lambda, which takes the truth to find.

    python benchmarks/lambda_oracle.py ../shared/data [--seeds 5] [--parts real,192x160,256x256]
        [--methods tv,wavelet,db4] [--files brain_gre,siemens] [--bart]

Random columns, 4x, 8 % centre, for masks of several seeds. The real scans of the folder, the middle slice of each,
against all of k-space, as it is and less its noise floor (``kolumn.report.reference``); and simulated heads (1, 4 and
8 coils, three levels of noise, two matrices), against the noisy "reference" as ``kolumn compare`` does it, and against
the "truth": the same without the noise.

The grid of tv is 3e-5 to 3e-2 of the largest magnitude of A^H y in steps of 10^(1/4): first every other point of it,
then the neighbours of the best. Wavelets (Haar; db4), which are slow, go up and down in steps of 10^(1/2) from 1e-3
until PSNR falls, and then look at the neighbours. All go on beyond the ends while that gains. A loss below 0 means that
auto lies between two points.

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
from itertools import groupby
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
from kolumn.recon import TotalVariation, make_method
from kolumn.recon.prepare import finish, prepare
from kolumn.recon.solution import Solution
from kolumn.recon.strength import unit_size
from kolumn.report.compare import undersampled
from kolumn.report.reference import REFERENCES, root_sum_of_squares

METHODS: dict[str, tuple[str, dict[str, str]]] = {
    "tv": ("tv", {}),
    "wavelet": ("wavelet", {}),
    "db4": ("wavelet", {"wavelet": "db4"}),
}
ACCELERATION = 4.0
FIRST, STEP, POINTS = 3e-5, 10**0.25, 13
MIDDLE, REACH = 6, 14  # where the grid ends, if what is best is beyond it
KOLUMN = {"tv": None, "wavelet": 6, "db4": 6}  # where to begin
BART = {"tv": (10, True), "wavelet": (8, False)}  # and whether to refine
SHAPES = {"192x160": (192, 160), "256x256": (256, 256)}
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


def case(name: str, group: str, whole: Acquisition, seed: int, references: dict[str, Tensor]) -> Case:
    shape = (whole.kspace.shape[-2], whole.kspace.shape[-1])
    data = undersampled(whole, make_mask("random", shape, ACCELERATION, CENTRE, seed).samples)
    return Case(name, group, replace(data, maps=TotalVariation().estimate(data)), references)


def real(folder: Path, files: list[str] | None, seeds: int) -> Iterator[Case]:
    for scan in scans(folder, files):
        whole = prepare(scan.load(scan.n_slices // 2))
        references = {f"real scans, {name}": reference(whole) for name, reference in REFERENCES.items()}
        for seed in range(seeds):
            yield case(f"{scan.path.name} seed {seed}", scan.path.name, whole, seed, references)


def phantoms(shape: tuple[int, int], seeds: int) -> Iterator[Case]:
    size = f"{shape[0]} x {shape[1]}"
    for coils in COILS:
        clean, _ = phantom("anatomy", shape, coils, snr=None)
        for snr in SNRS:
            noisy, _ = phantom("anatomy", shape, coils, snr=snr)
            whole = prepare(noisy.entry(0))
            truth = prepare(replace(clean, noise=noisy.noise).entry(0))  # whitened alike
            name = f"anatomy {size}, {coils} coil{'s' * (coils > 1)}, SNR {snr:g}"
            references = {
                f"{size}, {name}": root_sum_of_squares(x) for name, x in (("reference", whole), ("truth", truth))
            }
            for seed in range(seeds):
                yield case(f"{name}, seed {seed}", name, whole, seed, references)


def magnitude(solution: Solution, case: Case) -> Tensor:
    return finish(solution.image, case.data).abs()


def solve(case: Case, method: str, lam: str) -> Solution:
    name, options = METHODS[method]
    return make_method(name, lam=lam, **options).solve(case.data)  # type: ignore[attr-defined,no-any-return]


def auto(case: Case, method: str) -> tuple[float, Tensor]:
    """Lambda, of the largest magnitude of A^H y, and the image."""
    solution = solve(case, method, "auto")
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
        return magnitude(solve(case, method, f"{FIRST * STEP**i:.6g}max"), case)

    for kind, truth in case.references.items():
        best_lam, best = best_on_grid(lambda i, truth=truth: psnr(truth, image_at(i)), KOLUMN[method])
        yield Row(case, kind, method, lam, best_lam, psnr(truth, image), best)


def losses(cases: Iterator[Case], methods: list[str]) -> None:
    print(
        "\n| case | method | auto lambda / max | oracle lambda / max | PSNR auto / dB | PSNR oracle / dB | loss / dB |"
    )
    print("|---|---|---|---|---|---|---|", flush=True)
    rows = []
    for one in cases:
        for method in methods:
            for row in lose(one, method):
                rows.append(row)
                print(row, flush=True)
    print("\n| | method | n | mean loss / dB | largest loss / dB | where |\n|---|---|---|---|---|---|")
    for kind in dict.fromkeys(row.kind for row in rows):
        for method in methods:
            of = [row for row in rows if (row.kind, row.method) == (kind, method)]
            worst = max(of, key=lambda row: row.loss)
            mean = statistics.mean(row.loss for row in of)
            print(f"| {kind} | {method} | {len(of)} | {mean:.2f} | {worst.loss:.2f} | {worst.case.name} |", flush=True)


Duel = tuple[float, float, float]  # PSNR of kolumn, of BART, and BART's lambda


def against_bart(cases: Iterator[Case]) -> None:
    print("\n" + "; ".join(f"{method}: bart pics -S -R {' '.join(words)}" for method, words in SETTINGS.items()))
    print("\n| scan | method | n | kolumn auto, PSNR / dB | BART oracle, PSNR / dB | difference / dB | BART's lambda |")
    print("|---|---|---|---|---|---|---|", flush=True)
    found: dict[tuple[str, str], list[Duel]] = {}
    for group, seeds in groupby(cases, lambda one: one.group):
        of: dict[tuple[str, str], list[Duel]] = {}
        for one in seeds:
            for method in SETTINGS:
                for kind, fought in duels(one, method).items():
                    of.setdefault((kind, method), []).append(fought)
        for (kind, method), fought in of.items():
            found.setdefault((kind, method), []).extend(fought)
            print(f"| {group}, {kind} | {method} | {summary(fought)} |", flush=True)
    for (kind, method), fought in found.items():
        apart = [ours - theirs for ours, theirs, _ in fought]
        ahead = f"n = {len(apart)}, ahead in {sum(d > 0 for d in apart)}"
        print(f"\n{kind}, {method}: kolumn auto - BART oracle {spread(apart, 2)} dB, {ahead}")


def duels(case: Case, method: str) -> dict[str, Duel]:
    """One against each reference."""
    peers = {crop: Bart(case.data, crop) for crop in (None, 0.0)}
    ours = auto(case, method)[1]

    @cache
    def theirs(lam: float, crop: float | None) -> Tensor:
        return finish(peers[crop].pics(method, lam), case.data).abs()

    found = {}
    for kind, truth in case.references.items():
        best_lam, best = best_on_grid(lambda i, truth=truth: psnr(truth, theirs(FIRST * STEP**i, None)), *BART[method])
        if case.data.n_coils > 1:
            best = max(best, psnr(truth, theirs(best_lam, 0.0)))
        found[kind] = psnr(truth, ours), best, best_lam
    return found


def summary(fought: list[Duel]) -> str:
    ours, theirs, lams = (list(x) for x in zip(*fought, strict=True))
    apart = [a - b for a, b in zip(ours, theirs, strict=True)]
    cells = [spread(ours, 2), spread(theirs, 2), spread(apart, 2), f"{min(lams):.1e} to {max(lams):.1e}"]
    return " | ".join([f"{len(fought)}", *cells])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5, help="masks for each scan")
    parser.add_argument("--parts", type=names, default=["real", *SHAPES], help=f"real, {', '.join(SHAPES)}")
    parser.add_argument("--methods", type=names, default=list(METHODS), help=", ".join(METHODS))
    parser.add_argument("--files", type=names, help="parts of the names of real scans; all by default")
    parser.add_argument("--bart", action="store_true")
    options = parser.parse_args()
    torch.manual_seed(0)
    print(machine())
    scanned = real(options.folder, options.files, options.seeds)
    if options.bart:
        against_bart(scanned)
        return
    parts = {"real": scanned, **{name: phantoms(shape, options.seeds) for name, shape in SHAPES.items()}}
    losses((one for part in options.parts for one in parts[part]), options.methods)


if __name__ == "__main__":
    main()
