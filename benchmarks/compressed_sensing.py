"""Compressed sensing: seconds to 1e-3 and 1e-4 of the least objective, kolumn and its peers side by side in one run.

    python benchmarks/compressed_sensing.py [--rounds 5] [--case tv8,wavelet8] [--peers sigpy,bart] [--sweep] [--volume]

The iterations to each gap are counted first, with the float64 objective of every iterate; then runs of that many
iterations are timed, with nobody looking. A run is from arrays in memory to an image, start included; for BART, from
files in memory, less the time of the same command on 16 x 16.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from cs_candidate import Candidate, iterations_to
from cs_kolumn import kolumn_batch, kolumn_candidate
from cs_peers import ALGORITHMS, BEST, GAPS, PEERS, installed, sweep
from cs_problem import CASES, Problem, make_problem
from side_by_side import machine, side_by_side

KOLUMN = "kolumn"
Key = tuple[str, str, float]  # name, settings, gap


def candidates(problem: Problem, peers: list[str]) -> list[Candidate]:
    """kolumn, then each peer as it comes and with its best settings."""
    found = [c for c in [kolumn_candidate(problem)] if c]
    for algorithm in ALGORITHMS[problem.regulariser]:
        if algorithm.peer not in peers:
            continue
        if algorithm.default is not None:
            found.append(algorithm.candidate(problem, None))
        found += [algorithm.candidate(problem, s) for s in BEST.get((problem.name, algorithm.steps), [])]
    return found


def count(problem: Problem, found: list[Candidate], cap: float) -> dict[Key, tuple[Candidate, int | None]]:
    """Iterations of each candidate to each gap."""
    counts = {}
    for candidate in found:
        found_at = iterations_to(candidate, problem.judge, GAPS, cap)
        print(f"counted {candidate.name}, {candidate.settings}: {found_at}", file=sys.stderr)
        for gap, n in zip(GAPS, found_at, strict=True):
            counts[candidate.name, candidate.settings, gap] = candidate, n
    return counts


def timed(counts: dict[Key, tuple[Candidate, int | None]], rounds: int) -> dict[Key, list[float]]:
    """Seconds of each round, less what is idle."""
    runs = {}
    for key, (candidate, n) in counts.items():
        if n is not None:
            runs[key] = lambda c=candidate, n=n: c.run(n)
            if candidate.idle:
                runs[key, "idle"] = candidate.idle
    times = side_by_side(runs, rounds)

    def net(key: Key) -> list[float]:
        idle = times.get((key, "idle"), [0.0] * rounds)
        return [a - b for a, b in zip(times[key], idle, strict=True)]

    return {key: net(key) for key in counts if key in times}


def table(counts: dict[Key, tuple[Candidate, int | None]], times: dict[Key, list[float]], cap: float) -> None:
    for gap in GAPS:
        base = next((times[k] for k in times if k[0] == KOLUMN and k[2] == gap), None)
        print(f"\nTo {gap:g} of the least objective:\n")
        print("| candidate | settings | iterations | n | median / s | min to max / s | ratio to kolumn |")
        print("|---|---|---|---|---|---|---|")
        for key, (_, n) in counts.items():
            if key[2] == gap:
                print(f"| {key[0]} | {key[1]} | {row(n, times.get(key), base, cap)} |")


def row(n: int | None, seconds: list[float] | None, base: list[float] | None, cap: float) -> str:
    if n is None or seconds is None:
        return f"- | - | not in {cap:g} | - | -"
    ratio = f"{statistics.median(a / b for a, b in zip(seconds, base, strict=True)):.1f}" if base else "-"
    spread = f"{min(seconds):.3f} to {max(seconds):.3f}"
    return f"{n} | {len(seconds)} | {statistics.median(seconds):.3f} | {spread} | {ratio}"


def floor(problem: Problem, iterations: int, rounds: int) -> None:
    """The 1-D FFTs alone: all coils forward and back along the phase encode, as often as kolumn iterates."""
    x = problem.kspace

    def transforms() -> None:
        for _ in range(iterations):
            torch.fft.ifft(torch.fft.fft(x))

    seconds = side_by_side({"floor": transforms}, rounds)["floor"]
    print(f"\nThe 1-D FFTs of {iterations} iterations alone: {statistics.median(seconds):.3f} s.")


def volume(rounds: int, slices: int = 30) -> None:
    """Slices as one batch against as many single ones, the same iterations each."""
    problems = [make_problem("tv8", seed=i) for i in range(slices)]
    single = kolumn_candidate(problems[0])
    if single is None:
        return
    n = iterations_to(single, problems[0].judge, GAPS[:1], 60, [1000])[0]
    batch = kolumn_batch(problems, n)
    single.run(n)
    grown = growth(batch)
    times = side_by_side({"one": lambda: single.run(n), "batch": batch}, rounds)
    one, all_of_them = statistics.median(times["one"]), statistics.median(times["batch"])
    ratio = statistics.median(b / (slices * a) for a, b in zip(times["one"], times["batch"], strict=True))
    print(f"\n## {slices} slices as a batch, {n} iterations each\n")
    print(f"One slice {one:.3f} s, {slices} slices {all_of_them:.2f} s: {ratio:.2f} of {slices} times a slice.")
    print(f"Peak memory grew by {grown:.0f} MiB in the batch; its k-space is {batch_mib(problems):.0f} MiB.")
    print(f"All cores at once do {throughput(rounds):.2f} times the FFTs of one.")


def throughput(rounds: int) -> float:
    """How many times the work of one core all of them do at once, in FFTs that fit into a core's cache."""
    n = torch.get_num_threads()
    lines = [torch.randn(32, 320, dtype=torch.complex64) for _ in range(n)]

    def transforms(x: torch.Tensor) -> None:
        for _ in range(2000):
            torch.fft.fft(x)

    torch.set_num_threads(1)
    with ThreadPoolExecutor(n, initializer=lambda: torch.set_num_threads(1)) as pool:
        both = {"one": lambda: transforms(lines[0]), "all": lambda: list(pool.map(transforms, lines))}
        times = side_by_side(both, rounds)
    torch.set_num_threads(n)
    return statistics.median(n * a / b for a, b in zip(times["one"], times["all"], strict=True))


