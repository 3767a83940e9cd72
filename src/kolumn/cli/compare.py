"""``kolumn compare``: undersample, reconstruct by several methods, score, report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import (
    Acceleration,
    Center,
    Dataset,
    Device,
    File,
    Flags,
    MaskKind,
    Overwrite,
    Seed,
    Whiten,
    file_and_flags,
    names,
)

Methods = Annotated[str, typer.Option(help="Names, with commas between them.")]
DEFAULT_METHODS = "zero-filled,sense,tv,wavelet"
Reference = Annotated[
    str, typer.Option(help="What to score against: rss, the root sum of squares, or unbiased: less its noise floor.")
]
Convergence = Annotated[
    bool, typer.Option("--convergence", help="Plot the objective of iterative methods against time.")
]


def compare(
    context: typer.Context,
    file: File,
    output: Annotated[str, typer.Option("--output", "-o", help="Folder for the report.")],
    mask: MaskKind = "random",
    acceleration: Acceleration = 4.0,
    center: Center = 0.08,
    seed: Seed = 0,
    methods: Methods = DEFAULT_METHODS,
    whiten: Whiten = "auto",
    device: Device = "auto",
    dataset: Dataset = None,
    reference: Reference = "rss",
    convergence: Convergence = False,
    overwrite: Overwrite = False,
) -> None:
    """Undersample a fully sampled file, reconstruct it by each method, and score against the full reference.

    Writes metrics.json, report.png, report.html (one file, opens offline) and run.json into the folder, and with
    --convergence convergence.png (of the middle slice, solved once more). A file that is itself undersampled is
    reconstructed from what it has, without scores. Any other --option goes to the methods that have it (--maps, --lam,
    --weights, ...: see recon). For llr the slices of the file are the frames of one dynamic series.
    """
    path, flags = file_and_flags(context, file)
    choices: dict[str, Any] = {
        "mask": mask,
        "acceleration": acceleration,
        "center": center,
        "seed": seed,
        "methods": names(methods),
        "whiten": whiten,
        "device": device,
        "dataset": dataset,
        "reference": reference,
        "convergence": convergence,
    }
    run_compare(context, Path(path), Path(output), choices, flags, overwrite)


def run_compare(
    context: typer.Context, file: Path, folder: Path, choices: dict[str, Any], flags: Flags, overwrite: bool
) -> None:
    """Compare and report; shared with ``kolumn demo``."""
    from ..doctor import problem_of
    from ..io import open_scan
    from ..masks import make_mask
    from ..report import compare as compare_methods
    from ..report import save_report
    from ..report.files import check_folder
    from ..report.run import run_record
    from ..report.table import HEADER, rows
    from .console import print_table, progress, say
    from .options import choose_device, method_options

    options = method_options(flags, choices["methods"], seed=choices["seed"])
    if choices["convergence"]:
        _check_iterative(choices["methods"])
    check_folder(folder, overwrite)
    where = choose_device(choices["device"])
    scan = open_scan(file, choices["dataset"])
    with progress("compare", len(choices["methods"]) * scan.n_slices) as step:
        result = compare_methods(
            scan,
            lambda shape: make_mask(
                choices["mask"], shape, choices["acceleration"], choices["center"], choices["seed"], scan.path.name
            ),
            choices["methods"],
            options,
            where,
            choices["whiten"],
            lambda name, i: step(f"{name}, slice {i}"),
            choices["convergence"],
            reference=choices["reference"],
        )
    if problem := problem_of(scan, scan.n_slices // 2, choices["dataset"]):
        result.notes.insert(0, problem)
    for note in result.notes:
        say(f"note: {note}")
    settings = {**choices, "device": where, "method_options": options}
    save_report(
        folder, result, scan.path.name, run_record(["kolumn", *context.find_root().obj], scan.path, settings), overwrite
    )
    print_table(HEADER, rows(result))
    say(f"mask truly {result.mask['true_acceleration']:.2f}x; report in {folder / 'report.html'}")


def _check_iterative(methods: list[str]) -> None:
    from ..errors import ArgumentError
    from ..recon import METHODS, method_class

    if not any(hasattr(method_class(name), "solve") for name in methods):
        able = ", ".join(name for name, cls in METHODS.items() if hasattr(cls, "solve"))
        raise ArgumentError(f"--convergence needs one of {able} among --methods, which are {', '.join(methods)}")
