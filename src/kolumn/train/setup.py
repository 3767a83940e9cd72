"""What a user points at, to batches to train on and others to validate on."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import ArgumentError
from .images import FAMILIES, HELD_OUT, Family, Slices, read_photographs, read_slices
from .loader import Mixed, Source
from .recorded import Recorded, find_files
from .sample import Sample
from .simulated import Simulated
from .validate import Examination

_SLICES = 6.0  # chance of a slice of a real person, relative to that of a procedural family
_RECORDED = 0.3  # of the batches come from real raw k-space, where there is any
_SMALL = 6000  # images of half the size, with which a training from nothing begins
_COUNT = 16  # batches of each validation
_NAMED = 20  # people, in an error or on a card
_APART = 1 << 30  # between the seed of training and that of validation


@dataclass(frozen=True)
class Plan:
    """What to train and validate on.

    Attributes:
        images: HDF5 file of magnitude volumes, folder of photographs, or None.
        data: folder of fully sampled raw k-space to train on, or None.
        validation: folder of fully sampled raw k-space to validate on, or None. Who is in it is not trained on.
        held_out: people that are never trained on: the magnitudes of those in ``images`` are validated on.
        batch_size: images in a batch.
        seed: of everything.
        new: whether the network has much to learn and knows nothing yet: it then begins with small images.
    """

    images: Path | None = None
    data: Path | None = None
    validation: Path | None = None
    held_out: tuple[str, ...] = ()
    batch_size: int = 1
    seed: int = 0
    new: bool = True


@dataclass(frozen=True)
class Data:
    """What came of a plan.

    Attributes:
        source: of the batches to train on.
        examinations: to validate on, by name: "families" that training does not have, "people" and raw "scans".
        notes: what the user should know.
        about: what is trained on, in words.
        licences: of that.
    """

    source: Source
    examinations: dict[str, Examination]
    notes: list[str]
    about: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()


def prepare_data(plan: Plan) -> Data:
    """Open the files, and keep those apart who are not to be trained on.

    Raises:
        ArgumentError: nothing left to train on, or someone held out who is nowhere.
        FormatError: a file that cannot be read.
    """
    slices = None if plan.images is None else _read_images(plan.images)
    training, more = ({}, []) if plan.data is None else find_files(plan.data)
    validation, yet_more = ({}, []) if plan.validation is None else find_files(plan.validation)
    everyone = {*training.values(), *validation.values(), *(slices.people if slices else ())}
    unknown = sorted(set(plan.held_out) - everyone)
    if unknown:
        raise ArgumentError(f"{unknown[0]!r} is held out and in none of the data, which are of {_names(everyone)}")
    away = {*plan.held_out, *validation.values()}
    if slices is not None and set(slices.people) <= away:
        raise ArgumentError(f"everyone in {plan.images} is held out: {_names(slices.people)}; nobody is left")
    taught = None if slices is None else slices.without(set(slices.people) & away)
    files = {path: who for path, who in training.items() if who not in away}
    if training and not files:
        raise ArgumentError(f"everyone in {plan.data} is held out: {_names(training.values())}; nobody is left")
    return Data(
        _source(plan, taught, tuple(files)),
        _examinations(plan, slices, tuple(validation), away),
        more + yet_more,
        _about(plan, taught, files, away),
        tuple(sorted(set(taught.licences.values()))) if taught is not None else (),
    )


def _read_images(path: Path) -> Slices:
    return read_photographs(path) if path.is_dir() else read_slices(path)


def _about(plan: Plan, slices: Slices | None, files: dict[Path, str], away: Collection[str]) -> tuple[str, ...]:
    about = [f"simulated scans of procedural images: {', '.join(FAMILIES)}"]
    if slices is not None and plan.images is not None:
        about.append(f"simulated scans of magnitude images of {_names(slices.people)} in {plan.images.name}")
    if files:
        about.append(f"raw k-space of {_names(files.values())}: {', '.join(path.name for path in files)}")
    if away:
        about.append(f"never {_names(away)}")
    return tuple(about)


def _source(plan: Plan, slices: Slices | None, files: tuple[Path, ...]) -> Source:
    families: dict[str, Family] = dict(FAMILIES)
    if slices is not None:
        families["slices"] = slices
    simulated = Simulated(plan.seed, plan.batch_size, families, {"slices": _SLICES}, small=_SMALL if plan.new else 0)
    if not files:
        return simulated
    return Mixed((simulated, Recorded(files, plan.seed, plan.batch_size)), (1 - _RECORDED, _RECORDED), plan.seed)


def _examinations(
    plan: Plan, slices: Slices | None, validation: tuple[Path, ...], away: Collection[str]
) -> dict[str, Examination]:
    seed = plan.seed + _APART
    sources: dict[str, Source] = {"families": Simulated(seed, families=HELD_OUT)}
    apart = set(slices.people) & set(away) if slices else set()
    if slices is not None and apart:
        sources["people"] = Simulated(seed, families={"slices": slices.only(apart)})
    if validation:
        sources["scans"] = Recorded(validation, seed)
    return {name: Examination(Kept(source), _COUNT) for name, source in sources.items()}


@dataclass(frozen=True)
class Kept:
    """Batches that are made once and kept.

    Attributes:
        source: where from.
        made: by number.
    """

    source: Source
    made: dict[int, Sample] = field(default_factory=dict)

    def __getitem__(self, i: int) -> Sample:
        """Batch i."""
        if i not in self.made:
            self.made[i] = self.source[i]
        return self.made[i]


def _names(people: Collection[str]) -> str:
    first, more = sorted(set(people))[:_NAMED], len(set(people)) - _NAMED
    return ", ".join(first) + (f" and {more} more" if more > 0 else "") or "nobody"
