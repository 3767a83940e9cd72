"""The scores as rows of text."""

from __future__ import annotations

from .compare import Comparison

HEADER = ("method", "NMSE", "PSNR / dB", "SSIM", "HFEN", "seconds")
_FORMAT = {"nmse": "{:.5f}", "psnr": "{:.2f}", "ssim": "{:.4f}", "hfen": "{:.4f}"}


def rows(comparison: Comparison) -> list[tuple[str, ...]]:
    """A row for each method, in the order of HEADER; a dash where nothing could be scored."""
    table = []
    for name, result in comparison.results.items():
        scores = [f.format(result.scores[k]) if k in result.scores else "-" for k, f in _FORMAT.items()]
        table.append((name, *scores, "-" if result.error else f"{result.seconds:.2f}"))
    return table
