"""Weights of networks, in files."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ..errors import ArgumentError, FormatError
from ..io.atomic import atomic
from ..io.guard import check_readable
from ..io.torch_file import load_torch
from ..nn import FastmriUNet, LearnedCS, UNet, Unrolled, VarNet, varnet
from ..nn import fastmri_unet as fastmri
from .card import ModelCard, read_card

SHIPPED = Path(__file__).parent / "networks"
NETWORKS: dict[str, Callable[..., nn.Module]] = {"unet": UNet, "unrolled": Unrolled, "learned-cs": LearnedCS}


class Foreign(NamedTuple):
    """Weights that another package has published.

    Attributes:
        mark: a key that no others have.
        method: that they are for.
        build: state dict to network.
    """

    mark: str
    method: str
    build: Callable[[Mapping[str, Tensor]], nn.Module]


FOREIGN = (
    Foreign(fastmri.MARK, "unet", FastmriUNet.from_state),
    Foreign(varnet.MARK, "unrolled", VarNet.from_state),
)


def save_network(path: Path, name: str, network: nn.Module, card: ModelCard, overwrite: bool = False) -> None:
    """Write weights in half precision to a .safetensors file, and the card beside it, each whole or not at all.

    Args:
        path: of the weights.
        name: a key of NETWORKS.
        network: of that kind, which has its options as ``options``.
        card: its model card.
        overwrite: whether to replace what stands there.

    Raises:
        ArgumentError: a weight is not finite in half precision.
        OutputError: the target exists or cannot be written.
    """
    state = {key: value.detach().cpu().contiguous().half() for key, value in network.state_dict().items()}
    for key, value in state.items():
        if not torch.isfinite(value).all():
            raise ArgumentError(f"weight {key} holds NaN, infinity or more than 65504; the training has diverged")
    with atomic(path, overwrite) as beside:
        beside.write_bytes(save(state, {"network": name, "options": json.dumps(network.options)}))
    with atomic(card_path(path), overwrite) as beside:
        beside.write_text(card.text(), "utf-8")


def card_path(path: Path) -> Path:
    """Where the card of a file of weights is."""
    return path.with_suffix(".json")


def load_network(method: str, path: str | os.PathLike[str] | None = None) -> tuple[nn.Module, ModelCard | None]:
    """A network ready for use, and its model card, if it has one.

    Args:
        method: a key of NETWORKS.
        path: of weights as :func:`save_network` writes them, or of a state dict of fastMRI's U-Net or E2E-VarNet, as
            .safetensors or as torch.save writes it. None: those that come with the package.

    Raises:
        FormatError: the file is missing, damaged, or of no network known here.
        ArgumentError: it holds another method's network.
    """
    if path is None:
        path = SHIPPED / f"{method}.safetensors"
        if not path.exists():
            raise FormatError(f"this installation has no weights for {method!r}; give a file of them (weights=...)")
    path = Path(path)
    check_readable(path)
    state, about = _read(path)
    for key, value in state.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise FormatError(f"{path}: weight {key} holds NaN or infinity; restore the file from where it came from")
    kind, network = _build(path, state, about)
    if kind != method:
        raise ArgumentError(f"{path} holds weights for {kind!r}; use that method, or other weights than for {method!r}")
    network.eval().requires_grad_(False)
    beside = card_path(path)
    return network, read_card(beside) if beside.exists() else None


def _build(path: Path, state: dict[str, Tensor], about: Mapping[str, str]) -> tuple[str, nn.Module]:
    for foreign in FOREIGN:
        if foreign.mark in state:
            try:
                return foreign.method, foreign.build(state)
            except FormatError as error:
                raise FormatError(f"{path}: {error}") from None
    kind = about.get("network", "")
    if kind not in NETWORKS:
        raise FormatError(f"{path} holds weights of no network known here; known are {', '.join(NETWORKS)}, fastMRI's")
    try:
        completed: Callable[[dict[str, Any]], dict[str, Any]] = getattr(NETWORKS[kind], "completed", dict)
        network = NETWORKS[kind](**completed(json.loads(about["options"])))
        network.load_state_dict(state)
    except (KeyError, ValueError, TypeError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1].strip()[:100]
        advice = "they are of another version, or damaged; train them anew, or use those of the package"
        raise FormatError(f"{path}: its weights do not fit the network it names ({reason}): {advice}") from error
    return kind, network


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with path.open("rb") as file:
        start = file.read(9)
    if start[8:] != b"{" and not start.startswith((b"PK", b"\x80")):
        raise FormatError(f"{path} holds no weights; wanted .safetensors of kolumn train, or what torch.save wrote")
    return _read_safetensors(path) if start[8:] == b"{" else (_read_torch(path), {})


def _read_safetensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    try:
        with safe_open(path, "pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118, no dict
    except (SafetensorError, RuntimeError, OSError, EOFError, ValueError, KeyError, TypeError) as error:
        reason = str(error).strip().splitlines()[0][:100] if str(error).strip() else type(error).__name__
        raise FormatError(f"{path} is damaged, or no file of safetensors ({reason})") from error


def _read_torch(path: Path) -> dict[str, Tensor]:
    advice = "save network.state_dict() alone"
    state = load_torch(path, advice)
    if isinstance(state, dict) and "optimizer" in state:
        raise FormatError(f"{path} is a checkpoint, to go on training from; give the weights.safetensors beside it")
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise FormatError(f"{path} holds no state dict (a dict of tensors); {advice}")
    return {str(key): value for key, value in state.items()}
