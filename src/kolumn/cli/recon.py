"""``kolumn recon``: k-space to image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .options import Dataset, Device, File, Overwrite, Whiten, file_and_flags

_NAMES = "zero-filled, sense, grappa, tv, tgv, wavelet, llr, unrolled, unet, learned-cs"  # METHODS, without its imports


def recon(
    context: typer.Context,
    file: File,
    output: Annotated[str, typer.Option("--output", "-o", help="Image: .nii .nii.gz .h5 .npy .cfl .png")],
    method: Annotated[
        str,
        typer.Option(help="zero-filled, sense, grappa, tv, tgv, wavelet, llr, unrolled, unet, learned-cs, or auto."),
    ] = "auto",
    mask: Annotated[str | None, typer.Option(help=".npy file; else found from the data.")] = None,
    maps: Annotated[str | None, typer.Option(help="espirit, walsh, or a .npy or .cfl file (coil, y, x).")] = None,
    whiten: Whiten = "auto",
    coils: Annotated[int | None, typer.Option(help="Compress to that many virtual coils.")] = None,
    slices: Annotated[str | None, typer.Option(help="One slice, 7, or a range, 3:9 (from 0, end left out).")] = None,
    device: Device = "auto",
    dataset: Dataset = None,
    overwrite: Overwrite = False,
) -> None:
    """Reconstruct the image of a k-space file.

    The suffix of the output chooses its format. Any other --option goes to the method: sense has --lam, --tolerance,
    --max-iterations, --n-maps and --outside; grappa has --rows and --columns; tv, tgv, wavelet and llr have --lam
    (auto, or a number, alone or as in 1.5sigma or 0.002max), --tolerance, --max-iterations, --seconds, --air and
    --seed; tv also --norm, wavelet --wavelet, --levels and --spin, llr --block and --spin; unrolled, unet and
    learned-cs have --weights, --mirrored, --adapt and --denoise. For llr the slices of the file are the frames of one
    dynamic series.
    """
    import torch

    from ..acquisition import Acquisition
    from ..coils import MAPS
    from ..doctor import problem_of
    from ..io import open_scan, write
    from ..io.atomic import check_apart, check_target
    from ..io.formats import format_for
    from ..recon import choose_method, make_method, method_class
    from ..recon.front import maps_option, with_maps
    from ..report.account import Account, account_text, join_accounts, limit_note, solve
    from .console import progress, say
    from .options import choose_device, method_options
    from .volume import Settings, pick_slices, reconstruct_slices, slice_geometry, with_mask

    path, flags = file_and_flags(context, file)
    target = Path(output)
    format_for(target, "save")
    check_apart(target, Path(path))
    check_target(target, overwrite)
    scan = open_scan(path, dataset)
    chosen = pick_slices(slices, scan.n_slices)
    where = choose_device(device)
    settings = Settings(mask=mask, maps=maps, whitening=whiten, n_coils=coils, device=where)
    name = choose_method(with_mask(scan.load(chosen[0]), mask)) if method == "auto" else method
    how = maps if maps in MAPS else None
    apply = make_method(name, **method_options(flags, [name])[name], **maps_option(name, how))

    def work(acquisition: Acquisition) -> tuple[torch.Tensor, Account]:
        return solve(apply, with_maps(acquisition, name, how))

    images, accounts = [], []
    series = getattr(method_class(name), "SERIES", False)
    with progress(f"{name} on {where}", len(chosen)) as step:
        for image, account in reconstruct_slices(scan, chosen, work, settings, series):
            accounts.append(account)
            for one in image.reshape(-1, *image.shape[-2:]):
                images.append(one)
                step()
    write(target, torch.stack(images), slice_geometry(scan.geometry, chosen), overwrite, {"method": name})
    if problem := problem_of(scan, chosen[len(chosen) // 2], dataset):
        say(f"note: {problem}")
    y, x = images[0].shape
    total = join_accounts(accounts)
    if note := limit_note(name, total):
        say(f"note: {note}")
    how_it_went = f"; {account_text(total)}" if total.iterations else ""
    say(f"{name}: {len(images)} slice{'s' * (len(images) > 1)} of {y} x {x} in {target}{how_it_went}")
