"""A U-Net's training step and inference against that of the fastmri package of the same size, in turn in one process.

    PYTHONPATH=src python benchmarks/networks.py [--rounds 9] [--shape 320 320] [--batch 1] [--channels 32] [--levels 4]
    python benchmarks/networks.py --methods
    python benchmarks/networks.py --denoiser

The first needs fastmri==0.3.0 beside torch; kolumn's source will do. A step is forward, mean absolute error, backward
and Adam, kolumn's its own. ``--methods`` times inference and a training step of kolumn's networks on 8 coils, maps
given; ``--denoiser`` a denoiser of ``unrolled`` compiled and by torch, with one thread and with all.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from unittest import mock

import torch
from side_by_side import machine, report, side_by_side
from torch import Generator, Tensor, nn

from kolumn.acquisition import Acquisition, acquire
from kolumn.nn import LearnedCS, UNet, Unrolled
from kolumn.nn.body import UNetBody
from kolumn.nn.denoiser import Denoiser
from kolumn.nn.precision import in_bfloat16
from kolumn.optim import Optimizer
from kolumn.phantoms import ARRAYS, phantom


def bodies(channels: int, levels: int) -> dict[str, tuple[nn.Module, bool]]:
    """Networks of the same layers, and whether to compute convolutions in bfloat16."""
    warnings.simplefilter("ignore")
    from fastmri.models import Unet

    found: dict[str, tuple[nn.Module, bool]] = {"fastmri float32": (Unet(1, 1, channels, levels), False)}
    found["fastmri bfloat16 autocast"] = (Unet(1, 1, channels, levels), True)
    for norm in ("instance", "group"):
        for mixed in (False, True):
            network = UNetBody(1, 1, channels, levels, norm, Generator().manual_seed(0))
            found[f"kolumn {norm} norm {'bfloat16' if mixed else 'float32'}"] = network, mixed
    return found


def step_of(network: nn.Module, mixed: bool, x: Tensor, target: Tensor) -> Callable[[], None]:
    """A training step."""
    ours = isinstance(network, UNetBody)
    adam = Optimizer(network.parameters(), "adam", lr=1e-5) if ours else torch.optim.Adam(network.parameters(), 1e-5)

    def step() -> None:
        adam.zero_grad()
        with in_bfloat16(mixed, x.device):
            y = network(x)
        (y.float() - target).abs().mean().backward()
        adam.step()

    return step


def inference_of(network: nn.Module, mixed: bool, x: Tensor) -> Callable[[], None]:
    """A forward pass."""

    def run() -> None:
        with torch.no_grad(), in_bfloat16(mixed, x.device):
            network(x)

    return run


def against_fastmri(options: argparse.Namespace) -> None:
    x = torch.randn(options.batch, 1, *options.shape)
    networks = bodies(options.channels, options.levels)
    sizes = {sum(p.numel() for p in net.parameters()) for net, _ in networks.values()}
    print(f"{machine()}; {' x '.join(map(str, x.shape))}, {min(sizes)} to {max(sizes)} parameters\n\nTraining step:\n")
    steps = {name: step_of(net, mixed, x, torch.zeros_like(x)) for name, (net, mixed) in networks.items()}
    report(side_by_side(steps, options.rounds), "fastmri float32")
    print("\nInference:\n")
    runs = {name: inference_of(net.eval(), mixed, x) for name, (net, mixed) in networks.items()}
    report(side_by_side(runs, options.rounds), "fastmri float32")


def scan(shape: tuple[int, int]) -> Acquisition:
    """4-fold random columns of 8 coils."""
    acquisition, _ = phantom("anatomy", shape, n_coils=8, snr=30.0)
    n = shape[1]
    mask = torch.rand(n, generator=Generator().manual_seed(0)) < 0.19
    mask[n // 2 - n // 25 : n // 2 + n // 25] = True
    return acquire(acquisition.kspace, mask, ARRAYS["biot-savart"](8, shape), acquisition.noise)


def methods(options: argparse.Namespace) -> None:
    acquisition = scan(tuple(options.shape))
    runs, steps = {}, {}
    for network in (Unrolled(), UNet(), LearnedCS()):
        for mixed in (False, True) if hasattr(network, "mixed") else (False,):
            name = f"{type(network).__name__} {'bfloat16' if mixed else 'float32'}"
            runs[name], steps[name] = (method_of(network, mixed, acquisition, train) for train in (False, True))
    print(f"{machine()}; 8 coils {' x '.join(map(str, options.shape))}\n\nInference:\n")
    report(side_by_side(runs, options.rounds), "Unrolled float32")
    print("\nForward and backward:\n")
    report(side_by_side(steps, options.rounds), "Unrolled float32")


def method_of(network: nn.Module, mixed: bool, acquisition: Acquisition, train: bool) -> Callable[[], None]:
    def run() -> None:
        network.mixed = mixed
        with torch.set_grad_enabled(train):
            image = network(acquisition)
        if train:
            image.abs().mean().backward()

    return run


def denoiser(options: argparse.Namespace) -> None:
    x = torch.randn(1, 3, *options.shape).contiguous(memory_format=torch.channels_last)
    networks = [Denoiser(3, 2, 16, 3, Generator().manual_seed(0)) for _ in range(2)]
    with torch.no_grad(), mock.patch("kolumn.nn.denoiser.native_denoiser", lambda _: None):
        networks[1](x)  # which is from here on without
    all_threads = torch.get_num_threads()
    for n in sorted({1, all_threads}):
        torch.set_num_threads(n)
        runs = {name: inference_of(net, False, x) for name, net in zip(("compiled", "torch"), networks, strict=True)}
        print(f"{machine()}; 3 x {' x '.join(map(str, options.shape))}\n")
        report(side_by_side(runs, options.rounds), "torch")
    torch.set_num_threads(all_threads)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--shape", type=int, nargs=2, default=(320, 320))
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--channels", type=int, default=32)
    parser.add_argument("--levels", type=int, default=4)
    parser.add_argument("--methods", action="store_true")
    parser.add_argument("--denoiser", action="store_true")
    options = parser.parse_args()
    (methods if options.methods else denoiser if options.denoiser else against_fastmri)(options)


if __name__ == "__main__":
    main()
