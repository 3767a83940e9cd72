"""The weights that a network starts with."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Generator, nn

Layer = TypeVar("Layer", nn.Conv2d, nn.ConvTranspose2d)


def undrawn(layer: type[Layer], *sizes: int, **options: int | bool) -> Layer:
    """A convolution whose weights are yet to be drawn: torch would draw some from the generator that all share."""
    made: Layer = nn.utils.skip_init(layer, *sizes, **options)  # type: ignore[no-untyped-call]
    return made


def draw_weights(network: nn.Module, generator: Generator) -> None:
    """Draw the weights of all convolutions from N(0, 2 / fan_in), in their order; biases become 0.

    They lie with the channels last in memory, which is faster.

    Reference: Delving deep into rectifiers, He et al., 2015, arXiv:1502.01852.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            # A transposed convolution with stride 2 and a 2 x 2 kernel reads each input channel once.
            one = module.weight[:, 0, 0, 0] if isinstance(module, nn.ConvTranspose2d) else module.weight[0]
            nn.init.normal_(module.weight, 0.0, (2 / one.numel()) ** 0.5, generator=generator)
            module.weight.data = module.weight.data.to(memory_format=torch.channels_last)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
