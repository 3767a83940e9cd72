"""``kolumn train``: a network from images, raw k-space, or nothing at all."""

from __future__ import annotations

import inspect
import typing
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from ..errors import ArgumentError
from .options import BOOLS, Device, Seed, names

_IMAGES = "HDF5 file of magnitude volumes (slice, y, x), or folder of photographs."
_FOLDER_OF_SCANS = "Folder of fully sampled k-space files"


def train(
    method: Annotated[str, typer.Argument(metavar="METHOD", help="unrolled, unet or learned-cs.")],
    output: Annotated[str, typer.Option("--output", "-o", help="Folder for checkpoints and log.")],
    images: Annotated[str | None, typer.Option(help=_IMAGES)] = None,
    data: Annotated[str | None, typer.Option(help=f"{_FOLDER_OF_SCANS} to train on.")] = None,
    validation: Annotated[str | None, typer.Option(help=f"{_FOLDER_OF_SCANS} to validate on.")] = None,
    weights: Annotated[
        str | None, typer.Option(help="To begin with: a file, or shipped, those of the package; else random.")
    ] = None,
    hold_out: Annotated[str, typer.Option(help="People never to train on, with commas between them.")] = "",
    minutes: Annotated[float | None, typer.Option(help="How long to train.")] = None,
    steps: Annotated[int | None, typer.Option(help="How long to train, in updates: repeatable to the bit.")] = None,
    batch_size: Annotated[int, typer.Option(help="Images in a batch, on each device.")] = 1,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 1e-3,
    rule: Annotated[str, typer.Option(help="Update rule of the optimizer: adam, schedule-free-adamw, ...")] = "adam",
    workers: Annotated[int, typer.Option(help="Processes that make the data.")] = 1,
    bf16: Annotated[str, typer.Option(help="Convolutions in bfloat16: auto (where it is fast), yes, no.")] = "auto",
    validate_every: Annotated[float, typer.Option(help="Minutes from one validation to the next.")] = 10.0,
    seed: Seed = 0,
    device: Device = "auto",
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint in the folder.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Start anew in a folder that has one.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Log for TensorBoard as well.")] = False,
    option: Annotated[list[str] | None, typer.Option("--option", help="Of the network: n_cascades=8.")] = None,
) -> None:
    """Train a network on simulated scans, of procedural images and of what you point at.

    Writes into the folder: weights.safetensors with its model card, for --weights of kolumn recon;
    last.pt, everything to go on from, and best.pt, the same of the best validation; log.csv. Killed at any moment it
    goes on with --resume. On several devices: torchrun --nproc-per-node 4 -m kolumn train ...
    """
    from ..train import (
        Plan,
        Settings,
        Trainer,
        begin_with,
        has_much_to_learn,
        join_group,
        make_network,
        prepare_data,
    )
    from .console import say
    from .options import check_seed, choose_device

    settings = Settings(
        steps, minutes, lr, rule, workers=workers, validate_every=60 * validate_every, tensorboard=tensorboard
    )
    plan = Plan(_path(images), _path(data), _path(validation), tuple(names(hold_out)), batch_size, check_seed(seed))
    options = _network_options(method, option or [])
    if weights is not None and options:
        raise ArgumentError(f"--option {next(iter(options))} is for a new network; --weights has its own")
    folder = Path(output)
    _check_folder(folder, resume, overwrite)
    group = join_group(choose_device(device))
    try:
        model, before = (make_network(method, options, seed), None) if weights is None else begin_with(method, weights)
        model.mixed = _mixed(bf16, group.device)  # type: ignore[assignment]
        ready = prepare_data(replace(plan, new=weights is None and has_much_to_learn(model)))
        description = {
            "method": method,
            "weights": weights,
            "options": model.options,
            "seed": seed,
            "batch_size": batch_size,
            "data": list(ready.about),
        }
        about = [*(f"before: {line}" for line in (before.data if before else ())), *ready.about]
        licences = sorted({*(before.licences if before else ()), *ready.licences})
        limits = [f"before: {line}" for line in (before.limits if before else ())]
        card = {"data": about, "licences": licences, "limits": limits}
        report = say if group.leads else _silent
        trainer = Trainer(model, description, settings, ready.source, ready.examinations, folder, group, report, card)
        if resume:
            trainer.resume()
        _make_folder(folder)
        for note in ready.notes:
            report(f"note: {note}")
        trainer.run()
    finally:
        group.close()


def _silent(line: str) -> None:
    pass


def _path(text: str | None) -> Path | None:
    return None if text is None else Path(text)


def _check_folder(folder: Path, resume: bool, overwrite: bool) -> None:
    from ..errors import OutputError
    from ..train import LAST

    if (folder / LAST).exists() and not (resume or overwrite):
        raise OutputError(f"{folder} holds a training already; pass --resume to go on, or --overwrite to start anew")
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; give the name of a folder")
    if not folder.parent.is_dir():
        raise OutputError(f"the folder {folder.parent} does not exist; create it first")


def _make_folder(folder: Path) -> None:
    from ..errors import OutputError

    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror or error}") from error


def _mixed(choice: str, device: str) -> bool:
    from ..nn import bfloat16_is_fast

    if choice == "auto":
        return bfloat16_is_fast(device)
    if choice not in BOOLS:
        raise ArgumentError(f"--bf16 is {choice!r}; wanted auto, yes or no")
    return BOOLS[choice]


def _network_options(method: str, words: list[str]) -> dict[str, Any]:
    """``["n_cascades=8"]`` to the arguments of the network, of the types that it wants.

    Raises:
        ArgumentError: an option that the network does not have, or a value of another type.
    """
    from ..recon.weights import NETWORKS

    model = NETWORKS.get(method)
    hints = typing.get_type_hints(model.__init__ if inspect.isclass(model) else model) if model else {}
    options: dict[str, Any] = {}
    for word in words:
        name, equals, text = word.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise ArgumentError(f"--option is {word!r}; wanted NAME=VALUE, as in n_cascades=8")
        kind = hints.get(name, str)
        try:
            options[name] = BOOLS[text] if kind is bool else kind(text)
        except (KeyError, ValueError) as error:
            raise ArgumentError(f"--option {name} is {text!r}; wanted {kind.__name__}") from error
    return options
