"""The linear map of a 30-slice, 15-coil, 640 x 368 volume against its bare FFTs and BART.

python benchmarks/linear.py [--rounds 7] [--slices 30]
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from pathlib import Path

import torch
from bart import available, bart, write
from side_by_side import machine, report, side_by_side

from kolumn.coils import linear_image, root_sum_of_squares
from kolumn.fourier import ifft2


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--slices", type=int, default=30)
    parser.add_argument("--shape", type=int, nargs=3, default=(15, 640, 368))
    options = parser.parse_args()
    kspace = torch.randn(options.slices, *options.shape, dtype=torch.complex64)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    linear_image(kspace)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) / 1024
    candidates = {
        "bare FFT": lambda: [torch.fft.ifft2(s) for s in kspace],
        "kolumn linear_image": lambda: linear_image(kspace),
        "plain ifft2, then rss": lambda: [root_sum_of_squares(ifft2(s)) for s in kspace],
    }
    folder = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=folder) as name:
        big, out, rss, tiny = (Path(name) / n for n in ("big", "out", "rss", "tiny"))
        if available():
            write(big, kspace)
            write(tiny, kspace[:1, :1, :8, :8])

            def on(source: Path) -> None:
                bart("fft", "-u", "-i", "3", str(source), str(out))
                bart("rss", "8", str(out), str(rss))

            candidates["bart fft, rss (two processes, files in memory)"] = lambda: on(big)
            candidates["bart on 8 x 8 (its start-up)"] = lambda: on(tiny)
        times = side_by_side(candidates, options.rounds)
    print(f"{machine()}; {options.slices} slices of {' x '.join(map(str, options.shape))}\n")
    report(times, "bare FFT")
    size = kspace.nbytes / 2**20
    print(f"\nPeak memory grew by {grown:.0f} MiB while linear_image ran on {size:.0f} MiB of k-space.")


if __name__ == "__main__":
    main()
