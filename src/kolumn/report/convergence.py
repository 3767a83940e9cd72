"""The convergence plot: how far each iterative method still was from its best, against time."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..recon.solution import Progress
from .compare import Comparison, Result
from .figure import INK, PAPER

COLOURS = ("#56b4e9", "#e69f00", "#2fbf8f", "#d98cb8", "#f0e442", "#f07030", "#b0b0b0")  # for any eyes (Okabe, Ito)
FLOOR = 1e-6  # the axis ends there: a point beside the least can be as near to it as chance will have it
WIDE = 30  # times in which the methods end, longest over shortest, from which the time axis is logarithmic


def iterative(comparison: Comparison) -> dict[str, Result]:
    """The methods whose way is known."""
    return {name: r for name, r in comparison.results.items() if r.history and not r.error}


def curve(history: Sequence[Progress]) -> tuple[list[float], list[float]]:
    """Seconds and (f - min f) / f_last, without the points where that is 0 (the best itself) or undefined."""
    known = [p for p in history if math.isfinite(p.objective)]
    if not known:
        return [], []
    least, last = min(p.objective for p in known), abs(known[-1].objective)
    scale = last or max(abs(p.objective) for p in known)
    above = [p for p in known if p.objective > least]
    return [p.seconds for p in above], [(p.objective - least) / scale for p in above]


def save_convergence(path: Path, comparison: Comparison, title: str) -> None:
    """Draw the way of each iterative method as PNG.

    Args:
        path: target.
        comparison: with a history in one of its results at least.
        title: one line above the plot.
    """
    shown = iterative(comparison)
    figure = Figure(figsize=(11, 5), facecolor=PAPER, layout="constrained", dpi=110)
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    _style(axis)
    for i, (name, result) in enumerate(shown.items()):
        _draw(axis, name, result, COLOURS[i % len(COLOURS)])
    low, high = axis.get_ylim()
    if low < FLOOR < high:
        axis.set_ylim(bottom=FLOOR)
    ends = [r.history[-1].seconds for r in shown.values()]
    if min(ends) > 0 and max(ends) > WIDE * min(ends):
        axis.set_xscale("log")
    else:
        axis.set_xlim(left=0)
    axis.set_title(title, color=INK, fontsize=11, parse_math=False)
    n = max(len(r.images) for r in shown.values() if r.images is not None)
    which = f", slice {n // 2} of 0 to {n - 1}" if n > 1 else ""
    axis.set_xlabel(f"seconds of iterating, without the choice of lambda{which}", color=INK)
    figure.legend(loc="outside right upper", fontsize=9, labelcolor=INK, frameon=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # of a name in letters that the font lacks: shown as boxes
        figure.savefig(path, facecolor=PAPER)


def _style(axis: Axes) -> None:
    axis.set_facecolor(PAPER)
    axis.set_yscale("log")
    axis.set_ylabel("(objective - its least) / its last", color=INK)
    axis.tick_params(which="both", colors=INK)
    axis.grid(True, color="#333333", linewidth=0.7)
    axis.spines[["top", "right"]].set_visible(False)
    axis.spines[["left", "bottom"]].set_color("#888888")


def _draw(axis: Axes, name: str, result: Result, colour: str) -> None:
    seconds, gap = curve(result.history)
    end = result.history[-1]
    label = f"{name}\n{end.iteration} iteration{'s' * (end.iteration != 1)} in {end.seconds:.2g} s"
    axis.plot(seconds, gap, color=colour, linewidth=1.8, marker="o", markersize=3, label=label)