def growth(run: Callable[[], object]) -> float:
    """MiB by which memory at its peak exceeds what there was before."""
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = resident("VmRSS")
    run()
    return resident("VmHWM") - before


def resident(which: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(which))


def batch_mib(problems: list[Problem]) -> float:
    return sum(p.kspace.nbytes for p in problems) / 2**20


def benchmark(name: str, args: argparse.Namespace, peers: list[str]) -> None:
    problem = make_problem(name, args.lam)
    n_coils, acceleration, centre, regulariser = CASES[name]
    print(f"\n## {name}: {regulariser}, {n_coils} coils, {acceleration:g}x, centre {centre:.0%}\n")
    print(f"lambda {problem.lam:.4e} ({args.lam:g} of the largest magnitude of A^H y), optimum ", end="", flush=True)
    print(f"{problem.judge.optimum:.8e}", flush=True)
    counts = count(problem, candidates(problem, peers), args.cap)
    times = timed(counts, args.rounds)
    table(counts, times, args.cap)
    for (who, _, gap), (_, n) in counts.items():
        if who == KOLUMN and gap == GAPS[0] and n:
            floor(problem, n, args.rounds)


def sweeps(name: str, peers: list[str]) -> None:
    """Print every setting's counts, and the best of them as a line for BEST."""
    problem, done = make_problem(name), set()
    for algorithm in ALGORITHMS[problem.regulariser]:
        if algorithm.peer in peers and algorithm.steps not in done:
            done.add(algorithm.steps)
            print(f"{name}, {algorithm.steps}, counted with {algorithm.peer}", flush=True)
            start = time.perf_counter()
            best = sweep(problem, algorithm)
            settings = [s for i, (_, _, s) in enumerate(best) if s is not None and s not in [b[2] for b in best[:i]]]
            print(f"    ({name!r}, {algorithm.steps!r}): {settings},  # {[b[1] for b in best]} iterations")
            print(f"    took {time.perf_counter() - start:.0f} s", flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--case", default=",".join(CASES), help="some of " + ",".join(CASES) + ", or none")
    parser.add_argument("--peers", default=",".join(PEERS), help="some of " + ",".join(PEERS) + ", or none")
    parser.add_argument("--cap", type=float, default=20, help="seconds after which a candidate has not got there")
    parser.add_argument("--lam", type=float, default=1e-3, help="lambda over the largest magnitude of A^H y")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--sweep", action="store_true", help="look for the peers' best settings instead")
    parser.add_argument("--volume", action="store_true", help="also 30 slices as a batch")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    torch.set_num_threads(args.threads)
    wanted = [p for p in args.peers.split(",") if p in PEERS]
    peers = [p for p in wanted if installed(p)]
    warnings.simplefilter("ignore")  # some of them turn it up
    print(machine())
    for peer in wanted:
        if peer not in peers:
            print(f"{peer} is not installed: skipped.")
    for name in args.case.split(","):
        if name in CASES:
            sweeps(name, peers) if args.sweep else benchmark(name, args, peers)
    if args.volume and not args.sweep:
        volume(args.rounds)


if __name__ == "__main__":
    main()
