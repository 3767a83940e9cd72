"""Words that several commands share, and the options of methods as flags."""

from __future__ import annotations

import difflib
import inspect
import typing
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from ..errors import ArgumentError

File = Annotated[
    str,
    typer.Argument(metavar="FILE", help="K-space: fastMRI or ISMRMRD HDF5, Siemens .dat, BART .cfl, .npy, .npz."),
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what stands there.")]
Dataset = Annotated[str | None, typer.Option(help="Name of the k-space dataset, where it is not the usual one.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps ...")]
Whiten = Annotated[str, typer.Option(help="Noise whitening: auto (the noise scan, if any), scan, edge, none.")]
MaskKind = Annotated[
    str,
    typer.Option(
        help="random, equispaced, offset, gaussian, gaussian2d, poisson, partial, full, fastmri-random, "
        "fastmri-equispaced, fastmri-magic, or a .npy file."
    ),
]
Acceleration = Annotated[
    float, typer.Option(help="All columns over acquired ones, at least 1; of equispaced kinds the spacing, truly less.")
]
Center = Annotated[float, typer.Option(help="Fraction of columns in the fully sampled centre.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]

BOOLS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}

Flags = list[tuple[str, str | None]]  # --lam 0.02 and --lam=0.02 are ("--lam", "0.02"); None where the value is missing


def names(text: str) -> list[str]:
    """``"zero-filled, sense"`` to names, each once."""
    return list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))


def file_and_flags(context: typer.Context, file: str) -> tuple[str, Flags]:
    """The file, and the flags that the command itself does not know, in whatever order they came.

    Args:
        context: of the command, with the words that it did not know.
        file: what was taken for the file: an unknown flag, where that came first.

    Raises:
        ArgumentError: no file, or more than one, or a flag that no method has either.
    """
    words, flags = _split([file, *context.args])
    _check_names(context, flags)
    if len(words) != 1:
        seen = f"cannot make sense of {words[1]!r}: one file at a time" if words else "no FILE was given"
        raise ArgumentError(f"{seen}; see `kolumn {context.info_name} --help`")
    return words[0], flags


def flags_only(context: typer.Context) -> Flags:
    """The same for a command without a file.

    Raises:
        ArgumentError: a word that is no flag, or a flag that no method has.
    """
    words, flags = _split(context.args)
    _check_names(context, flags)
    if words:
        raise ArgumentError(f"{context.info_name} takes no file and was given {words[0]!r}; try `kolumn compare`")
    return flags


def _split(words: Sequence[str]) -> tuple[list[str], Flags]:
    """Words that stand alone, and flags with their values; every flag of a method takes one."""
    alone: list[str] = []
    flags: Flags = []
    rest = iter(words)
    for word in rest:
        if not word.startswith("-"):
            alone.append(word)
            continue
        flag, equals, value = word.partition("=")
        flags.append((flag, value if equals else next(rest, None)))
    return alone, flags


def _check_names(context: typer.Context, flags: Flags) -> None:
    if not flags:
        return
    from ..recon import METHODS

    theirs = {_flag(option) for cls in METHODS.values() for option in _kinds(cls)}
    mine = {flag for parameter in context.command.params for flag in parameter.opts if flag.startswith("--")}
    for flag, _ in flags:
        if flag not in theirs:
            near = difflib.get_close_matches(flag, sorted(mine | theirs), 1, cutoff=0.7)
            hint = f"did you mean {near[0]}? " if near else ""
            raise ArgumentError(f"unknown option {flag}; {hint}see `kolumn {context.info_name} --help`")


def method_options(flags: Flags, methods: Iterable[str], **shared: Any) -> dict[str, dict[str, Any]]:
    """Flags as options of the methods that have them.

    Args:
        flags: from :func:`file_and_flags`.
        methods: names in METHODS.
        shared: options of the command itself, for the methods that have one of that name.

    Returns:
        dict: options of each method.

    Raises:
        ArgumentError: a flag that none of the methods has, or a missing value, or one of the wrong type.
    """
    from ..recon import METHODS, method_class

    kinds = {name: _kinds(method_class(name)) for name in methods}
    options = {name: {key: value for key, value in shared.items() if key in kind} for name, kind in kinds.items()}
    for flag, value in flags:
        key = flag.removeprefix("--").replace("-", "_")
        takers = [name for name, kind in kinds.items() if key in kind]
        if not takers:
            owners = [name for name, cls in METHODS.items() if key in _kinds(cls)]
            raise ArgumentError(f"{flag} is an option of {', '.join(owners)}, not of {', '.join(kinds)}")
        for name in takers:
            options[name][key] = _convert(flag, value, kinds[name][key], f" for {name}" if len(kinds) > 1 else "")
    return options


def _flag(option: str) -> str:
    return "--" + option.replace("_", "-")


def _kinds(cls: type) -> dict[str, type]:
    hints = typing.get_type_hints(cls)
    return {name: _kind(hints.get(name, str)) for name in inspect.signature(cls).parameters}


def _kind(hint: Any) -> type:
    """What a flag's text becomes: float for ``float | None``, since a flag never says None; str where that will do."""
    kinds = typing.get_args(hint) or (hint,)
    return next((kind for kind in (str, bool, float, int) if kind in kinds), str)


_DEVICES = ("cpu", "cuda", "mps")
_WANTED = {bool: "yes or no", int: "a whole number", float: "a number", str: "a word"}


def _convert(flag: str, value: str | None, kind: type, where: str = "") -> Any:
    if value is None:
        raise ArgumentError(f"option {flag} needs a value: {_WANTED[kind]}")
    try:
        return BOOLS[value.lower()] if kind is bool else kind(value)
    except (ValueError, KeyError) as error:
        raise ArgumentError(f"{flag} is {value!r}; wanted {_WANTED[kind]}{where}") from error


def check_seed(seed: int) -> int:
    """The seed.

    Raises:
        ArgumentError: it is negative or beyond 32 bits.
    """
    if not 0 <= seed < 2**32:
        raise ArgumentError(f"seed is {seed}; wanted a whole number from 0 to {2**32 - 1}")
    return seed


def choose_device(name: str) -> str:
    """The device to compute on: "auto" is CUDA where it is there, else the CPU.

    Raises:
        ArgumentError: no such device here.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=name).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        known = name.partition(":")[0] in _DEVICES
        reason = str(error).splitlines()[0][:80] if known else f"wanted auto, {', '.join(_DEVICES)}, or cuda:1"
        raise ArgumentError(f"device {name!r} cannot be used here ({reason}); try cpu") from error
    return name
