"""K-space as sine waves, and the inverse FFT that adds them up: in what time, at which size."""

from __future__ import annotations

import cmath
import math
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Generator, Tensor

from ..acquisition import acquire
from ..fourier import crop, fft2
from ..phantoms import anatomy, smooth_phase
from ..recon import ZeroFilled
from .result import Result
from .style import COLOURS, canvas, show

PRIMES = (257, 509, 1021)  # sizes that FFTs do not like
SIZES = (64, 96, 128, 192, 256, 320, 384, 512, 640, 768, 1024, *PRIMES)
REPEATS = 15
LIMIT_MS = 100.0  # "in milliseconds": less than a tenth of a second, which the eye takes for at once
EXACT = 1e-10  # relative error of a sum in double precision that is the same thing
KEPT = (10, 300, 3000)  # the strongest waves that the figure adds up
ZOOM = 40  # samples of k-space shown, along each side
MARKED = ((0, 2), (7, 2), (5, -10))  # (ky, kx) of the waves drawn alone, from the middle


def run() -> Result:
    """Add up sine waves one by one, and time the inverse FFT that does it at once."""
    generator = Generator().manual_seed(0)
    image = anatomy((48, 40), generator).to(torch.complex128) * smooth_phase((48, 40), generator)
    error = float((sum_of_waves(fft2(image)) - image).norm() / image.norm())
    with one_thread():
        timings = [timing(n, REPEATS, generator) for n in SIZES]
    numbers: dict[str, Any] = {
        "sum_of_waves": {"shape": [48, 40], "waves": 48 * 40, "relative_error": error},
        "timing": {
            "threads": 1,
            "n": REPEATS,
            "size": list(SIZES),
            **{key: [t[key] for t in timings] for key in timings[0]},
        },
    }
    return Result(numbers, verdict(numbers), words(numbers), draw(numbers, Generator().manual_seed(0)))


