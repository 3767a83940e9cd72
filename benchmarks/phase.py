"""What the phase of a scan costs each method: the table "What its phase costs" in docs/networks-results.md.

    python benchmarks/phase.py ../shared/data [--files brain_gre,brain_t1] [--methods unrolled,tv] [--seeds 3]

k-space is made again from the magnitude, the maps and the noise level of a real scan, with its own phase, with what is
left of it under a Hann window of so many lines, and with none. All else is the same, so the image is as hard, but for
its phase. PSNR against the image without noise; random columns, 4x with 8 % and 8x with 4 % centre.
"""

from __future__ import annotations

import argparse
import statistics
from dataclasses import replace
from pathlib import Path

import torch
from real_scans import names, scans
from side_by_side import machine
from torch import Tensor

from kolumn.coils import combine, estimate_maps, root_sum_of_squares
from kolumn.fourier import fft2, ifft2
from kolumn.masks import make_mask
from kolumn.metrics import psnr
from kolumn.nn.level import noise_level
from kolumn.nn.phase import phase_of_middle
from kolumn.recon import make_method
from kolumn.recon.prepare import finish, prepare
from kolumn.report.compare import undersampled

RATES = ((4.0, 0.08), (8.0, 0.04))
LINES = (160, 96, 48, 24)


def phases(image: Tensor) -> dict[str, Tensor]:
    """Phase factors (y, x), by name."""
    smooth = {f"{lines} lines": phase_of_middle(image, torch.full((1, 1), float(lines))) for lines in LINES}
    return {"its own": torch.sgn(image), **smooth, "none": torch.ones_like(image)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--files", type=names, default=["brain_gre", "brain_t1"])
    parser.add_argument("--methods", type=names, default=["unrolled", "tv"])
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    methods = {name: make_method(name) for name in arguments.methods}
    print(machine())
    print(f"| scan | x | phase | {' | '.join(methods)} |")
    print(f"|---|---|---|{'---|' * len(methods)}")
    for scan in scans(arguments.folder, arguments.files):
        whole = prepare(scan.load(scan.n_slices // 2))
        maps, sigma = estimate_maps(whole), float(noise_level(whole))
        image = combine(ifft2(whole.kspace), maps)
        noise = sigma * torch.randn(maps.shape, dtype=maps.dtype, generator=torch.Generator().manual_seed(0))
        for acceleration, center in RATES:
            for name, phase in phases(image).items():
                clean = maps * (image.abs() * phase)
                scores: dict[str, list[float]] = {method: [] for method in methods}
                for seed in range(arguments.seeds):
                    mask = make_mask("random", tuple(image.shape), acceleration, center, seed).samples
                    data = undersampled(replace(whole, kspace=fft2(clean) + noise), mask)
                    for key, method in methods.items():
                        scores[key].append(psnr(root_sum_of_squares(clean), finish(method(data), data).abs()))
                means = " | ".join(f"{statistics.mean(values):.2f}" for values in scores.values())
                print(f"| {scan.path.name} | {acceleration:g} | {name} | {means} |", flush=True)


if __name__ == "__main__":
    main()
