"""The unrolled network against thirty iterations of compressed sensing, kolumn's and the peers'.

    python benchmarks/thirty_iterations.py [--rounds 7]

8 coils, 320 x 320, random columns at 4x. kolumn's times and BART's have maps estimated within; SigPy gets kolumn's maps
for nothing. Iterations are each program's own: FISTA for BART's and SigPy's wavelets, ADMM and PDHG for their total
variation, AL-P2 and POGM for kolumn's. Lambdas change the image and not the time. Peers that are not installed are
left out.
"""

from __future__ import annotations

import argparse
import importlib.util

import bart
from bart_pics import Bart
from side_by_side import machine, report, side_by_side

from kolumn.acquisition import acquire
from kolumn.coils import estimate_maps
from kolumn.masks import make_mask
from kolumn.phantoms import phantom
from kolumn.recon import make_method

N, LAM = 30, 0.002


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print(machine() + "\n")
    scan, _ = phantom("anatomy", (320, 320), n_coils=8, snr=40.0)
    data = acquire(scan.kspace[0], make_mask("random", (320, 320), 4.0, 0.08, 0).samples)
    ours = {"unrolled": make_method("unrolled")}
    for method in ("tv", "wavelet"):
        ours[f"{method}, {N} iterations"] = make_method(method, lam="0.001max", max_iterations=N, tolerance=0.0)
    runs = {f"kolumn {name}": (lambda run=run: run(data)) for name, run in ours.items()}
    if bart.available():
        settings = {"total variation": ("T", "-i", f"{N}", "-u", "0.02"), "wavelets": ("W", "-i", f"{N}")}
        for name, words in settings.items():
            runs[f"BART {name}"] = lambda words=words: Bart(data).pics("", LAM, words)
    if importlib.util.find_spec("sigpy"):
        from sigpy.mri import app

        k, maps = data.kspace.numpy(), estimate_maps(data, "espirit").numpy()
        for name, App in {"total variation": app.TotalVariationRecon, "wavelets": app.L1WaveletRecon}.items():
            runs[f"SigPy {name}, maps given"] = lambda App=App: App(k, maps, LAM, max_iter=N, show_pbar=False).run()
    report(side_by_side(runs, options.rounds), "kolumn unrolled")


if __name__ == "__main__":
    main()
