"""Slices of a simulated head by several methods: how close they come to it, and how long they take."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from torch import Tensor

from ..acquisition import Acquisition
from ..metrics import psnr, ssim
from ..recon import Reconstructor
from .style import COLOURS

BODY = 0.05  # of the brightest pixel: what is above belongs to the head; air is left out of every score
LABELS = {
    "fully sampled": "all of k-space",
    "zero-filled": "linear map",
    "sense": "SENSE",
    "tv": "total variation",
    "wavelet": "wavelets",
    "unet": "U-Net",
    "unrolled": "unrolled",
}
MARKERS = "os"  # of the cases

Scores = dict[str, list[float]]


@dataclass(frozen=True)
class Case:
    """Slices by each method.

    Attributes:
        truth: the head without noise, real (slice, y, x), 0 outside.
        images: of each method, likewise.
        scores: of each method, a list with one number a slice for each score.
    """

    truth: Tensor
    images: dict[str, Tensor]
    scores: dict[str, Scores]


def reconstruct(truth: Tensor, runs: Mapping[str, tuple[Reconstructor, Sequence[Acquisition]]]) -> Case:
    """Slices by each method, scored inside the head.

    Args:
        truth: the image behind the scans, complex (slice, y, x).
        runs: a method and the scan of each slice (coil, ky, kx), by label.
    """
    magnitude = truth.abs()
    body = magnitude > BODY * magnitude.amax((-2, -1), keepdim=True)
    magnitude = magnitude * body
    images, scores = {}, {}
    for label, (method, scans) in runs.items():
        found, seconds = timed(method, scans)
        images[label] = found.abs() * body
        pairs = list(zip(magnitude, images[label], strict=True))
        scores[label] = {
            "error": [float((x - y).norm() / x.norm()) for x, y in pairs],
            "psnr_db": [psnr(x, y) for x, y in pairs],
            "ssim": [ssim(x, y) for x, y in pairs],
            "seconds": seconds,
        }
    return Case(magnitude, images, scores)


def timed(method: Reconstructor, scans: Sequence[Acquisition]) -> tuple[Tensor, list[float]]:
    """Images (slice, y, x) and the seconds of each slice, maps of the coils and the choice of lambda among them."""
    method(scans[0])  # the first call finds cold caches
    images, seconds = [], []
    for scan in scans:
        start = time.perf_counter()
        images.append(method(scan))
        seconds.append(time.perf_counter() - start)
    return torch.stack(images), seconds


def quality_and_time(axis: Axes, scores: Mapping[str, Mapping[str, Scores]]) -> None:
    """PSNR against seconds, each slice a mark: its colour is the method, its shape the case."""
    methods = list(dict.fromkeys(method for of in scores.values() for method in of))
    colours = dict(zip(methods, COLOURS, strict=False))
    for (case, of), marker in zip(scores.items(), MARKERS, strict=False):
        for method, s in of.items():
            axis.plot(s["seconds"], s["psnr_db"], marker, color=colours[method], ms=6, alpha=0.7)
        axis.plot([], [], marker, mfc="none", mec="black", label=case)
    for method, colour in colours.items():
        axis.plot([], [], "-", lw=6, color=colour, label=LABELS[method])
    axis.set_xscale("log")
    axis.margins(x=0.1)
    axis.set_xlabel("seconds a slice")
    axis.set_ylabel("PSNR in the head, dB")
    axis.set_title("Quality and time, each slice a mark")
    axis.legend(loc="upper center", bbox_to_anchor=(0.4, -0.1), ncols=2, fontsize=8)
