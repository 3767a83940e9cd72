"""``kolumn evaluate``: score methods over a folder of files, masks and accelerations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ArgumentError
from .compare import DEFAULT_METHODS, Methods, Reference
from .options import Device, Flags, Whiten, file_and_flags, names

if TYPE_CHECKING:
    from ..report.evaluate import Case, Settings
    from ..report.evaluate_files import Source
    from ..report.evaluate_records import Records

MAX_NOTES = 20

Folder = Annotated[str, typer.Argument(metavar="FOLDER", help="Fully sampled k-space files, or one file.")]
Masks = Annotated[str, typer.Option("--mask", help="Kinds as in `kolumn compare`, with commas between them.")]
Accelerations = Annotated[str, typer.Option("--acceleration", help="With commas between them.")]
Centers = Annotated[
    str, typer.Option("--center", help="Fraction of columns in the sampled centre: one, or one for each acceleration.")
]
Seeds = Annotated[int, typer.Option(help="How many masks of each kind and acceleration on each file.")]


def evaluate(
    context: typer.Context,
    folder: Folder,
    output: Annotated[str, typer.Option("--output", "-o", help="Folder for the tables.")],
    methods: Methods = DEFAULT_METHODS,
    mask: Masks = "random",
    acceleration: Accelerations = "4",
    center: Centers = "0.08",
    seeds: Seeds = 5,
    whiten: Whiten = "auto",
    device: Device = "auto",
    reference: Reference = "rss",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the records in the folder.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start anew in a folder that has some.")] = False,
) -> None:
    """Score methods over all fully sampled files of a folder, as `kolumn compare` does one file.

    Writes evaluation.md, evaluation.csv and evaluation.json: mean, standard deviation, n and seconds for each mask,
    acceleration and method, over all files and for each. Each record goes into records.jsonl as soon as it is there;
    killed at any moment the run goes on with --resume. Any other --option goes to the methods that have it.
    """
    from ..report.evaluate import Settings
    from ..report.evaluate_save import check_evaluation_folder
    from .options import choose_device, method_options

    path, flags = file_and_flags(context, folder)
    _check_seed(flags)
    settings = Settings(
        tuple(names(methods)),
        tuple(names(mask)),
        _levels(_numbers("--acceleration", acceleration), _numbers("--center", center)),
        seeds,
        method_options(flags, names(methods)),
        whiten,
        choose_device(device),
        reference,
    )
    check_evaluation_folder(Path(output), resume, overwrite)
    _run(["kolumn", *context.find_root().obj], Path(path), Path(output), settings, resume)


def _run(command: list[str], path: Path, folder: Path, settings: Settings, resume: bool) -> None:
    from ..report.evaluate import evaluate, plan
    from ..report.evaluate_files import find_sources
    from ..report.evaluate_save import NAMES, save_evaluation
    from ..report.evaluate_table import HEADER, cells, notes_of, rows_over_files
    from .console import print_table, progress, say

    sources, left = find_sources(path, settings.whitening, [folder / name for name in NAMES])
    cases, more = plan(sources, settings)
    notes = [*left, *more]
    _say_notes(notes)
    records = _records(folder, sources, settings, resume)
    todo = [case for case in cases if records.get(case.key) is None]
    say(f"files: {len(sources)}, masks on them: {len(cases)}, done already: {len(cases) - len(todo)}")
    with progress("evaluate", sum(len(settings.methods) * case.source.n_slices for case in todo)) as step:
        done = evaluate(cases, settings, records, step)
    run = _run_record(command, settings, cases, len(cases) - len(todo))
    save_evaluation(folder, done, notes, run)
    _say_notes(notes_of(done))
    print_table(HEADER, [cells(row) for row in rows_over_files(done)])
    say(f"tables in {folder / 'evaluation.md'}, .csv and .json")


def _records(folder: Path, sources: list[Source], settings: Settings, resume: bool) -> Records:
    from ..report.evaluate_files import content_hash
    from ..report.evaluate_records import check_files, resume_records, start_records
    from ..report.evaluate_save import TABLES
    from .console import say

    choices = settings.record()
    records = resume_records(folder, choices) if resume else None
    if records is not None:
        named = {record["file"] for record in records.kept.values()}
        check_files(records.kept.values(), {s.name: content_hash(s.path) for s in sources if s.name in named})
        return records
    if resume:
        say(f"note: {folder} holds no records to go on from, so this starts with the first")
    folder.mkdir(exist_ok=True)
    for name in () if resume else TABLES:
        (folder / name).unlink(missing_ok=True)  # of the evaluation that is overwritten
    return start_records(folder, choices)


def _run_record(command: list[str], settings: Settings, cases: list[Case], resumed: int) -> dict[str, Any]:
    from ..report.evaluate_files import content_hash
    from ..report.run import run_record

    paths = {case.source.name: case.source.path for case in cases}
    run = run_record(command, next(iter(paths.values())), settings.record())
    del run["file"]
    files = [{"name": n, "bytes": p.stat().st_size, "sha256": content_hash(p)} for n, p in paths.items()]
    return run | {"files": files, "records_of_earlier_runs": resumed}


def _say_notes(notes: list[str]) -> None:
    from .console import say

    for note in notes[:MAX_NOTES]:
        say(f"note: {note}")
    if len(notes) > MAX_NOTES:
        say(f"note: {len(notes) - MAX_NOTES} more like these; all of them are in evaluation.md")


def _numbers(flag: str, text: str) -> list[float]:
    try:
        return [float(word) for word in text.split(",")]
    except ValueError as error:
        raise ArgumentError(f"{flag} is {text!r}; wanted numbers with commas between them, as in 4,8") from error


def _levels(accelerations: list[float], centers: list[float]) -> tuple[tuple[float, float], ...]:
    """Pairs of acceleration and centre."""
    if len(centers) not in (1, len(accelerations)):
        raise ArgumentError(
            f"--center gives {len(centers)} numbers and --acceleration {len(accelerations)}; wanted one center, or one "
            "for each acceleration"
        )
    centers = centers * len(accelerations) if len(centers) == 1 else centers
    return tuple(zip(accelerations, centers, strict=True))


def _check_seed(flags: Flags) -> None:
    if any(flag == "--seed" for flag, _ in flags):
        raise ArgumentError("unknown option --seed; --seeds N takes the seeds 0 to N - 1")