def wave(shape: tuple[int, int], ky: int, kx: int) -> Tensor:
    """One plane wave, exp(2 pi i (ky y / Ny + kx x / Nx)) / sqrt(Ny Nx), complex128 (y, x), from the middle."""
    ny, nx = shape
    y = (torch.arange(ny, dtype=torch.float64) - ny // 2)[:, None]
    x = torch.arange(nx, dtype=torch.float64) - nx // 2
    turns = 2 * math.pi * (ky * y / ny + kx * x / nx)
    return torch.polar(torch.ones_like(turns), turns) / math.sqrt(ny * nx)


def sum_of_waves(kspace: Tensor) -> Tensor:
    """The image as the sum over k-space of value times wave, added one after another: no FFT."""
    ny, nx = kspace.shape
    image = torch.zeros(ny, nx, dtype=torch.complex128)
    for j in range(ny):
        for i in range(nx):
            image += kspace[j, i] * wave((ny, nx), j - ny // 2, i - nx // 2)
    return image


def timing(n: int, repeats: int, generator: Generator) -> dict[str, float]:
    """Milliseconds of the linear map and of the FFT alone on n x n samples, in turns; median, least and most."""
    kspace = torch.randn(1, n, n, dtype=torch.complex64, generator=generator)
    acquisition = acquire(kspace, torch.ones(n))
    linear = ZeroFilled()
    contestants: dict[str, Callable[[], Tensor]] = {
        "linear_map": lambda: linear(acquisition),
        "fft_alone": lambda: torch.fft.ifft2(acquisition.kspace[0], norm="ortho"),
    }
    ms: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats + 1):
        for name, contestant in contestants.items():
            start = time.perf_counter()
            contestant()
            ms[name].append(1e3 * (time.perf_counter() - start))
    found: dict[str, float] = {}
    for name, times in ms.items():
        kept = times[1:]  # the first finds cold caches
        found |= {f"{name}_ms": statistics.median(kept), f"{name}_ms_least": min(kept), f"{name}_ms_most": max(kept)}
    return found


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread, so that the times of a busy machine can be compared; as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def verdict(numbers: dict[str, Any]) -> bool:
    """The waves add up to the image, and the linear map undisturbed takes less than the limit at every size."""
    exact: bool = numbers["sum_of_waves"]["relative_error"] < EXACT
    return exact and max(numbers["timing"]["linear_map_ms_least"]) < LIMIT_MS


def words(numbers: dict[str, Any]) -> str:
    """What came out."""
    t = numbers["timing"]
    ms = dict(zip(t["size"], t["linear_map_ms_least"], strict=True))
    common = 256 if 256 in ms else t["size"][0]
    slowest = max(ms, key=lambda n: ms[n])
    return (
        f"All {numbers['sum_of_waves']['waves']} waves of a small image, added one by one, give it back to "
        f"{numbers['sum_of_waves']['relative_error']:.0e}. On one thread the linear map takes {ms[common]:.2g} ms for "
        f"{common} x {common} samples and at most {ms[slowest]:.2g} ms (at {slowest} x {slowest}) up to "
        f"{max(ms)} x {max(ms)} (fastest of {t['n']} runs), {ratio(t):.1f} times the FFT alone. Asked for was "
        f"less than {LIMIT_MS:g} ms."
    )


def ratio(t: dict[str, Any]) -> float:
    """The linear map over the FFT alone, of the fastest runs, in the median over the sizes."""
    return statistics.median(a / b for a, b in zip(t["linear_map_ms_least"], t["fft_alone_ms_least"], strict=True))


def draw(numbers: dict[str, Any], generator: Generator) -> Figure:
    """K-space, waves, partial sums, and the timing curve."""
    image = anatomy((192, 192), generator) * smooth_phase((192, 192), generator)
    kspace = fft2(image)
    figure = canvas(11, 8.6, "An image is a sum of sine waves; the inverse FFT adds them all in milliseconds")
    grid = figure.add_gridspec(3, 5, height_ratios=(1, 1, 1.25))
    rows = [[figure.add_subplot(grid[row, column]) for column in range(5)] for row in range(2)]
    _kspace(rows[0][0], rows[0][1], crop(kspace, (ZOOM, ZOOM)))
    _waves(rows[0][2:], kspace)
    _sums(rows[1], image, kspace)
    _curve(figure.add_subplot(grid[2, :]), numbers["timing"])
    return figure


def _kspace(magnitude: Axes, phase: Axes, middle: Tensor) -> None:
    log = middle.abs().log10()
    title = f"k-space, middle {ZOOM} x {ZOOM}:\nmagnitude (log, 3 decades)"
    show(magnitude, log, title, float(log.max()), black=float(log.max()) - 3)
    show(phase, middle.angle(), "the same: phase\n(black -180°, white 180°)", math.pi, black=-math.pi)
    for (ky, kx), name in zip(MARKED, "ABC", strict=True):
        place = (ZOOM // 2 + kx, ZOOM // 2 + ky)
        for axis in (magnitude, phase):
            axis.plot(*place, "o", mfc="none", mec=COLOURS[1], ms=6, mew=1.5)
            box = {"boxstyle": "square,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.8}
            axis.annotate(name, place, (6, 4), textcoords="offset points", color=COLOURS[1], weight="bold", bbox=box)


def _waves(axes: Sequence[Axes], kspace: Tensor) -> None:
    shape = (kspace.shape[0], kspace.shape[1])
    values = [complex(kspace[shape[0] // 2 + ky, shape[1] // 2 + kx]) for ky, kx in MARKED]
    white = max(map(abs, values)) / math.sqrt(kspace.numel())
    for axis, (ky, kx), value, name in zip(axes, MARKED, values, "ABC", strict=True):
        phase = math.degrees(cmath.phase(value))
        title = f"wave {name}, {math.hypot(ky, kx):.0f} cycles:\nmagnitude {abs(value):.1f}, phase {phase:.0f}°"
        show(axis, (value * wave(shape, ky, kx)).real, title, white, black=-white)


def _sums(axes: Sequence[Axes], image: Tensor, kspace: Tensor) -> None:
    white = float(image.abs().max())
    order = kspace.abs().flatten().argsort(descending=True)
    for axis, n in zip(axes, (*KEPT, kspace.numel()), strict=False):
        kept = torch.zeros_like(kspace).flatten()
        kept[order[:n]] = kspace.flatten()[order[:n]]
        part = ZeroFilled()(acquire(kept.reshape(1, *kspace.shape), torch.ones(kspace.shape[1])))
        title = f"all {n} waves" if n == kspace.numel() else f"the {n} strongest waves"
        show(axis, part.abs(), f"{title}\n({100 * n / kspace.numel():.3g} % of k-space)", white)
    show(axes[-1], image.abs(), "the object\n(simulated head)", white)


def _curve(axis: Axes, t: dict[str, Any]) -> None:
    named = (("linear_map", "k-space to image (kolumn)", COLOURS[0]), ("fft_alone", "FFT alone (torch)", COLOURS[1]))
    smooth = [i for i, n in enumerate(t["size"]) if n not in PRIMES]
    prime = [i for i, n in enumerate(t["size"]) if n in PRIMES]
    sizes = [t["size"][i] for i in smooth]
    for key, label, colour in named:
        least, mid = ([t[f"{key}_ms{end}"][i] for i in smooth] for end in ("_least", ""))
        axis.plot(sizes, least, "o-", label=label, color=colour, ms=4)
        axis.fill_between(sizes, least, mid, color=colour, alpha=0.2, lw=0)
        prime_ms = [t[f"{key}_ms_least"][i] for i in prime]
        axis.plot([t["size"][i] for i in prime], prime_ms, "x", color=colour, ms=7)
    law = [t["fft_alone_ms_least"][0] * (n / sizes[0]) ** 2 * math.log(n) / math.log(sizes[0]) for n in sizes]
    axis.plot(sizes, law, ":", color=COLOURS[6], label="$N^2 \\log N$, from the first point")
    axis.axhline(LIMIT_MS, color=COLOURS[6], lw=1)
    axis.annotate(f"{LIMIT_MS:.0f} ms: at once, to the eye", (sizes[0], LIMIT_MS), (0, -12), textcoords="offset points")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks(sizes, labels=[str(n) for n in sizes])
    axis.minorticks_off()
    axis.set_xlabel("side N of the image, pixels; crosses: 257, 509 and 1021, which are prime")
    axis.set_ylabel("milliseconds, one thread")
    axis.set_title(
        f"Reconstruction takes {ratio(t):.1f} times the FFT alone (fastest of {t['n']}; shade: to the median)"
    )
    axis.legend(loc="lower right")
