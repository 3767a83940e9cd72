"""A^H A with as few coils as each row needs against all of them, and a whole solve of total variation with each.

    python benchmarks/fewer_coils.py [--coils 8,16,32] [--rounds 9]

The head of compressed_sensing.py, 320 x 320, random 4x, with arrays of several sizes; 30 iterations of tv at one
lambda, set-up included.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from unittest.mock import patch

import torch
from cs_problem import CASES, SIZE, make_problem
from side_by_side import machine, side_by_side

from kolumn.operators import Condensed, condensed, encoding
from kolumn.recon import TotalVariation, task


def ratio(times: dict[str, list[float]], name: str) -> str:
    all_coils, fewer = times[f"{name}, all"], times[f"{name}, fewer"]
    quotient = statistics.median(a / b for a, b in zip(all_coils, fewer, strict=True))
    return f"{1e3 * statistics.median(all_coils):.1f} | {1e3 * statistics.median(fewer):.1f} | {quotient:.2f}"


def with_all(run: Callable[[], object]) -> object:
    with patch.object(task, "condensed", lambda A: A):
        return run()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--coils", default="8,16,32")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"{machine()}; medians of {options.rounds}\n")
    tv = TotalVariation(lam="0.001max", tolerance=0, max_iterations=30, air=1)
    print("| coils | kept, mean | change | A^H A: all / ms | fewer / ms | times | tv: all / ms | fewer / ms | times |")
    print("|---|---|---|---|---|---|---|---|---|")
    for n in map(int, options.coils.split(",")):
        CASES["more coils"] = (n, 4.0, 0.08, "tv")
        problem = make_problem("more coils")
        A = encoding(problem.acquisition).uncentred
        G = condensed(A)
        blocks = G.blocks if isinstance(G, Condensed) else ((slice(None), A),)
        kept = sum(block.coils.maps.shape[1] * block.coils.maps.shape[2] for _, block in blocks) / SIZE
        x = problem.start[None]
        change = float((A.normal(x) - G.normal(x)).norm() / A.normal(x).norm())
        runs: dict[str, Callable[[], object]] = {
            "normal, all": lambda A=A, x=x: A.normal(x),
            "normal, fewer": lambda G=G, x=x: G.normal(x),
            "tv, all": lambda p=problem: with_all(lambda: tv(p.acquisition)),
            "tv, fewer": lambda p=problem: tv(p.acquisition),
        }
        times = side_by_side(runs, options.rounds)
        print(f"| {n} | {kept:.1f} | {change:.0e} | {ratio(times, 'normal')} | {ratio(times, 'tv')} |", flush=True)


if __name__ == "__main__":
    main()
