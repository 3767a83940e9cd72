"""The convolutions of a network as ONNX, for other runtimes."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import cast

import torch
from torch import nn

from ..errors import ArgumentError, MissingExtraError
from ..io.atomic import atomic, check_target

_SIDE = 4  # of the example, in the units that sides have to be multiples of


def export_onnx(network: nn.Module, path: str | os.PathLike[str], multiple: int = 8, overwrite: bool = False) -> None:
    """Write what maps real channels to real channels as an ONNX file, for any number of images of any size.

    That is ``network.body`` of a U-Net and each of ``network.denoisers`` of an unrolled network. Fourier transforms,
    maps and data consistency are complex and stay in torch. The input is "channels" (entry, channel, y, x), float32,
    the output "change" of the same axes.

    Args:
        network: of real channels, whose first layer is a convolution.
        path: of the file, .onnx.
        multiple: what y and x are multiples of: the network's own ``multiple``.
        overwrite: whether to replace what stands there.

    Raises:
        ArgumentError: there is no convolution in it.
        MissingExtraError: onnx and onnxscript are not installed.
        OutputError: the target exists or cannot be written.
    """
    first = next((layer for layer in network.modules() if isinstance(layer, nn.Conv2d)), None)
    if first is None:
        raise ArgumentError(f"{type(network).__name__} has no convolution; give network.body or a denoiser")
    path = Path(path)
    check_target(path, overwrite)
    try:
        import onnxscript  # noqa: F401  # by way of which torch writes ONNX
    except ImportError as error:
        raise MissingExtraError('export to ONNX needs two more packages: pip install "kolumn[onnx]"') from error
    entry, y, x = (torch.export.Dim(name) for name in ("entry", "rows", "columns"))
    example = torch.zeros(2, first.in_channels, _SIDE * multiple, (_SIDE + 1) * multiple)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of what torch's exporter itself will change some day
        program = torch.onnx.export(
            network.eval(),
            (example,),
            dynamo=True,
            verbose=False,
            input_names=["channels"],
            output_names=["change"],
            dynamic_shapes=({0: entry, 2: multiple * y, 3: multiple * x},),
        )
    with atomic(path, overwrite) as beside:
        cast(torch.onnx.ONNXProgram, program).save(str(beside))
