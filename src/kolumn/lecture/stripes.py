"""A task that a small deep network learns in seconds, and the network: which way do the stripes run?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from ..nn import NORMS, GroupNorm
from ..optim import Optimizer

CLASSES = 8  # directions, 22.5 degrees apart
CHANCE = math.log(CLASSES)  # loss of a network that knows nothing
LEARNT = CHANCE / 2  # a loss that shows that something was learnt
DIVERGED = 1e3  # a loss from which on training is given up; what is not a number counts as this, too

DEPTH, WIDTH, SIDE, NOISE, IMAGES, BATCH = 8, 12, 12, 0.5, 512, 32  # of the network, the pictures, and the training

# name -> what normalises a number of channels; groups of 4, since the networks here are narrow
LAYERS: dict[str, Callable[[int], nn.Module]] = {**NORMS, "group": lambda n: GroupNorm(n, group_size=4)}
LABELS = {name: "no layer" if name == "none" else f"{name} norm" for name in LAYERS}


class Images(NamedTuple):
    """Pictures (n, 1, y, x) and the number of the direction of each (n,)."""

    x: Tensor
    label: Tensor


def stripes(n: int, side: int, noise: float, generator: Generator, wrong: float = 0.0) -> Images:
    """Sine waves of a random direction out of CLASSES, wavelength, phase and contrast, in normal noise.

    Args:
        n: pictures.
        side: of a picture, pixels.
        noise: its standard deviation, where the waves have a mean square of about 1.
        generator: where the random numbers come from.
        wrong: the fraction of labels that are drawn anew, whatever the picture.
    """
    label = torch.randint(CLASSES, (n,), generator=generator)
    wavelength, phase, contrast = torch.rand(3, n, 1, 1, generator=generator)
    angle = (math.pi / CLASSES) * label.reshape(n, 1, 1)
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    along = x * angle.cos() + y * angle.sin()
    wave = (1 + contrast) * torch.sin(2 * math.pi * (along / (4 + 4 * wavelength) + phase))
    pictures = (wave + noise * torch.randn(n, side, side, generator=generator))[:, None]
    anew = torch.rand(n, generator=generator) < wrong
    return Images(pictures, torch.where(anew, torch.randint(CLASSES, (n,), generator=generator), label))


def network(
    depth: int, width: int, norm: Callable[[int], nn.Module], generator: Generator, gain: float = 1.0
) -> nn.Sequential:
    """``depth`` times convolution (3 x 3), normalisation and ReLU, without the last normalisation; mean, linear map.

    The mean is that over space; biases start at 0. Weights are normal with gain^2 times the variance of He et al. 2015
    (arXiv:1502.01852), 2 over the inputs of a unit, which keeps the scale of a signal from layer to layer.
    """
    layers: list[nn.Module] = []
    for i in range(depth):
        convolution = _start(nn.Conv2d(width if i else 1, width, 3, padding=1, device="meta"), gain, generator)
        layers += [convolution, norm(width) if i < depth - 1 else nn.Identity(), nn.ReLU()]
    linear = _start(nn.Linear(width, CLASSES, device="meta"), 1.0, generator)
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear)


def _start(layer: nn.Conv2d | nn.Linear, gain: float, generator: Generator) -> nn.Module:
    """Off the meta device, where a layer is made without random numbers."""
    layer = layer.to_empty(device="cpu")
    nn.init.normal_(layer.weight, std=gain * math.sqrt(2 / layer.weight[0].numel()), generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def train(
    net: nn.Module,
    data: Images,
    rate: float,
    steps: int,
    batch: int,
    generator: Generator,
    rule: str = "sgd",
    **options: Any,
) -> list[float]:
    """The loss (cross entropy) before each step, on batches drawn at random; ends with DIVERGED where it diverges."""
    optimizer = Optimizer(net.parameters(), rule, lr=rate, **options)
    losses: list[float] = []
    for _ in range(steps):
        drawn = torch.randint(len(data.label), (batch,), generator=generator)
        loss = functional.cross_entropy(net(data.x[drawn]), data.label[drawn])
        value = float(loss.detach())
        if not value < DIVERGED:
            return [*losses, DIVERGED]
        losses.append(value)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    return losses


def last(losses: list[float]) -> float:
    """Where training ended: the median of the last twenty losses, or DIVERGED."""
    return DIVERGED if losses[-1] >= DIVERGED else statistics.median(losses[-20:])
