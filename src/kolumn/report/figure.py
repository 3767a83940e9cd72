"""The figure: reference and mask, each reconstruction, and their errors on one printed scale."""

from __future__ import annotations

import math
import warnings
from pathlib import Path, PurePath

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from .compare import Comparison, Result

Panels = np.ndarray[tuple[int, ...], np.dtype[np.object_]]
INK, PAPER = "#e8e8e8", "#101010"


def save_figure(path: Path, comparison: Comparison, title: str) -> None:
    """Draw the middle slice as PNG.

    Args:
        path: target.
        comparison: what to show.
        title: one line above the figure.
    """
    shown = {name: r for name, r in comparison.results.items() if r.images is not None}
    window = grey_window(comparison)
    scale = error_scale(comparison)
    rows, columns = 1 if comparison.reference is None else 2, 1 + len(shown)
    height, width = slice_shape(comparison)
    side = 3.2
    tall = side * min(max(height / width, 0.5), 2.0)
    size = (side * columns + 0.7, rows * tall + 0.8)
    figure = Figure(figsize=size, facecolor=PAPER, layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    figure.suptitle(title, color=INK, fontsize=11, parse_math=False)
    axes = np.asarray(figure.subplots(rows, columns, squeeze=False))
    for axis in axes.ravel():
        axis.set_axis_off()
    if comparison.reference is not None:
        _image(axes[0, 0], middle(comparison.reference), window, f"full reference{_which(comparison.reference)}")
    _mask(axes[-1, 0], comparison)
    for i, (name, result) in enumerate(shown.items(), start=1):
        _method(axes[:, i], name, result, comparison.reference, window, scale)
    if comparison.reference is not None and shown:
        _colour_bar(figure, axes, window, scale)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # of a name in letters that the font lacks: shown as boxes
        figure.savefig(path, facecolor=PAPER)


def middle(images: Tensor) -> Tensor:
    """The middle slice of (slice, y, x)."""
    return images[images.shape[0] // 2]


def printable(name: str) -> str:
    """The last part of a path, shortened, with what no font or encoding has replaced."""
    last = PurePath(name).name.encode("utf-8", "replace").decode()
    last = "".join(c if c.isprintable() else "?" for c in last)
    return last if len(last) <= 60 else f"{last[:28]} ... {last[-28:]}"


def _which(images: Tensor) -> str:
    return f", slice {len(images) // 2} of 0 to {len(images) - 1}" if len(images) > 1 else ""


def slice_shape(comparison: Comparison) -> tuple[int, int]:
    """(y, x) of the images, or of the mask where there are none."""
    for images in (comparison.reference, *(r.images for r in comparison.results.values())):
        if images is not None:
            return images.shape[-2], images.shape[-1]
    return comparison.samples.shape[-1], comparison.samples.shape[-1]


def grey_window(comparison: Comparison) -> float:
    """The value shown as white: the 99.8th percentile of the reference, or of the first image."""
    candidates = (comparison.reference, *(r.images for r in comparison.results.values()))
    for images in candidates:
        if images is not None:
            return float(np.percentile(middle(images).numpy(), 99.8)) or 1.0
    return 1.0


def error_scale(comparison: Comparison) -> float:
    """One scale for every error map: the median over the methods of their 99th percentile, up to 1, 2 or 5 x 10^n."""
    if comparison.reference is None:
        return 1.0
    reference = middle(comparison.reference)
    errors = [(middle(r.images) - reference).abs() for r in comparison.results.values() if r.images is not None]
    if not errors:
        return 1.0
    wanted = float(torch.stack([e.flatten().quantile(0.99) for e in errors]).median()) / grey_window(comparison)
    if not wanted > 0:
        return 0.01
    power = 10.0 ** math.floor(math.log10(wanted))
    return power * next((s for s in (1, 2, 5) if s * power >= wanted), 10)


def _image(axis: Axes, image: Tensor, window: float, title: str) -> None:
    axis.imshow(image.numpy(), cmap="gray", vmin=0, vmax=window, interpolation="nearest")
    axis.set_title(title, color=INK, fontsize=9)


def _mask(axis: Axes, comparison: Comparison) -> None:
    ny, nx = slice_shape(comparison)
    samples = comparison.samples
    if samples.shape[0] == 1:
        samples = samples.expand(max(1, round(samples.shape[-1] * ny / nx)), -1)
    axis.imshow(samples.float().numpy(), cmap="gray", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    axis.set_box_aspect(ny / nx)
    mask = comparison.mask
    title = (
        f"mask: {printable(str(mask['kind']))}, truly {mask['true_acceleration']:.2f}x\n"
        f"{mask['calibration_width']} calibration columns"
    )
    axis.set_title(title, color=INK, fontsize=9, parse_math=False)


def _method(
    axes: Panels,
    name: str,
    result: Result,
    reference: Tensor | None,
    window: float,
    scale: float,
) -> None:
    assert result.images is not None
    image = middle(result.images)
    scores = result.scores
    text = f"PSNR {scores['psnr']:.2f} dB, SSIM {scores['ssim']:.3f}" if scores else f"{result.seconds:.2f} s"
    _image(axes[0], image, window, f"{name}\n{text}")
    if reference is not None:
        error = (image - middle(reference)).abs() / window
        axes[1].imshow(error.numpy(), cmap="inferno", vmin=0, vmax=scale, interpolation="nearest")
        axes[1].set_title(f"error of {name}", color=INK, fontsize=9)


def _colour_bar(figure: Figure, axes: Panels, window: float, scale: float) -> None:
    bar = figure.colorbar(axes[1, 1].images[0], ax=list(axes[1]), fraction=0.03, pad=0.01, extend="max")
    bar.set_label(f"|error| / {window:.3g} (white of the images)", color=INK, fontsize=8)
    bar.ax.tick_params(colors=INK, labelsize=8)
