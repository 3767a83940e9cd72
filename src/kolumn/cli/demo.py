"""``kolumn demo``: compare on a phantom, no file needed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from .compare import Convergence, Methods, run_compare
from .options import Acceleration, Center, Device, MaskKind, Overwrite, Seed, check_seed, flags_only, names

DEFAULT_METHODS = "zero-filled,sense,grappa,tv"


def demo(
    context: typer.Context,
    output: Annotated[str, typer.Option("--output", "-o", help="Folder for the report.")] = "kolumn-demo",
    mask: MaskKind = "equispaced",
    acceleration: Acceleration = 3.0,
    center: Center = 0.08,
    seed: Seed = 0,
    methods: Methods = DEFAULT_METHODS,
    device: Device = "auto",
    convergence: Convergence = False,
    overwrite: Overwrite = False,
) -> None:
    """Simulate a head in an 8-coil scanner, undersample it, compare the methods, and write the report."""
    from ..io import write_kspace
    from ..phantoms import phantom
    from ..report.files import check_folder
    from .console import say

    flags = flags_only(context)
    check_seed(seed)
    check_folder(Path(output), overwrite)
    choices: dict[str, Any] = {
        "mask": mask,
        "acceleration": acceleration,
        "center": center,
        "seed": seed,
        "methods": names(methods),
        "whiten": "auto",
        "device": device,
        "dataset": None,
        "reference": "unbiased",  # nearer to the truth than the noisy one, as tv and networks are
        "convergence": convergence,
    }
    say("simulating a head of 256 x 256 pixels in an 8-coil array")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "phantom.h5"
        write_kspace(file, phantom(seed=seed)[0], attributes={"acquisition": "kolumn anatomy"})
        run_compare(context, file, Path(output), choices, flags, overwrite)
