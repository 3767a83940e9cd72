"""One step of each optimizer against torch.optim and against the memory, contestants in turn in one process.

python benchmarks/optimizers.py [--rounds 9] [--flat 50000000] [--channels 64] [--only adam]
"""

from __future__ import annotations

import argparse
import itertools
import statistics
from collections.abc import Callable

import torch
from side_by_side import machine, side_by_side

from kolumn.optim import Optimizer, memory

# name: our rule and options, those of torch, and how often each parameter's bytes pass between memory and processor
CASES = {
    "SGD, momentum": ("sgd", {"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}, 5),  # w g m; w m
    "RMSprop": ("rmsprop", {}, torch.optim.RMSprop, {}, 5),  # w g v; w v
    "Adam": ("adam", {}, torch.optim.Adam, {}, 7),  # w g m v; w m v
}
OTHERS = ("adamw", "amsgrad", "schedule-free-sgd", "schedule-free-adamw", "lamb", "muon")
VARIANTS = ({"fused": True}, {"foreach": True}, {"foreach": False})


def unet(channels: int) -> list[tuple[int, ...]]:
    """Shapes of a U-Net of five levels with a scale and a shift after each convolution; 31 M numbers for 64."""
    c = [channels * 2**i for i in range(5)]
    pairs = [(2, c[0]), *itertools.pairwise(c), *((2 * b, b) for b in reversed(c[:-1]))]
    shapes: list[tuple[int, ...]] = []
    for before, after in pairs:
        for n in (before, after):
            shapes += [(after, n, 3, 3), (after,), (after,)]
    for above, below in itertools.pairwise(c):
        shapes += [(below, above, 2, 2), (above,)]
    return [*shapes, (2, c[0], 1, 1), (2,)]


def contestants(case: tuple, params: list[torch.Tensor]) -> dict[str, Callable[[], None]]:
    rule, ours, cls, theirs, _ = case
    found = {"kolumn": Optimizer(params, rule, lr=1e-6, **ours).step}
    for variant in VARIANTS:
        if "fused" in variant and cls is torch.optim.RMSprop:
            continue  # it has none
        name = ", ".join(f"{key}={value}" for key, value in variant.items())
        found[f"torch {name}"] = cls(params, lr=1e-6, **theirs, **variant).step
    return found


def streams(n: int) -> dict[str, tuple[Callable[[], object], int]]:
    """Plain passes over memory, and the bytes that each needs to move."""
    a, b, c = (torch.ones(n) for _ in range(3))
    return {
        "copy": (lambda: c.copy_(a), 2 * a.nbytes),
        "triad": (lambda: torch.add(a, b, alpha=2.0, out=c), 3 * a.nbytes),
        "sum in place": (lambda: c.add_(a, alpha=1e-9), 3 * a.nbytes),
    }


def run(title: str, shapes: list[tuple[int, ...]], rounds: int, only: str, n_stream: int) -> None:
    params = [torch.nn.Parameter(torch.randn(shape)) for shape in shapes]
    for p in params:
        p.grad = torch.randn_like(p)
    n = sum(p.numel() for p in params)
    print(f"\n{title}: {len(params)} tensors, {n / 1e6:.1f} M numbers\n")
    print("| rule | contestant | n | median / ms | min to max / ms | ratio to torch's fastest | ratio to the floor |")
    print("|---|---|---|---|---|---|---|")
    for name, case in CASES.items():
        if only not in name.lower():
            continue
        passes = streams(n_stream)
        times = side_by_side({**{k: f for k, (f, _) in passes.items()}, **contestants(case, params)}, rounds)
        bandwidth = max(moved / statistics.median(times[k]) for k, (_, moved) in passes.items())
        floor = 4 * n * case[-1] / bandwidth
        median = {k: statistics.median(t) for k, t in times.items()}
        fastest = min((k for k in median if k.startswith("torch")), key=median.__getitem__)
        print(f"| {name} | memory floor at {bandwidth / 1e9:.0f} GB/s | {rounds} | {1e3 * floor:.1f} | | | 1 |")
        for k in (k for k in times if k not in passes):
            spread = f"{1e3 * min(times[k]):.1f} to {1e3 * max(times[k]):.1f}"
            ratio = statistics.median(x / y for x, y in zip(times[k], times[fastest], strict=True))
            middle, over = 1e3 * median[k], median[k] / floor
            print(f"| {name} | {k} | {rounds} | {middle:.1f} | {spread} | {ratio:.2f} | {over:.2f} |")


def others(n: int, rounds: int) -> None:
    """The rules that torch has in part only, beside plain Adam."""
    params = [torch.nn.Parameter(torch.randn(n))]
    params[0].grad = torch.randn(n)
    made = {rule: Optimizer(params, rule, lr=1e-6) for rule in ("adam", *OTHERS)}
    times = side_by_side({rule: lambda o=o: o.step() for rule, o in made.items()}, rounds)
    print("\n| rule | n | median / ms | min to max / ms | buffers | bytes per parameter |")
    print("|---|---|---|---|---|---|")
    for rule, t in times.items():
        kept = memory(made[rule])
        spread = f"{1e3 * min(t):.1f} to {1e3 * max(t):.1f}"
        print(
            f"| {rule} | {rounds} | {1e3 * statistics.median(t):.1f} | {spread} | {kept.buffers:g} | {kept.bytes:g} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--flat", type=int, default=50_000_000)
    parser.add_argument("--channels", type=int, default=64)
    parser.add_argument("--only", default="", help="part of the name of a rule")
    parser.add_argument("--others", action="store_true", help="also the other rules, on a tenth of the numbers")
    options = parser.parse_args()
    print(machine())
    run("U-Net", unet(options.channels), options.rounds, options.only, options.flat)
    run("one flat tensor", [(options.flat,)], options.rounds, options.only, options.flat)
    if options.others:
        others(options.flat // 10, options.rounds)


if __name__ == "__main__":
    main()
