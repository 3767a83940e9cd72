"""The U-Net's layers."""

from __future__ import annotations

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from ..errors import ArgumentError
from .norm import NORMS
from .weights import draw_weights, undrawn

_SLOPE = 0.2


class UNetBody(nn.Module):
    """Channels to channels: contract, expand, and hand details across.

    A level is twice (3 x 3 convolution, normalisation, leaky ReLU). On the way down the mean of 2 x 2 pixels follows,
    and twice the channels; on the way up a transposed 2 x 2 convolution, normalisation, leaky ReLU, and beside it what
    the level had on the way down. In the end a 1 x 1 convolution. Odd sizes are reflected by a pixel on the way up.

    References: U-Net: convolutional networks for biomedical image segmentation, Ronneberger, Fischer and Brox, 2015,
    arXiv:1505.04597; fastMRI: an open dataset and benchmarks for accelerated MRI, Zbontar et al., 2018,
    arXiv:1811.08839, whose layers these are.

    Args:
        n_in: channels that come in.
        n_out: channels that go out.
        channels: of the first level.
        levels: how often the image is halved, at least 1.
        norm: a key of NORMS.
        generator: of the first weights.

    Raises:
        ArgumentError: another norm.
    """

    def __init__(self, n_in: int, n_out: int, channels: int, levels: int, norm: str, generator: Generator) -> None:
        super().__init__()
        if norm not in NORMS:
            raise ArgumentError(f"norm is {norm!r}; wanted one of {', '.join(NORMS)}")
        widths = [channels * 2**i for i in range(levels + 1)]
        self.down = nn.ModuleList(_level(a, b, norm) for a, b in zip([n_in, *widths[:-2]], widths[:-1], strict=True))
        self.bottom = _level(widths[-2], widths[-1], norm)
        self.up = nn.ModuleList(_upsampling(2 * n, n, norm) for n in widths[-2::-1])
        self.after = nn.ModuleList(_level(2 * n, n, norm) for n in widths[-2::-1])
        self.last = undrawn(nn.Conv2d, channels, n_out, 1)
        draw_weights(self, generator)

    def forward(self, x: Tensor) -> Tensor:
        """X (entry, channel, y, x), each side at least 2^levels."""
        kept = []
        for level in self.down:
            x = level(x)
            kept.append(x)
            x = functional.avg_pool2d(x, 2)
        x = self.bottom(x)
        for up, level in zip(self.up, self.after, strict=True):
            x, across = up(x), kept.pop()
            y_more, x_more = (a - b for a, b in zip(across.shape[-2:], x.shape[-2:], strict=True))
            if y_more or x_more:
                x = functional.pad(x, (0, x_more, 0, y_more), "reflect")
            x = level(torch.cat([x, across], 1))
        return self.last(x)


def _level(a: int, b: int, norm: str) -> nn.Sequential:
    return nn.Sequential(*_convolution(a, b, norm), *_convolution(b, b, norm))


def _convolution(a: int, b: int, norm: str) -> list[nn.Module]:
    return [undrawn(nn.Conv2d, a, b, 3, padding=1, bias=False), NORMS[norm](b), nn.LeakyReLU(_SLOPE)]


def _upsampling(a: int, b: int, norm: str) -> nn.Sequential:
    return nn.Sequential(undrawn(nn.ConvTranspose2d, a, b, 2, 2, bias=False), NORMS[norm](b), nn.LeakyReLU(_SLOPE))
