"""Words that several commands share, and the options of methods as flags."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from ..errors import ArgumentError

File = Annotated[str, typer.Argument(help="K-space: fastMRI or ISMRMRD HDF5, Siemens .dat, BART .cfl, .npy, .npz.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what stands there.")]
Dataset = Annotated[str | None, typer.Option(help="Name of the k-space dataset, where it is not the usual one.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...")]
Whiten = Annotated[str, typer.Option(help="Noise whitening: auto (the noise scan, if any), scan, edge, none.")]
MaskKind = Annotated[str, typer.Option(help="Kind of mask, or a .npy file.")]
Acceleration = Annotated[float, typer.Option(help="All columns over acquired columns.")]
Center = Annotated[float, typer.Option(help="Fraction of columns in the fully sampled centre.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]


def method_options(words: Sequence[str], methods: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Flags that the command itself does not know, as options of the methods that have them.

    Args:
        words: ``--lam 0.02 --tolerance=1e-4``.
        methods: names in METHODS.

    Returns:
        dict: options of each method.

    Raises:
        ArgumentError: a flag that none of the methods has, or a value of the wrong type.
    """
    from ..recon import method_class

    kinds = {name: _kinds(method_class(name)) for name in methods}
    options: dict[str, dict[str, Any]] = {name: {} for name in kinds}
    for flag, value in _pairs(words):
        key = flag.removeprefix("--").replace("-", "_")
        takers = [name for name, kind in kinds.items() if key in kind]
        if not takers:
            raise ArgumentError(f"unknown option {flag}; {_offer(kinds)}")
        for name in takers:
            options[name][key] = _convert(flag, value, kinds[name][key])
    return options


def _kinds(cls: type) -> dict[str, type]:
    hints = typing.get_type_hints(cls)
    return {name: hints.get(name, str) for name in inspect.signature(cls).parameters}


def _pairs(words: Sequence[str]) -> list[tuple[str, str]]:
    pairs = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--"):
            raise ArgumentError(f"cannot make sense of {word!r}; options start with -- and the file comes first")
        flag, equals, value = word.partition("=")
        if not equals and not rest:
            raise ArgumentError(f"option {flag} needs a value")
        pairs.append((flag, value if equals else rest.pop(0)))
    return pairs


def _convert(flag: str, value: str, kind: type) -> Any:
    try:
        return kind(value)
    except ValueError as error:
        wanted = {int: "a whole number", float: "a number"}.get(kind, kind.__name__)
        raise ArgumentError(f"{flag} is {value!r}; wanted {wanted}") from error


def _offer(kinds: dict[str, dict[str, type]]) -> str:
    parts = [f"{name} has {' '.join('--' + k.replace('_', '-') for k in kind)}" for name, kind in kinds.items() if kind]
    return "; ".join(parts) if parts else f"{', '.join(kinds)} has no options"


def choose_device(name: str) -> str:
    """The device to compute on: "auto" is CUDA where it is there, else the CPU.

    Raises:
        ArgumentError: no such device here.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ArgumentError(
            f"device {name!r} cannot be used here ({str(error).splitlines()[0][:80]}); try cpu"
        ) from error
    return name
