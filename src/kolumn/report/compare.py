"""Undersample a fully sampled scan, reconstruct it by several methods, score each against the full reference."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ..acquisition import Acquisition, acquire
from ..coils import noise_from_edge, whiten
from ..errors import ArgumentError, KolumnError, OutsideTraining
from ..io.scan import Scan
from ..masks import Mask
from ..metrics import score
from ..recon import Reconstructor, make_method
from ..recon.prepare import finish, prepare
from ..recon.solution import Progress
from .account import EMPTY, Account, join_accounts, middle_history, solve
from .notes import own_mask_note, reference_notes, result_notes
from .reference import REFERENCES, noise_floor
from .series import stack

FULL = 0.9  # a file with nine in ten columns counts as fully sampled: real ones lack a few at the edge
UNEXPECTED = (RuntimeError, MemoryError)  # torch: out of memory, a decomposition that did not converge


@dataclass
class Result:
    """What one method made of the scan.

    Attributes:
        images: magnitude (slice, y, x).
        seconds: time of the reconstruction of all slices, estimates of the coils included.
        scores: by name of the metric; empty where there is no reference.
        error: why there is no image, or "".
        account: of an iterative method.
        history: of an iterative method on the middle slice, where it was asked for.
        warnings: of a network that is asked for what it was not trained on.
    """

    images: Tensor | None = None
    seconds: float = 0.0
    scores: dict[str, float] = field(default_factory=dict)
    error: str = ""
    account: Account = EMPTY
    history: tuple[Progress, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass
class Comparison:
    """Everything that the table, the figure and the page show.

    Attributes:
        reference: magnitude (slice, y, x) from all of k-space, or None where the file is itself undersampled.
        samples: the mask that was used, bool (ky or 1, kx).
        mask: its description, ready for JSON.
        results: by name of the method.
        notes: what the reader should know.
        against: the name of the reference in REFERENCES.
    """

    reference: Tensor | None
    samples: Tensor
    mask: dict[str, object]
    results: dict[str, Result]
    notes: list[str] = field(default_factory=list)
    against: str = "rss"


def fully_sampled(acquisition: Acquisition) -> bool:
    """Whether all of k-space is there, but for a few columns at the edge."""
    return float(acquisition.mask.float().mean()) >= FULL


def compare(
    scan: Scan,
    make_mask: Callable[[tuple[int, int]], Mask],
    methods: Iterable[str],
    options: Mapping[str, Mapping[str, Any]] | None = None,
    device: str = "cpu",
    whitening: str = "auto",
    progress: Callable[[str, int], None] = lambda name, i: None,
    convergence: bool = False,
    tolerant: bool = False,
    reference: str = "rss",
) -> Comparison:
    """Compare methods on one scan, a slice at a time; those for a dynamic series get all slices as its frames.

    Each method sees the undersampled data alone. The reference is the root sum of squares of the coil images (the
    magnitude, for one coil) of all of k-space, with the same whitening. A scan that is itself undersampled is
    reconstructed from what it has, and nothing is scored.

    Args:
        scan: an open file.
        make_mask: called with (ky, kx) of the prepared k-space.
        methods: keys of METHODS.
        options: of each method, by name.
        device: where to compute.
        whitening: see :func:`kolumn.recon.prepare.prepare`.
        progress: called with the name of a method and the slice it is done with.
        convergence: whether to keep the history of iterative methods on the middle slice, by solving that once more,
            so that the times stay those without it.
        tolerant: for a long run: a method that fails unexpectedly, out of memory say, has that for its error and
            ends nothing, and neither does it where no method gave an image.
        reference: a key of REFERENCES: "rss", or "unbiased", the same less its noise floor.

    Raises:
        ArgumentError: no methods, an unknown one, another reference, a mask that does not fit, or no method that gave
            an image.
    """
    if reference not in REFERENCES:
        raise ArgumentError(f"reference is {reference!r}; wanted one of {', '.join(REFERENCES)}")
    failures = (KolumnError, *UNEXPECTED) if tolerant else (KolumnError,)
    runs = {name: _Run(make_method(name, **dict((options or {}).get(name, {}))), failures) for name in methods}
    if not runs:
        raise ArgumentError("no methods to compare; give at least one, as in --methods zero-filled,sense")
    first = prepare(scan.load(0), "none")
    full = fully_sampled(first)
    own = _own_mask(first)
    mask = make_mask((first.kspace.shape[-2], first.kspace.shape[-1])) if full else own
    references: list[Tensor] = []
    floors: list[float] = []
    frames: list[Acquisition] = []
    series = [name for name, run in runs.items() if getattr(run.method, "SERIES", False)]
    for i, (whole, data) in enumerate(_slices(scan, mask.samples if full else None, whitening, device)):
        if full:
            references.append(REFERENCES[reference](whole).cpu())
            floors.append(float(noise_floor(whole).max()))
        if series:
            frames.append(data)
        for name in (n for n in runs if n not in series):
            runs[name].take(data, convergence and i == scan.n_slices // 2)
            progress(name, i)
    for name in series:
        runs[name].take(stack(frames), convergence)
        for i in range(scan.n_slices):
            progress(name, i)
    truth = torch.stack(references) if full else None
    results = {name: run.finished(truth) for name, run in runs.items()}
    if not tolerant and all(result.error for result in results.values()):
        raise ArgumentError("; ".join(f"{name} gave no image: {r.error}" for name, r in results.items()))
    kept = replace(mask, samples=mask.samples & own.samples)  # a few of the file's own lines may be missing
    notes = [] if full else [own_mask_note(scan.path.name, kept.true_acceleration)]
    notes += result_notes(results)
    if truth is not None:
        able = [name for name, run in runs.items() if run.takes_noise_away and not run.result.error]
        leave = any(getattr(runs[name].method, "denoise", False) for name in able)
        notes += reference_notes(reference, truth, max(floors), able, leave)
    return Comparison(truth, kept.samples.cpu(), kept.to_dict(), results, notes, reference)


def _slices(
    scan: Scan, samples: Tensor | None, whitening: str, device: str
) -> Iterator[tuple[Acquisition, Acquisition]]:
    """Each slice, whole and with ``samples`` alone."""
    for i in range(scan.n_slices):
        whole = _prepared(scan.load(i), samples, whitening).to(device)
        yield whole, whole if samples is None else undersampled(whole, samples)


def undersampled(acquisition: Acquisition, samples: Tensor) -> Acquisition:
    """The acquisition with only ``samples`` of what it had; a calibration scan of its own is left out."""
    samples = samples.to(acquisition.mask.device)
    kept = acquire(acquisition.kspace, acquisition.mask & samples, noise=acquisition.noise)
    return replace(kept, geometry=acquisition.geometry)


def _prepared(acquisition: Acquisition, samples: Tensor | None, whitening: str) -> Acquisition:
    """As :func:`prepare`, but noise at the edge of k-space is estimated from ``samples`` alone, as all else is."""
    if whitening != "edge" or samples is None:
        return prepare(acquisition, whitening)
    plain = prepare(acquisition, "none")
    return whiten(plain, noise_from_edge(undersampled(plain, samples)))


def _own_mask(acquisition: Acquisition) -> Mask:
    mask = acquisition.mask.reshape(-1, *acquisition.mask.shape[-2:])[0]
    return Mask("acquired", mask)


@dataclass
class _Run:
    """One method on its way through the slices."""

    method: Reconstructor
    failures: tuple[type[Exception], ...]
    result: Result = field(default_factory=Result)
    images: list[Tensor] = field(default_factory=list)

    @property
    def takes_noise_away(self) -> bool:
        """As networks and compressed sensing do."""
        return any(hasattr(self.method, name) for name in ("weights", "solve"))

    def take(self, data: Acquisition, history: bool) -> None:
        """A slice, or all of them as one series; nothing more once one has failed."""
        result = self.result
        if result.error:
            return
        start = time.perf_counter()
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", OutsideTraining)
                image, account = solve(self.method, data)
            image = finish(image, data).abs().cpu()  # waits for a GPU to finish
            result.seconds += time.perf_counter() - start
            self._heard(caught)
            self.images.extend(image.reshape(-1, *image.shape[-2:]))
            result.account = join_accounts([result.account, account])
            if history:
                result.history = middle_history(self.method, data)
        except self.failures as error:
            result.error = error_text(error)

    def _heard(self, caught: list[warnings.WarningMessage]) -> None:
        """Keep what a network warns of; pass on all else."""
        for warning in caught:
            if issubclass(warning.category, OutsideTraining):
                self.result.warnings += (str(warning.message),)
            else:
                warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)

    def finished(self, reference: Tensor | None) -> Result:
        """The result, with its scores where there is a reference."""
        if not self.result.error:
            images = torch.stack(self.images)
            try:
                self.result.scores = {} if reference is None else score(reference, images)
                self.result.images = images
            except self.failures as error:  # NaN in the image, say, where the options made no sense
                self.result.error = error_text(error)
        return self.result


def error_text(error: Exception) -> str:
    """An error in one line, with its type where it is not one of ours."""
    text = " ".join(str(error).split())
    return text if isinstance(error, KolumnError) else f"{type(error).__name__}: {text[:300]}"
