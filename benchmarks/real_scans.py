"""Every method on every real scan of a folder: the tables of docs/results.md.

    python benchmarks/real_scans.py ../shared/data [--seeds 5] [--masks random4,equispaced2,equispaced3]
        [--methods zero-filled,sense,grappa,tv,wavelet] [--files brain_gre,siemens]

References: root sum of squares (magnitude, for one coil) of the fully sampled file (rss), and the same less its noise
floor (unbiased); both score the same images, over the whole volume.
Files that are themselves undersampled, or hold no k-space, are left out.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

import torch
from side_by_side import machine

from kolumn.errors import KolumnError
from kolumn.io import Scan, open_scan
from kolumn.masks import make_mask
from kolumn.metrics import score
from kolumn.recon.prepare import prepare
from kolumn.report import compare, fully_sampled
from kolumn.report.reference import REFERENCES

CENTRE = 0.08
LINEAR = ("zero-filled", "sense", "grappa")
MASKS = {  # kind, acceleration, methods
    "random4": ("random", 4.0, (*LINEAR, "tv", "wavelet")),
    "equispaced2": ("equispaced", 2.0, (*LINEAR, "tv")),
    "equispaced3": ("equispaced", 3.0, (*LINEAR, "tv")),
}
COLUMNS = (("nmse", 4), ("psnr", 2), ("ssim", 3), ("hfen", 3))


def scans(folder: Path, parts: list[str] | None = None) -> list[Scan]:
    """The fully sampled files of a folder, or those of them with one of ``parts`` in their names."""
    found = []
    for path in sorted(folder.iterdir()):
        if parts and not any(part in path.name for part in parts):
            continue
        try:
            scan = open_scan(path)
            if fully_sampled(scan.load(0)):
                found.append(scan)
        except KolumnError:
            continue
    return found


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def spread(values: list[float], digits: int) -> str:
    middle = f"{statistics.mean(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--masks", type=names, default=list(MASKS), help=", ".join(MASKS))
    parser.add_argument("--methods", type=names, help="of those that a mask has; all by default")
    parser.add_argument("--files", type=names, help="parts of their names; all by default")
    options = parser.parse_args()
    print(machine())
    for name in options.masks:
        kind, acceleration, methods = MASKS[name]
        methods = [m for m in methods if options.methods is None or m in options.methods]
        print(f"\n### {kind}, {acceleration:g}x, 8 % centre, n = {options.seeds} seeds: mean (least to most)\n")
        print(
            "| file | reference | method | NMSE | PSNR / dB | SSIM | HFEN |\n|---|---|---|---|---|---|---|", flush=True
        )
        for scan in scans(options.folder, options.files):
            table(scan, kind, acceleration, methods, options.seeds)


def table(scan: Scan, kind: str, acceleration: float, methods: list[str], seeds: int) -> None:
    """The rows of one scan."""
    wholes = [prepare(scan.load(i)) for i in range(scan.n_slices)]
    truths = {name: torch.stack([reference(whole) for whole in wholes]) for name, reference in REFERENCES.items()}
    runs = [
        compare(scan, lambda shape, seed=seed: make_mask(kind, shape, acceleration, CENTRE, seed), methods)
        for seed in range(seeds)
    ]
    for against, truth in truths.items():
        for method in methods:
            images = [r.results[method].images for r in runs]
            scores = [score(truth, image) for image in images if image is not None]
            cells = [spread([s[name] for s in scores], digits) for name, digits in COLUMNS] if scores else ["-"] * 4
            print(f"| {scan.path.name} | {against} | {method} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
