"""A small U-Net without biases and normalisation, which does not care how bright its image is."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Generator, Tensor, nn

from ..native import NativeDenoiser, native_denoiser
from .weights import draw_weights, undrawn


class Denoiser(nn.Module):
    """D: channels to channels with D(c x) = c D(x) for c > 0; untrained it is 0.

    Levels of residual blocks, x + conv(relu(conv(x))), with 2 x 2 convolutions of stride 2 on the way down, their
    transposes on the way up, skip connections that add, and twice the channels from level to level. There is no bias
    and no normalisation, so that it is homogeneous: what it has learned holds at any brightness and, with the noise
    level as an input, at any noise.

    References: Plug-and-play image restoration with deep denoiser prior, Zhang et al., 2021, arXiv:2008.13751; Robust
    and interpretable blind image denoising via bias-free convolutional neural networks, Mohan et al., 2020,
    arXiv:1906.05478.

    Args:
        n_in: channels that come in.
        n_out: channels that go out.
        channels: of the first level.
        levels: how often the image is halved; its sides are multiples of 2^levels.
        generator: of the first weights.
    """

    def __init__(self, n_in: int, n_out: int, channels: int, levels: int, generator: Generator) -> None:
        super().__init__()
        widths = [channels * 2**i for i in range(levels + 1)]
        pairs = list(pairwise(widths))
        self.head = undrawn(nn.Conv2d, n_in, channels, 3, padding=1, bias=False)
        self.before = nn.ModuleList(Block(n) for n in widths)
        self.down = nn.ModuleList(undrawn(nn.Conv2d, a, b, 2, 2, bias=False) for a, b in pairs)
        self.up = nn.ModuleList(undrawn(nn.ConvTranspose2d, b, a, 2, 2, bias=False) for a, b in pairs)
        self.after = nn.ModuleList(Block(n) for n in widths[:-1])
        self.tail = undrawn(nn.Conv2d, channels, n_out, 3, padding=1, bias=False)
        draw_weights(self, generator)
        nn.init.zeros_(self.tail.weight)
        self.multiple = 2**levels
        self.compiled: tuple[list[Tensor], NativeDenoiser | None] = [], None

    def forward(self, x: Tensor) -> Tensor:
        """D(x), x (entry, channel, y, x)."""
        compiled = self._compiled(x)
        if compiled is not None:
            images = [compiled(image.movedim(0, -1))[..., : self.tail.out_channels] for image in x]
            return torch.stack(images).movedim(-1, 1)
        x = self.head(x)
        kept = []
        for block, down in zip(self.before, self.down, strict=False):
            x = block(x)
            kept.append(x)
            x = down(x)
        x = self.before[-1](x)
        for up, block in zip(reversed(self.up), reversed(self.after), strict=True):
            x = block(up(x) + kept.pop())
        return self.tail(x)

    def _compiled(self, x: Tensor) -> NativeDenoiser | None:
        """The same compiled, where that will do: float32, no gradients, and nobody records what is done."""
        weights = list(self.parameters())
        gradients = torch.is_grad_enabled() and any(t.requires_grad for t in (x, *weights))
        single = all(t.dtype == torch.float32 and t.device.type == "cpu" for t in (x, *weights))
        plain = type(x) is Tensor and single
        fits = x.ndim == 4 and x.shape[1] == self.head.in_channels and not any(n % self.multiple for n in x.shape[2:])
        recorded = torch.is_autocast_enabled("cpu") or torch.compiler.is_compiling() or torch._C._get_tracing_state()
        if gradients or recorded or not plain or not fits or len(x) == 0:
            return None
        # By the numbers themselves: torch's fused optimizers, and so kolumn's, change weights and not their version.
        if not self.compiled[0] or not all(map(torch.equal, self.compiled[0], weights)):
            self.compiled = [weight.detach().clone() for weight in weights], native_denoiser(self)
        return self.compiled[1]


class Block(nn.Module):
    """x + conv(relu(conv(x)))."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.first = undrawn(nn.Conv2d, n, n, 3, padding=1, bias=False)
        self.second = undrawn(nn.Conv2d, n, n, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x + self.second(torch.relu_(self.first(x)))
