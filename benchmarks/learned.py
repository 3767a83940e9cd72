"""The networks against compressed sensing with the best lambda, which takes the truth to find.

    python benchmarks/learned.py real ../shared/data [--seeds 5] [--files brain_gre,brain_t1,p1_]
    python benchmarks/learned.py cells | robustness [--images FILE --people s08,ulf-p1] [--count 3]
    python benchmarks/learned.py time -o figure.png

real: raw k-space, the middle slice, random columns at 4x (8 % centre) and 8x (4 %). The reference is the root sum of
squares of all of k-space, noise included (rss), and the same less its noise floor (unbiased).
cells: simulated scans of images that no network was trained on, against the noise-free image, over coils, masks,
accelerations and noise levels. robustness: the same where training never was. time: quality against seconds.

"tv*" and "wavelet*" have the best lambda of a grid in steps of 10^(1/4) and 10^(1/2) (see lambda_oracle.py) by PSNR
against the reference at hand, with one lambda for each scan, mask and reference. Rows with x = 1 are networks on all of
k-space: what is above that, against the reference at hand, is noise given back. A method "unrolled+60" is adapted to
each scan in 60 steps.
"""

from __future__ import annotations

import argparse
import statistics
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import torch
from lambda_oracle import FIRST, STEP, best_on_grid
from matplotlib.figure import Figure
from real_scans import names, scans, spread
from side_by_side import machine, side_by_side
from torch import Tensor

from kolumn.acquisition import Acquisition, acquire
from kolumn.coils import estimate_maps
from kolumn.errors import CalibrationError, OutsideTraining
from kolumn.masks import make_mask
from kolumn.metrics import psnr, ssim
from kolumn.phantoms import phantom
from kolumn.recon import Reconstructor, TotalVariation, make_method
from kolumn.recon.prepare import finish, prepare
from kolumn.report.compare import undersampled
from kolumn.report.reference import REFERENCES
from kolumn.train.images import HELD_OUT, read_slices
from kolumn.train.masks import RandomMasks
from kolumn.train.simulated import Simulated

NETWORKS = ("unrolled", "unet", "learned-cs")
ORACLES = {"tv*": ("tv", None, True), "wavelet*": ("wavelet", 6, False)}
RATES = ((4.0, 0.08), (8.0, 0.04))
COILS = (1, 4, 8, 16)
MASKS = ("random", "equispaced", "gaussian2d", "poisson")
SNRS = ((60.0, 60.0), (15.0, 15.0))
SIZE = 176
WORDS = {"noise": {"denoise": False}, "mirrored": {"mirrored": True}}


@dataclass(frozen=True)
class Case:
    """Undersampled data, what to compare with, and what the networks get where that is something else."""

    data: Acquisition
    truths: dict[str, Tensor]
    given: Acquisition | None = None


@dataclass
class Table:
    """PSNR and SSIM by reference and method."""

    scores: dict[tuple[str, str], list[tuple[float, float]]] = field(default_factory=dict)

    def add(self, case: Case, methods: tuple[str, ...]) -> None:
        """Reconstruct by the oracles and by the methods."""
        for method, (name, begin, fine) in ORACLES.items():
            data = with_maps(case.data)

            @cache
            def image(i: int, name: str = name, data: Acquisition = data) -> Tensor:
                return magnitude(make_method(name, lam=f"{FIRST * STEP**i:.6g}max")(data), data)

            for kind, truth in case.truths.items():
                lam, _ = best_on_grid(lambda i, truth=truth, image=image: psnr(truth, image(i)), begin, fine)
                best = round(torch.tensor(lam / FIRST).log().item() / torch.tensor(STEP).log().item())
                self._keep(kind, method, truth, image(best))
        for method in methods:
            given = case.given or case.data
            found = magnitude(make(method)(given), given)
            for kind, truth in case.truths.items():
                self._keep(kind, method, truth, found)

    def _keep(self, kind: str, method: str, truth: Tensor, image: Tensor) -> None:
        self.scores.setdefault((kind, method), []).append((psnr(truth, image), ssim(truth, image)))

    def mean(self, kind: str, method: str) -> tuple[float, float]:
        p, s = zip(*self.scores[kind, method], strict=True)
        return statistics.mean(p), statistics.mean(s)

    def ahead(self, kind: str, method: str) -> tuple[float, float]:
        """How much better than the better of the oracles."""
        ours = self.mean(kind, method)
        return tuple(a - max(self.mean(kind, name)[i] for name in ORACLES) for i, a in enumerate(ours))  # type: ignore[return-value]


def make(method: str) -> Reconstructor:
    """A method; "unrolled+60" has 60 steps of training on the scan itself, for other words see WORDS."""
    name, *words = method.split("+")
    options = (WORDS[word] if word in WORDS else {"adapt": int(word)} for word in words)
    return make_method(name, **{key: value for some in options for key, value in some.items()})


def with_maps(data: Acquisition) -> Acquisition:
    """With the maps of compressed sensing, and with few lines those that the networks take."""
    try:
        return replace(data, maps=TotalVariation().estimate(data))
    except CalibrationError:
        return replace(data, maps=TotalVariation(maps="walsh").estimate(data))


