"""ESPIRiT against Debian's ``bart ecalib`` on a real 8-coil head: the same subspace, and the time.

    python benchmarks/espirit.py [--rounds 9] [--file ../shared/data/brain_gre_8coil.h5]

Both take the central 24 x 24 samples, a 6 x 6 kernel, singular values above sqrt(0.001) of the largest and a crop at
0.8. BART runs as a process with its files in memory; its start-up, timed on the smallest file it takes, is printed too.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import torch
from bart import available, bart, read_maps, write
from side_by_side import machine, report, side_by_side

from kolumn.coils import calibration_block, combine, espirit, root_sum_of_squares
from kolumn.fourier import ifft2
from kolumn.io import open_scan


def projection_error(maps: torch.Tensor, others: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Sine of the angle between two maps at each pixel of ``where``."""
    left = others - maps * combine(others, maps)
    return torch.linalg.vector_norm(left[:, where], dim=0)


def residual(maps: torch.Tensor, images: torch.Tensor, where: torch.Tensor) -> float:
    """What of the coil images the maps do not explain, relative."""
    left = images - maps * combine(images, maps)
    return float((left[:, where].abs().square().sum() / images[:, where].abs().square().sum()).sqrt())


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--file", default="../shared/data/brain_gre_8coil.h5")
    options = parser.parse_args()
    scan = open_scan(options.file).load(0)
    k = scan.kspace
    shape = (k.shape[-2], k.shape[-1])

    def ours() -> torch.Tensor:
        return espirit(calibration_block(scan, limit=(24, 24)), shape, threshold=0.001**0.5)

    maps = ours()
    folder = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder) as name:
        big, tiny, out = (Path(name) / n for n in ("big", "tiny", "out"))
        candidates = {"kolumn espirit": ours}
        if available():
            write(big, k)
            write(tiny, k[:, :32, :32])
            candidates["bart ecalib -m 1"] = lambda: bart("ecalib", "-m", "1", str(big), str(out))
            candidates["bart ecalib on 32 x 32 (about its start-up)"] = lambda: bart(
                "ecalib", "-m", "1", str(tiny), f"{out}t"
            )
        times = side_by_side(candidates, options.rounds)
        print(f"{machine()}; {Path(options.file).name}, {' x '.join(map(str, k.shape))}\n")
        report(times, "kolumn espirit")
        if available():
            compare(maps, read_maps(out, tuple(k.shape)), k)


def compare(maps: torch.Tensor, theirs: torch.Tensor, k: torch.Tensor) -> None:
    images = ifft2(k)
    rss = root_sum_of_squares(images)
    both = (maps.abs().sum(0) > 0) & (theirs.abs().sum(0) > 0)
    body = (rss > 0.08 * rss.max()) & both
    error = projection_error(maps, theirs, body)
    print(
        f"\nProjection error inside the body ({int(body.sum())} pixels): median {error.median():.1e}, "
        f"95th percentile {error.quantile(0.95):.1e}, 99th {error.quantile(0.99):.1e}, mean {error.mean():.1e}."
    )
    same = float(((maps.abs().sum(0) > 0) == (theirs.abs().sum(0) > 0)).float().mean())
    print(f"The supports agree in {100 * same:.2f} % of the pixels.")
    print(
        f"Unexplained part of the coil images inside the body: kolumn {residual(maps, images, body):.4f}, "
        f"bart {residual(theirs, images, body):.4f}."
    )
    differ = torch.zeros_like(body)
    differ[body] = error > 0.1
    print(
        f"In the {int(differ.sum())} pixels where they differ by more than 0.1: kolumn "
        f"{residual(maps, images, differ):.3f}, bart {residual(theirs, images, differ):.3f}."
    )


if __name__ == "__main__":
    main()
