"""The unrolled network's denoiser, compiled."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from threading import Thread
from typing import Any

import torch
from torch import Tensor, nn

from .library import library, pointer

_LANES = 8  # channels come in multiples of that
_TILE = 4  # pixels a side of what a 3 x 3 convolution makes at once
_G = ((6, 0, 0), (-4, -4, -4), (-4, 4, -4), (1, 2, 4), (1, -2, 4), (0, 0, 24))  # over 24

_CONVOLUTION, _DOWN, _UP = range(3)


@dataclass(frozen=True)
class NativeDenoiser:
    """A denoiser that computes what :class:`kolumn.nn.denoiser.Denoiser` does, without gradients.

    Its 3 x 3 convolutions take a fourth of the multiplications, of tiles of 4 x 4 pixels.

    Reference: Fast algorithms for convolutional neural networks, Lavin and Gray, 2015, arXiv:1509.09308.

    Attributes:
        head: weights of that layer as the kernels want them, as of all that follow.
        before: of each level, two of its block, the level of the image first as in the next ones.
        down: from level to level.
        up: the same way back.
        after: of each level but the last, on the way back.
        tail: of that layer.
    """

    head: Tensor
    before: list[tuple[Tensor, Tensor]]
    down: list[Tensor]
    up: list[Tensor]
    after: list[tuple[Tensor, Tensor]]
    tail: Tensor

    def __call__(self, image: Tensor) -> Tensor:
        """The channels (y, x, n_out) of an image (y, x, n_in)."""
        ny, nx = image.shape[:2]
        x = [image.new_empty(ny >> i, nx >> i, first.shape[-1]) for i, (first, _) in enumerate(self.before)]
        spare = [torch.empty_like(level) for level in x]
        given, out = _padded(image, -1).contiguous(), image.new_empty(ny, nx, self.tail.shape[-1])

        def block(i: int, weights: tuple[Tensor, Tensor]) -> list[_Layer]:
            first, second = weights
            return [_convolution(x[i], first, spare[i], relu=True), _convolution(spare[i], second, x[i], add=x[i])]

        layers = [_convolution(given, self.head, x[0]), *block(0, self.before[0])]
        for i, down in enumerate(self.down):
            layers += [_change(_DOWN, x[i], down, x[i + 1]), *block(i + 1, self.before[i + 1])]
        for i in reversed(range(len(self.up))):
            layers += [_change(_UP, x[i + 1], self.up[i], x[i]), *block(i, self.after[i])]
        layers.append(_convolution(x[0], self.tail, out))
        self._run(layers)
        return out

    def _run(self, layers: list[_Layer]) -> None:
        """One layer after the other, the rows of each shared among the threads of torch."""
        kernels = library()
        assert kernels is not None
        kernels.kolumn_convolve_memory.restype = ctypes.c_long
        sizes = [kernels.kolumn_convolve_memory(*map(ctypes.c_long, (a.nx, a.n_in, a.n_out))) for a in layers]
        n, count, array = torch.get_num_threads(), ctypes.c_int(0), (_Layer * len(layers))(*layers)
        memory = torch.empty(n, max(sizes), dtype=torch.float32, device="cpu")  # before any thread can wait for another
        if n > 1 and _together(kernels, array, count, memory):
            return

        def share(k: int) -> None:
            of = map(ctypes.c_long, (len(layers), k, n))
            kernels.kolumn_layers(array, *of, ctypes.byref(count), pointer(memory[k]))

        others = [Thread(target=share, args=(k,), daemon=True) for k in range(1, n)]
        for thread in others:
            thread.start()
        share(0)
        for thread in others:
            thread.join()


def _together(kernels: ctypes.CDLL, layers: ctypes.Array[_Layer], count: ctypes.c_int, memory: Tensor) -> bool:
    """Whether the threads of torch have done it all."""
    n, stride = map(ctypes.c_long, memory.shape)
    many = ctypes.c_long(len(layers))
    return bool(kernels.kolumn_layers_together(layers, many, n, ctypes.byref(count), pointer(memory), stride))


class _Layer(ctypes.Structure):
    """What denoiser.c has as struct layer."""

    _fields_ = (
        *((name, ctypes.c_long) for name in ("kind", "rows", "ny", "nx", "n_in", "n_out", "relu")),
        *((name, ctypes.c_void_p) for name in ("x", "weights", "other", "y")),
    )


def _convolution(x: Tensor, weights: Tensor, y: Tensor, relu: bool = False, add: Tensor | None = None) -> _Layer:
    rows, other = -(-len(x) // _TILE), None if add is None else pointer(add)
    return _Layer(_CONVOLUTION, rows, *x.shape, y.shape[-1], relu, pointer(x), pointer(weights), other, pointer(y))


def _change(kind: int, x: Tensor, weights: Tensor, y: Tensor) -> _Layer:
    ny, nx = map(min, x.shape[:2], y.shape[:2])
    return _Layer(kind, ny, ny, nx, x.shape[-1], y.shape[-1], 0, pointer(x), pointer(weights), None, pointer(y))


def native_denoiser(denoiser: Any) -> NativeDenoiser | None:
    """A denoiser's weights as they are now, ready to be used; None where nothing is compiled, or not for such weights.

    Args:
        denoiser: a :class:`kolumn.nn.denoiser.Denoiser`, on the CPU and in single precision, all channels but those of
            the image multiples of 8.
    """
    weight = denoiser.head.weight
    inner = [conv.out_channels for conv in (denoiser.head, *denoiser.down)]
    plain = weight.dtype == torch.float32 and weight.device.type == "cpu"
    if library() is None or not plain or any(n % _LANES for n in inner):
        return None
    return NativeDenoiser(
        _transformed(denoiser.head),
        [(_transformed(block.first), _transformed(block.second)) for block in denoiser.before],
        [conv.weight.detach().permute(2, 3, 1, 0).contiguous() for conv in denoiser.down],
        [conv.weight.detach().permute(2, 0, 3, 1).contiguous() for conv in denoiser.up],
        [(_transformed(block.first), _transformed(block.second)) for block in denoiser.after],
        _transformed(denoiser.tail),
    )


def _transformed(conv: nn.Conv2d) -> Tensor:
    """G g G^T for each pair of channels: (36, n_in, n_out), filled up with zeros to whole numbers of lanes."""
    G = torch.tensor(_G, dtype=torch.float64, device="cpu") / 24
    U = torch.einsum("ia, ocab, jb -> ijco", G, conv.weight.detach().double(), G).flatten(0, 1)
    return _padded(_padded(U.float(), -1), -2).contiguous()


def _padded(x: Tensor, dim: int) -> Tensor:
    sides = [0, 0] * (-dim - 1) + [0, -x.shape[dim] % _LANES]
    return nn.functional.pad(x, sides)