def magnitude(image: Tensor, data: Acquisition) -> Tensor:
    return finish(image, data).abs()


def real(options: argparse.Namespace) -> None:
    print(f"n = {options.seeds} seeds: PSNR / dB (least to most), SSIM; ahead: of the better of tv* and wavelet*\n")
    print("| scan | x | reference | method | PSNR / dB | SSIM | ahead / dB | ahead, SSIM |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for scan in scans(options.folder, options.files):
        whole = prepare(scan.load(scan.n_slices // 2))
        for method in options.methods:
            image = magnitude(make(method)(whole), whole)
            for kind, f in REFERENCES.items():
                p, s = psnr(f(whole), image), ssim(f(whole), image)
                print(f"| {scan.path.name} | 1 | {kind} | {method} | {p:.2f} | {s:.3f} | | |", flush=True)
    for acceleration, centre in RATES:
        for scan in scans(options.folder, options.files):
            whole = prepare(scan.load(scan.n_slices // 2))
            table = Table()
            for seed in range(options.seeds):
                shape = (whole.kspace.shape[-2], whole.kspace.shape[-1])
                data = undersampled(whole, make_mask("random", shape, acceleration, centre, seed).samples)
                table.add(Case(data, {name: f(whole) for name, f in REFERENCES.items()}), options.methods)
            for kind, method in table.scores:
                p, s = (list(x) for x in zip(*table.scores[kind, method], strict=True))
                more = [f"{x:+.{2 + i}f}" for i, x in enumerate(table.ahead(kind, method))]
                cells = [scan.path.name, f"{acceleration:g}", kind, method, spread(p, 2), f"{statistics.mean(s):.3f}"]
                print(f"| {' | '.join(cells + more)} |", flush=True)


@dataclass(frozen=True)
class Images:
    """What the simulated scans are of."""

    options: argparse.Namespace

    def source(self, coils: int, mask: str, rate: tuple[float, float], snr: tuple[float, float]) -> Simulated:
        families = dict(HELD_OUT)
        if self.options.images is not None:
            families = {"people": read_slices(self.options.images).only(set(self.options.people))}
        plane = float(mask in ("gaussian2d", "poisson"))
        masks = RandomMasks((rate[0],) * 2, (rate[1],) * 2, plane, {mask: 1.0})
        # Where the mask is of a plane its kind is drawn from two; the seed makes it the same for all methods.
        simple = Simulated(1000, families=families, sizes=(SIZE,), known=0.0, fat=0.0, ripples=0.0)
        return replace(simple, coils={coils: 1.0}, masks=masks, snr=snr, estimated=1.0)

    def cases(self, *what: object) -> Iterator[Case]:
        source = self.source(*what)  # type: ignore[arg-type]
        for i in range(self.options.count):
            sample = source[i]
            entry = replace(sample.acquisition.entry(0), maps=None)
            yield Case(entry, {"truth": sample.target[0].abs()})


def line(cells: list[str], table: Table, methods: tuple[str, ...]) -> str:
    scores = [f"{table.mean('truth', m)[0]:.2f}" for m in ("zero-filled", *ORACLES)]
    for method in methods:
        p, s = table.mean("truth", method)
        better = table.ahead("truth", method)
        scores.append(f"{p:.2f} ({better[0]:+.2f}), {s:.3f} ({better[1]:+.3f})")
    return f"| {' | '.join([*cells, *scores])} |"


def header(first: list[str], methods: tuple[str, ...]) -> str:
    columns = [*first, "zero-filled", *ORACLES, *(f"{m}: PSNR (ahead), SSIM (ahead)" for m in methods)]
    return f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}"


def cells(options: argparse.Namespace) -> None:
    images = Images(options)
    print(header(["coils", "mask", "x", "SNR"], options.methods), flush=True)
    behind: dict[str, list[tuple[float, float]]] = {m: [] for m in options.methods}
    for coils in options.coils:
        for mask in MASKS[:3]:
            for rate in RATES:
                for snr in SNRS:
                    table = Table()
                    for case in images.cases(coils, mask, rate, snr):
                        table.add(case, ("zero-filled", *options.methods))
                    print(line([f"{coils}", mask, f"{rate[0]:g}", f"{snr[0]:g}"], table, options.methods), flush=True)
                    for method in options.methods:
                        behind[method].append(table.ahead("truth", method))
    for method, all_of in behind.items():
        p, s = zip(*all_of, strict=True)
        print(f"\n{method}: {len(p)} cells, n = {options.count} each; ahead by {statistics.mean(p):+.2f} dB on average")
        print(f"({min(p):+.2f} to {max(p):+.2f}), below -0.1 dB in {sum(x < -0.1 for x in p)} of them; SSIM ahead by")
        print(f"{statistics.mean(s):+.3f} on average ({min(s):+.3f} to {max(s):+.3f})", flush=True)


def _dead(case: Case) -> Case:
    k = case.data.kspace.clone()
    k[2] = 0
    return Case(replace(case.data, kspace=k), case.truths)


def _wrong_maps(case: Case) -> Case:
    """Maps of a head that has moved by a tenth of the image."""
    maps = estimate_maps(case.data, "espirit", outside=1.0).roll(SIZE // 10, -1)
    return Case(case.data, case.truths, replace(case.data, maps=maps))


def _pairs(case: Case) -> Case:
    """Two neighbouring columns in eight, and 16 in the middle."""
    n = case.data.kspace.shape[-1]
    x = torch.arange(n)
    samples = (x // 2 % 4 == 0) | ((x - n // 2).abs() < 8)
    return Case(acquire(case.data.kspace, samples), case.truths)


def _same(case: Case) -> Case:
    return case


ROBUSTNESS: dict[str, tuple[tuple[object, ...], Callable[[Case], Case]]] = {
    "as in training: 8 coils, random 4x, SNR 30": ((8, "random", RATES[0], (30.0, 30.0)), _same),
    "the most noise of training, SNR 2": ((8, "random", RATES[0], (2.0, 2.0)), _same),
    "noise twice that, SNR 1": ((8, "random", RATES[0], (1.0, 1.0)), _same),
    "12x, 3 % centre": ((8, "random", (12.0, 0.03), (30.0, 30.0)), _same),
    "20 coils": ((20, "random", RATES[0], (30.0, 30.0)), _same),
    "one coil of 8 dead": ((8, "random", RATES[0], (30.0, 30.0)), _dead),
    "maps of a head that has moved by a tenth (networks alone)": ((8, "random", RATES[0], (30.0, 30.0)), _wrong_maps),
    "a mask that training never had: columns in pairs, 3x": ((8, "full", (1.0, 1.0), (30.0, 30.0)), _pairs),
}


def robustness(options: argparse.Namespace) -> None:
    images = Images(options)
    print(header(["", f"{options.methods[0]} warns in"], options.methods), flush=True)
    for name, (what, change) in ROBUSTNESS.items():
        table, warned = Table(), 0
        for case in images.cases(*what):
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", OutsideTraining)
                table.add(change(case), ("zero-filled", *options.methods))
            warned += any(str(w.message).startswith(options.methods[0]) for w in caught)
        print(line([name, f"{warned} of {options.count}"], table, options.methods), flush=True)


def quality_against_time(options: argparse.Namespace) -> None:
    scan, images = phantom("anatomy", (320, 320), n_coils=8, snr=40.0)
    data, image = acquire(scan.kspace[0], make_mask("random", (320, 320), 4.0, 0.08, 0).samples), images[0]
    runs = {name: make(name) for name in ("zero-filled", "sense", "grappa", *options.methods)}
    for method in ("tv", "wavelet"):
        runs[f"{method}, 30 iterations"] = make_method(method, lam="0.001max", max_iterations=30, tolerance=0.0)
        runs[f"{method}, automatic lambda"] = make_method(method)
    times = side_by_side({name: (lambda run=run: run(data)) for name, run in runs.items()}, options.rounds)
    print("| method | n | median / s | min to max / s | PSNR / dB | SSIM |\n|---|---|---|---|---|---|")
    points: dict[str, tuple[float, float]] = {}
    for name, seconds in times.items():
        found = runs[name](data).abs()
        p, s = psnr(image.abs(), found), ssim(image.abs(), found)
        points[name] = statistics.median(seconds), p
        spread = f"{min(seconds):.3f} to {max(seconds):.3f}"
        print(f"| {name} | {len(seconds)} | {points[name][0]:.3f} | {spread} | {p:.2f} | {s:.3f} |", flush=True)
    if options.output:
        draw(points, options.output)


def draw(points: dict[str, tuple[float, float]], output: str) -> None:
    """Quality against time."""
    figure = Figure(figsize=(9, 5), layout="constrained")
    axes = figure.add_subplot()
    for (name, (seconds, p)), marker in zip(points.items(), "osD^v<>PX*hd", strict=False):
        axes.plot(seconds, p, marker, markersize=9, label=name)
    axes.set(xscale="log", xlabel="seconds, 2 threads", ylabel="PSNR / dB")
    axes.set_title("8 coils, 320 x 320, random columns at 4x, simulated head")
    axes.grid(alpha=0.3)
    figure.legend(loc="outside right center")
    figure.savefig(output, dpi=110)


PARTS = {"real": real, "cells": cells, "robustness": robustness, "time": quality_against_time}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("part", choices=PARTS)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--files", type=names, help="parts of the names of real scans; all by default")
    parser.add_argument("--methods", type=lambda text: tuple(names(text)), default=NETWORKS)
    parser.add_argument("--coils", type=lambda text: [int(n) for n in names(text)], default=list(COILS))
    parser.add_argument("--images", type=Path, help="HDF5 file of magnitudes; by default heads are drawn")
    parser.add_argument("--people", type=names, help="who of these, kept out of training")
    parser.add_argument("--count", type=int, default=3, help="simulated scans of each cell")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("-o", "--output")
    options = parser.parse_args()
    warnings.simplefilter("ignore", OutsideTraining)
    print(machine() + "\n")
    PARTS[options.part](options)


if __name__ == "__main__":
    main()
