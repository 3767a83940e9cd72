"""The unrolled network with its weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from ..acquisition import Acquisition
from ..errors import ArgumentError
from ..nn import Unrolled
from .learned import Learned


@dataclass(frozen=True, kw_only=True)
class LearnedUnrolled(Learned):
    """Denoiser and data consistency in turns, by :class:`kolumn.nn.Unrolled`; or fastMRI's E2E-VarNet.

    Attributes:
        weights: see :class:`Learned`, as are the others.
        denoise: whether the last cascade, which hardly asks for the data any more, takes away what noise there is. Off,
            measured noise stays in the image, which then looks like that of the other methods.
    """

    METHOD: ClassVar[str] = "unrolled"

    denoise: bool = True

    def _image(self, network: nn.Module, entry: Acquisition) -> Tensor:
        if self.denoise:
            return super()._image(network, entry)
        if not isinstance(network, Unrolled):
            raise ArgumentError("unrolled with fastMRI's weights has no denoising of its own; leave denoise out")
        image: Tensor = network(entry, denoise=False)
        return image
