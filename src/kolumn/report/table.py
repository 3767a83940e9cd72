"""The scores as rows of text."""

from __future__ import annotations

from .account import iterations_text, lambda_text, objective_text
from .compare import Comparison, Result

HEADER = ("method", "NMSE", "PSNR / dB", "SSIM", "HFEN", "iterations", "seconds", "objective", "lambda")
_FORMAT = {"nmse": "{:.5f}", "psnr": "{:.2f}", "ssim": "{:.4f}", "hfen": "{:.4f}"}


def rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """A row for each method, in the order of HEADER; a dash where there is nothing to say.

    Iterations and lambda are medians over the slices; seconds and the objective are sums.
    """
    return [(name, *_scores(result), *_effort(result)) for name, result in comparison.results.items()]


def _scores(result: Result) -> list[str]:
    return [f.format(result.scores[k]) if k in result.scores else "-" for k, f in _FORMAT.items()]


def _effort(result: Result) -> tuple[str, ...]:
    if result.error:
        return ("-",) * 4
    a = result.account
    return iterations_text(a), f"{result.seconds:.2f}", objective_text(a), lambda_text(a)
