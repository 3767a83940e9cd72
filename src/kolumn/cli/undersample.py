"""``kolumn undersample``: leave out lines of a fully sampled file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from .options import Acceleration, Center, Dataset, File, MaskKind, Overwrite, Seed


def undersample(
    file: File,
    output: Annotated[str, typer.Option("--output", "-o", help="fastMRI .h5, ISMRMRD .mrd, .mrd.h5, .cfl, .npy, .npz")],
    mask: MaskKind = "random",
    acceleration: Acceleration = 4.0,
    center: Center = 0.08,
    seed: Seed = 0,
    dataset: Dataset = None,
    overwrite: Overwrite = False,
) -> None:
    """Undersample a file retrospectively: what the mask leaves out becomes 0, everything else stays as it was."""
    from ..acquisition import Acquisition
    from ..io import open_scan, write_kspace
    from ..io.atomic import check_target
    from ..io.formats import format_for
    from ..masks import acceleration as acceleration_of
    from ..masks import make_mask
    from ..report import undersampled
    from .console import say

    target = Path(output)
    format_for(target, "save_kspace")
    check_target(target, overwrite)
    scan = open_scan(file, dataset)
    made = make_mask(mask, scan.shape[1:], acceleration, center, seed, Path(file).name)

    first = undersampled(scan.load(0), made.samples)
    true = acceleration_of(first.mask, tuple(first.kspace.shape))
    if true > made.true_acceleration:
        say(f"note: {file} lacks lines of its own: {made.true_acceleration:.2f}x by the mask, {true:.2f}x in all")

    def load(i: int) -> Acquisition:
        return undersampled(scan.load(i), made.samples)

    who = {"patient_id": Path(file).name.split(".")[0]}  # by whom training keeps people apart
    who |= {name: scan.details[name] for name in ("acquisition", "patient_id") if name in scan.details}
    note = {**who, "mask": made.kind, "acceleration": true, "num_low_frequency": made.calibration_width}
    write_kspace(target, replace(scan, load=load), overwrite=overwrite, attributes=note)
    wanted = f" ({acceleration:g}x besides the centre)" if "equispaced" in mask and true < 0.95 * acceleration else ""
    say(
        f"{made.kind}: truly {true:.2f}x{wanted}, {made.calibration_width} calibration columns, "
        f"{scan.n_slices} slice{'s' * (scan.n_slices > 1)} in {target}"
    )
