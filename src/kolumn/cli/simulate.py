"""``kolumn simulate``: a phantom acquisition as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Overwrite, Seed, check_seed


def simulate(
    output: Annotated[str, typer.Option("--output", "-o", help="fastMRI .h5, ISMRMRD .mrd, .mrd.h5, .cfl, .npy, .npz")],
    phantom: Annotated[str, typer.Option(help="anatomy, anatomy-t2 or shepp-logan.")] = "anatomy",
    size: Annotated[int, typer.Option(help="Pixels along y and x.")] = 256,
    coils: Annotated[int, typer.Option(help="Receive coils.")] = 8,
    slices: Annotated[int, typer.Option(help="Slices.")] = 1,
    snr: Annotated[float, typer.Option(help="Mean signal over noise (a ratio, not dB); inf for none.")] = 50.0,
    array: Annotated[str, typer.Option(help="biot-savart or birdcage.")] = "biot-savart",
    seed: Seed = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write a fully sampled multi-coil phantom acquisition with phase and correlated noise."""
    from ..io import write_kspace
    from ..io.atomic import check_target
    from ..io.formats import format_for
    from ..phantoms import phantom as make_phantom
    from .console import say

    target = Path(output)
    format_for(target, "save_kspace")
    check_target(target, overwrite)
    check_seed(seed)
    acquisition, _ = make_phantom(phantom, (size, size), coils, slices, snr, array, seed)
    write_kspace(target, acquisition, overwrite=overwrite, attributes={"acquisition": f"kolumn {phantom}"})
    say(f"{phantom}: {slices} x {coils} coils x {size} x {size}, fully sampled, in {target}")
