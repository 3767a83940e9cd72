"""Trained networks as methods: what they share."""

from __future__ import annotations

import warnings
from abc import ABC
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..acquisition import Acquisition, scale_maps
from ..coils import MAPS, estimate_maps, soft_support
from ..errors import ArgumentError, CalibrationError, OutsideTraining
from ..parallel import parallel_map
from ..shapes import COIL
from .adapt import adapt
from .card import ModelCard
from .mirror import MIRRORS, mirror, mirrored
from .weights import load_network

_OPTIONS: dict[str, dict[str, Any]] = {"espirit": {"outside": 1.0}}  # maps of unit norm in air too, as in training


@dataclass(frozen=True, kw_only=True)
class Learned(ABC):
    """x = f(y, M, S, sigma), f being a network whose weights come with the package or from a file.

    Attributes:
        METHOD: its name.
        weights: a file of weights; None: those that come with the package. Beside it, with the suffix .json, lies its
            model card; what is outside of the range of its training gets a warning, :class:`OutsideTraining`.
        maps: how to estimate maps where the acquisition has none: "espirit", or "walsh", which also serves where
            there are too few calibration lines for the other; times the :func:`kolumn.coils.soft_support`.
        mirrored: the mean over the scan and its three mirror images, each given to the network and mirrored back: four
            times as long, for up to 0.3 dB.
        adapt: steps of training a copy of the network on the scan itself before it is used, each slice on its own; see
            :mod:`kolumn.recon.adapt`. A step takes as long as three to five reconstructions (``unrolled``, 8 coils,
            256 x 256: 2 s on two threads, 3.6 s on one). Where columns were skipped 40 steps gained 0.6 to 1.3 dB with
            ``unrolled``, -0.2 to 2.3 dB with ``unet``, -0.1 to 0.8 dB with ``learned-cs``, with earlier weights. Masks
            of single samples are refused, where ``unrolled`` may lose 2 dB. 0: none.
        denoise: whether the last data consistency is as the network has learned it from images without noise, which is
            to take away most of the noise that was measured. Off, measured samples stay as they are, to 93 %, and so
            does their noise: nearer to a noisy reference, and to what other methods return.
    """

    METHOD: ClassVar[str]

    weights: str | None = None
    maps: str = "espirit"
    mirrored: bool = False
    adapt: int = 0
    denoise: bool = True

    def __post_init__(self) -> None:
        if self.maps not in MAPS:
            raise ArgumentError(f"maps is {self.maps!r}; wanted {' or '.join(MAPS)}")
        if self.adapt < 0:
            raise ArgumentError(f"adapt is {self.adapt}; wanted 0 or more steps")

    def __call__(self, acquisition: Acquisition, /) -> Tensor:
        """Acquisition to complex image (*batch, y, x).

        Raises:
            FormatError: the weights are missing, damaged, or of no network known here.
            ArgumentError: the weights are another method's, or several sets of maps came, or weights that crop
                the image are to see it mirrored, or weights of fastMRI or to masks of single samples are to be adapted,
                or ``denoise`` is off with those of fastMRI or of a network without data consistency.
            CalibrationError: no maps came and there are too few calibration lines to estimate them.
        """
        network, card = _loaded(self.METHOD, self.weights, acquisition.kspace.device)
        if (self.adapt or not self.denoise) and not network.NEEDS_MAPS:
            raise ArgumentError(
                f"{self.METHOD} with fastMRI's weights gives magnitudes, from which no k-space follows; leave "
                f"{'adapt' if self.adapt else 'denoise'} out"
            )
        if not self.denoise and getattr(network, "consistency", 1) == 0:
            raise ArgumentError(
                "this U-Net has no data consistency (consistency=0); leave denoise out, or train one with "
                "--option consistency=6"
            )
        if self.adapt and not acquisition.columns_only:
            raise ArgumentError(
                "the mask is of single samples, from which a network learns the wrong thing; wanted whole columns, "
                "or leave adapt out"
            )
        _warn(self.METHOD, self.weights, card, acquisition)
        batch = acquisition.kspace.shape[:COIL]
        entries = (acquisition.entry(*place) if place else acquisition for place in product(*map(range, batch)))
        images = list(parallel_map(lambda entry: self._one(network, entry), entries))
        shape = next((image.shape for image in images if image is not None), acquisition.kspace.shape[COIL + 1 :])
        empty = acquisition.kspace.new_zeros(shape)  # some networks crop
        return torch.stack([empty if image is None else image for image in images]).reshape(*batch, *shape)

    def _one(self, network: nn.Module, entry: Acquisition) -> Tensor | None:
        if not bool(torch.count_nonzero(entry.kspace)):  # an empty slice of a volume
            return None
        maps = None if entry.maps is None else scale_maps(entry.maps)
        if maps is None and network.NEEDS_MAPS:
            maps = self._estimate(entry)
        entry, ways = replace(entry, maps=maps), MIRRORS if self.mirrored else MIRRORS[:1]
        if self.adapt:
            network = adapt(network, entry, self.adapt)
        with torch.no_grad():
            faithful = {} if self.denoise else {"denoise": False}
            first, *others = (network(mirrored(entry, dims), **faithful) for dims in ways)
        if others and first.shape != entry.kspace.shape[COIL + 1 :]:  # of which the mirror image is another part
            raise ArgumentError(f"{self.METHOD} with these weights crops the image itself; leave mirrored out")
        return torch.stack([first, *map(mirror, others, ways[1:])]).mean(0)

    def _estimate(self, entry: Acquisition) -> Tensor:
        try:
            maps = estimate_maps(entry, self.maps, **_OPTIONS.get(self.maps, {}))
        except CalibrationError:
            maps = estimate_maps(entry, "walsh")
        return maps * soft_support(entry)


def _loaded(method: str, weights: str | None, device: torch.device) -> tuple[nn.Module, ModelCard | None]:
    path = None if weights is None else Path(weights).expanduser()
    changed = path.stat().st_mtime_ns if path is not None and path.is_file() else 0
    return _load_once(method, path, changed, str(device))


@lru_cache(maxsize=8)
def _load_once(method: str, path: Path | None, changed: int, device: str) -> tuple[nn.Module, ModelCard | None]:
    network, card = load_network(method, path)
    return network.to(device), card


def _warn(method: str, weights: str | None, card: ModelCard | None, acquisition: Acquisition) -> None:
    if card is None:
        text = f"{method}: no model card beside {weights}; what these weights were trained on is not known"
        warnings.warn(text, OutsideTraining, stacklevel=3)
        return
    unlike = card.outside(acquisition)
    if unlike:
        text = f"{method} was not trained on {', '.join(unlike)}; compare its image with tv before you trust it"
        warnings.warn(text, OutsideTraining, stacklevel=3)
