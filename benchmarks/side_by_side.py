"""Time candidates side by side: each once in turn, over and over, so that a noisy minute hits them all.

The turns are drawn anew in each round: what a candidate leaves in the caches, and in the allocator, hits them all too.
"""

from __future__ import annotations

import os
import platform
import random
import statistics
import time
from collections.abc import Callable

import torch


def side_by_side(candidates: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each round, after one that does not count."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    turns = random.Random(0)
    for i in range(rounds + 1):
        for name in turns.sample(list(candidates), len(candidates)):
            start = time.perf_counter()
            candidates[name]()
            if i:
                times[name].append(time.perf_counter() - start)
    return times


def report(times: dict[str, list[float]], base: str) -> None:
    """A Markdown table: median, spread, and the median of the ratios to ``base`` round by round."""
    print("| candidate | n | median / s | min to max / s | ratio to " + base + " |")
    print("|---|---|---|---|---|")
    for name, seconds in times.items():
        ratio = statistics.median(a / b for a, b in zip(seconds, times[base], strict=True))
        spread = f"{min(seconds):.3f} to {max(seconds):.3f}"
        print(f"| {name} | {len(seconds)} | {statistics.median(seconds):.3f} | {spread} | {ratio:.2f} |")


def machine() -> str:
    """What this runs on, in words."""
    model = next(
        (line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")),  # noqa: PTH123, SIM115
        platform.processor(),
    )
    return f"{model}, {os.cpu_count()} cores, torch {torch.__version__} on {torch.get_num_threads()} threads"
