"""Every method on every real scan of a folder: the tables of docs/results.md.

    python benchmarks/real_scans.py ../shared/data [--seeds 5]

Reference: root sum of squares (magnitude, for one coil) of the fully sampled file; scores over the whole volume.
Files that are themselves undersampled, or hold no k-space, are left out.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from side_by_side import machine

from kolumn.errors import KolumnError
from kolumn.io import Scan, open_scan
from kolumn.masks import make_mask
from kolumn.report import compare, fully_sampled

METHODS = ("zero-filled", "sense", "grappa")
MASKS = (("random", 4.0), ("equispaced", 2.0), ("equispaced", 3.0))


def scans(folder: Path) -> list[Scan]:
    found = []
    for path in sorted(folder.iterdir()):
        try:
            scan = open_scan(path)
            if fully_sampled(scan.load(0)):
                found.append(scan)
        except KolumnError:
            continue
    return found


def spread(values: list[float], digits: int) -> str:
    middle = f"{statistics.mean(values):.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    print(machine())
    for kind, acceleration in MASKS:
        seeds = range(options.seeds)
        print(f"\n### {kind}, {acceleration:g}x, 8 % centre, n = {options.seeds} seeds: mean (least to most)\n")
        print("| file | method | NMSE | PSNR / dB | SSIM | HFEN |\n|---|---|---|---|---|---|")
        for scan in scans(options.folder):
            runs = [
                compare(scan, lambda s, seed=seed: make_mask(kind, s, acceleration, 0.08, seed), METHODS)  # noqa: B023
                for seed in seeds
            ]
            for method in METHODS:
                scores = [r.results[method].scores for r in runs if not r.results[method].error]
                columns = [("nmse", 4), ("psnr", 2), ("ssim", 3), ("hfen", 3)]
                cells = [spread([s[name] for s in scores], digits) for name, digits in columns] if scores else ["-"] * 4
                print(f"| {scan.path.name} | {method} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
