"""Score methods over many files, masks and accelerations, one undersampled file at a time."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.metadata import version
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import ArgumentError, KolumnError
from ..io import open_scan
from ..masks import KINDS, MASKS, Mask, make_mask
from ..masks.counts import check
from ..metrics import METRICS
from ..recon import make_method, method_class
from ..recon.prepare import WHITEN
from .compare import UNEXPECTED, compare, error_text
from .evaluate_files import Source, content_hash
from .evaluate_records import Key, Records
from .evaluate_table import mask_words
from .files import metrics_record
from .reference import REFERENCES


@dataclass(frozen=True)
class Settings:
    """What is evaluated.

    Attributes:
        methods: keys of METHODS.
        masks: kinds of mask, or .npy files.
        levels: pairs (acceleration, fraction of the fully sampled centre), each with every kind of mask.
        seeds: masks of each kind and level, of the seeds 0 to ``seeds - 1``; methods with a ``seed`` get the same one.
        options: of each method, by name.
        whitening: see :func:`kolumn.recon.prepare.prepare`.
        device: where to compute.
        reference: a key of REFERENCES.

    Raises:
        ArgumentError: an unknown name, a number out of range, or nothing to evaluate.
    """

    methods: tuple[str, ...]
    masks: tuple[str, ...] = ("random",)
    levels: tuple[tuple[float, float], ...] = ((4.0, 0.08),)
    seeds: int = 5
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    whitening: str = "auto"
    device: str = "cpu"
    reference: str = "rss"

    def __post_init__(self) -> None:
        for what, values in (("methods", self.methods), ("masks", self.masks), ("accelerations", self.levels)):
            if not values:
                raise ArgumentError(f"no {what} to evaluate; give at least one")
        for name in self.methods:
            make_method(name, **self.options_of(name, 0))
        for kind in self.masks:
            if kind not in KINDS and not kind.endswith(".npy"):
                make_mask(kind, (1, 1))  # raises, with the names that there are
        for acceleration, center in self.levels:
            check((1, 1), acceleration, center)
        if not 1 <= self.seeds <= 2**32:
            raise ArgumentError(f"seeds is {self.seeds}; wanted how many masks of each kind, at least 1")
        if self.whitening not in WHITEN:
            raise ArgumentError(f"whitening is {self.whitening!r}; wanted one of {', '.join(WHITEN)}")
        if self.reference not in REFERENCES:
            raise ArgumentError(f"reference is {self.reference!r}; wanted one of {', '.join(REFERENCES)}")

    def options_of(self, name: str, seed: int) -> dict[str, Any]:
        """The options of a method, its seed among them where it has one."""
        own = {"seed": seed} if "seed" in inspect.signature(method_class(name)).parameters else {}
        return {**own, **self.options.get(name, {})}

    def record(self) -> dict[str, Any]:
        """All that a record depends on besides its file, ready for JSON: other choices make other records."""
        words = [value for options in self.options.values() for value in options.values() if isinstance(value, str)]
        files = [word for word in (*self.masks, *words) if word not in KINDS and Path(word).is_file()]  # weights, say
        choices = {
            "methods": self.methods,
            "method_options": self.options,
            "masks": self.masks,
            "files": {file: content_hash(Path(file)) for file in files},
            "accelerations": [acceleration for acceleration, _ in self.levels],
            "centers": [center for _, center in self.levels],
            "seeds": self.seeds,
            "whiten": self.whitening,
            "device": self.device,
            "reference": self.reference,
            "kolumn": version("kolumn"),
            "torch": version("torch"),
        }
        plain: dict[str, Any] = json.loads(json.dumps(choices), parse_constant=str)  # an infinite option as a word
        return plain


class Case(NamedTuple):
    """One mask on one file; acceleration and centre are None for a mask that does not ask for them."""

    source: Source
    kind: str
    acceleration: float | None
    center: float | None
    seed: int

    @property
    def key(self) -> Key:
        """What its record goes by."""
        return self.source.name, self.kind, self.acceleration, self.center, self.seed

    def mask(self) -> Mask:
        """The mask, as ``kolumn compare`` makes it."""
        name = self.source.path.name
        return _mask(self.kind, self.source.shape, self.acceleration or 1.0, self.center or 0.0, self.seed, name)


def plan(sources: Sequence[Source], settings: Settings) -> tuple[list[Case], list[str]]:
    """Every different mask on every file that it fits, and what the reader should know of those left out.

    A mask that an earlier seed gave already (a kind that has no randomness, or few different masks) is not counted
    again, since it would only make the spread look smaller.

    Raises:
        ArgumentError: a mask that fits none of the files.
        FormatError: a mask file that cannot be read.
    """
    cases: dict[Key, Case] = {}
    notes: list[str] = []
    for kind, level in product(settings.masks, settings.levels):
        misfits: list[tuple[str, KolumnError]] = []
        fits: list[list[Case]] = []
        for source in sources:
            try:
                fits.append(_different(source, kind, level, settings.seeds))
            except KolumnError as error:
                misfits.append((source.name, error))
        if not fits:
            raise misfits[0][1]
        about = mask_words(kind, fits[0][0].acceleration, fits[0][0].center)
        notes += [f"{name} left out of {about}: {error}" for name, error in misfits]
        fewest, most = min(map(len, fits)), max(map(len, fits))
        if fewest < settings.seeds:
            few = f"{fewest} to {most}" if fewest < most else f"{most}"
            notes.append(f"{about}: different masks of a file among {settings.seeds} seeds: {few}; each counts once")
        cases |= {case.key: case for found in fits for case in found}
    order = {source.name: i for i, source in enumerate(sources)}
    return sorted(cases.values(), key=lambda case: order[case.source.name]), list(dict.fromkeys(notes))


def evaluate(
    cases: Iterable[Case],
    settings: Settings,
    records: Records,
    progress: Callable[[str], None] = lambda about: None,
) -> list[dict[str, Any]]:
    """The records of all cases, in order; those that ``records`` holds already are not computed again.

    A method that fails has its error in the record. A file that cannot be read to its end has a record in which every
    method failed, which is not kept, so that another run tries again.

    Args:
        cases: from :func:`plan`.
        settings: what is evaluated.
        records: where each record is kept as soon as it is there.
        progress: called with a word for each method and slice.

    Raises:
        OutputError: a record cannot be written.
    """
    done = []
    for case in cases:
        record = records.get(case.key)
        if record is None:
            try:
                record = _record(case, settings, progress)
            except (KolumnError, *UNEXPECTED) as error:
                record = _unread(case, settings, error_text(error))
            else:
                records.append(case.key, record)
        done.append(record)
    return done


def _record(case: Case, settings: Settings, progress: Callable[[str], None]) -> dict[str, Any]:
    options = {name: settings.options_of(name, case.seed) for name in settings.methods}
    about = f"{case.source.name}, {mask_words(case.kind, case.acceleration, case.center)}, seed {case.seed}"
    result = compare(
        open_scan(case.source.path),
        lambda shape: case.mask(),
        settings.methods,
        options,
        settings.device,
        settings.whitening,
        lambda name, i: progress(f"{about}, {name}, slice {i}"),
        tolerant=True,
        reference=settings.reference,
    )
    return _facts(case) | {"sha256": content_hash(case.source.path)} | metrics_record(result, case.source.name)


def _unread(case: Case, settings: Settings, error: str) -> dict[str, Any]:
    nothing = dict.fromkeys((*METRICS, "seconds")) | {"error": error}
    methods = {name: dict(nothing) for name in settings.methods}
    mask = case.mask().to_dict()
    return _facts(case) | {"mask": mask, "methods": methods, "notes": [f"no image: {error}"]}


def _facts(case: Case) -> dict[str, Any]:
    return {"file": case.source.name, "slices": case.source.n_slices, "seed": case.seed}


def _different(source: Source, kind: str, level: tuple[float, float], seeds: int) -> list[Case]:
    """A case for each mask that no earlier seed gave."""
    found: dict[bytes, Case] = {}
    for seed in range(seeds):
        mask = _mask(kind, source.shape, *level, seed, source.path.name)
        found.setdefault(mask.samples.numpy().tobytes(), Case(source, kind, mask.acceleration, mask.center, seed))
    return list(found.values())


def _mask(kind: str, shape: tuple[int, int], acceleration: float, center: float, seed: int, name: str) -> Mask:
    if kind in MASKS:
        return _kept(kind, shape, acceleration, center, seed)
    return make_mask(kind, shape, acceleration, center, seed, name)


_kept = lru_cache(maxsize=256)(make_mask)  # a Poisson disc takes seconds, and files are often of one size
