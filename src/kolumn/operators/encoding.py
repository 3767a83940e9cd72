"""How the acquisition came about: A = M F S."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..acquisition import Acquisition
from ..errors import ArgumentError
from ..shapes import COIL, PHASE, PLANE, READOUT
from .coils import Coils
from .fourier import Fourier
from .sampling import Sampling

_BLOCK = 200_000  # samples that stay in a core's cache together with their maps, 1.6 MB of complex64


@dataclass(frozen=True)
class Encoding:
    """A = M F S: image (set, *batch, y, x) to sampled k-space (*batch, coil, ky, kx); its norm is at most 1.

    Attributes:
        sampling: M.
        fourier: F.
        coils: S.
    """

    sampling: Sampling
    fourier: Fourier
    coils: Coils

    def forward(self, image: Tensor) -> Tensor:
        """A x."""
        return self.sampling.forward(self.fourier.forward(self.coils.forward(image)))

    def adjoint(self, kspace: Tensor) -> Tensor:
        """A^H y."""
        return self.coils.adjoint(self.fourier.adjoint(self.sampling.adjoint(kspace)))

    def normal(self, image: Tensor) -> Tensor:
        """A^H A x at little more than the time of its FFTs, several times faster than one after the other.

        F^H M F is a circular convolution, which does not care where the image's origin is: no shifts are needed but
        the mask's own. With whole columns skipped the transforms along the readout cancel and rows are independent,
        so a block of rows at a time stays in the cache; else a coil at a time does.
        """
        n_coils = self.coils.maps.shape[COIL]
        elements = image[0].numel() * n_coils
        if self._columns:
            blocks = _blocks(image.shape[READOUT], elements, image.device)
            return torch.cat([self._block(image, rows, slice(None)) for rows in blocks], READOUT)
        blocks = _blocks(n_coils, elements, image.device)
        first, *others = (self._block(image, slice(None), coils) for coils in blocks)
        for other in others:
            first = first + other
        return first

    def _block(self, image: Tensor, rows: slice, coils: slice) -> Tensor:
        maps, conj = self.coils.maps[..., coils, rows, :], self._conj[..., coils, rows, :]
        mask = self._uncentred_mask if self._uncentred_mask.shape[COIL] == 1 else self._uncentred_mask[..., coils, :, :]
        k = torch.fft.fftn(Coils(maps).forward(image[..., rows, :]), dim=self._dims)
        torch.view_as_real(k).flatten(-2).mul_(mask)  # real numbers: what is complex times real converts first
        z = torch.fft.ifftn(k, dim=self._dims)
        if len(conj) > 1 or z.requires_grad:
            return (conj * z).sum(COIL)
        return z.mul_(conj[0]).sum(COIL)[None]

    @cached_property
    def _columns(self) -> bool:
        return self.sampling.mask.shape[READOUT] == 1

    @cached_property
    def _dims(self) -> tuple[int, ...]:
        return (PHASE,) if self._columns else PLANE

    @cached_property
    def _uncentred_mask(self) -> Tensor:
        mask = self.sampling.mask[(None,) * max(0, 3 - self.sampling.mask.ndim)]
        return torch.fft.ifftshift(mask, self._dims).to(self.coils.maps.real.dtype).repeat_interleave(2, -1)

    @cached_property
    def _conj(self) -> Tensor:
        return self.coils.maps.conj().resolve_conj()


def _blocks(n: int, elements: int, device: torch.device) -> list[slice]:
    """Slices of an axis of length n that hold about _BLOCK of the elements each; one where caches do not matter."""
    count = 1 if device.type != "cpu" else min(n, max(1, round(elements / _BLOCK)))
    step = -(-n // count)
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]


def encoding(acquisition: Acquisition) -> Encoding:
    """The encoding operator of an acquisition; a single coil without maps counts as seeing everything alike.

    Raises:
        ArgumentError: several coils and no maps.
    """
    maps = acquisition.maps
    if maps is None:
        if acquisition.n_coils > 1:
            raise ArgumentError(
                f"{acquisition.n_coils} coils and no sensitivity maps; estimate them first (kolumn.coils.estimate_maps)"
            )
        maps = torch.ones_like(acquisition.kspace)
    maps = maps[(None,) * (acquisition.kspace.ndim + 1 - maps.ndim)]  # the axes of the sets and the batch
    return Encoding(Sampling(acquisition.mask), Fourier(), Coils(maps))
