"""The encoding operator with every transform left out that changes no norm."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..fourier import ifft1
from ..shapes import COIL, PHASE, PLANE, READOUT
from .coils import Coils

Part = Callable[[Tensor, Tensor | None], Tensor]  # of some rows, and where to write
CACHED = 200_000  # samples that stay in a core's cache together with their maps, 1.6 MB of complex64


@dataclass(frozen=True)
class Uncentred:
    """Q A, with Q unitary and A = M F S: image (set, *batch, y, x) to samples (*batch, coil, y, x).

    Q moves the origin of k-space and of the image to the corner, where the FFT has it; where whole columns were
    skipped, it also undoes the transform along the readout, which then is fully sampled: rows become independent, with
    1-D transforms. It changes neither (Q A)^H Q A = A^H A, nor (Q A)^H Q y = A^H y, nor ||Q A x - Q y|| = ||A x - y||.

    Attributes:
        coils: S.
        centred_mask: M, bool, broadcasts to (*batch, coil, ky, kx).
    """

    coils: Coils
    centred_mask: Tensor

    def turn(self, kspace: Tensor) -> Tensor:
        """Q y, for k-space that is 0 where M is; without a transform of columns that nobody sampled."""
        if not self._columns:
            return torch.fft.ifftshift(kspace, PLANE) * self._ramp(PLANE)
        columns = self.centred_mask.flatten(0, -2).any(0).nonzero()[:, 0]
        if len(columns) == 0:
            return torch.zeros_like(kspace)
        lines = ifft1(kspace[..., columns], READOUT)
        n = kspace.shape[PHASE]
        places = (columns - n // 2) % n
        return torch.zeros_like(kspace).index_copy_(PHASE, places, lines * self._ramp((PHASE,))[0, places])

    def turn_mask(self, mask: Tensor) -> Tensor:
        """Q M Q^H for a mask of the same kind: the mask in the order of :meth:`turn`, bool."""
        return torch.fft.ifftshift(mask, self.dims)

    def forward(self, image: Tensor) -> Tensor:
        """F S x, without M."""
        return torch.fft.fftn(self.coils.forward(image), dim=self.dims, norm="ortho")

    def adjoint(self, turned: Tensor) -> Tensor:
        """S^H F^H z."""
        return self.coils.adjoint(torch.fft.ifftn(turned, dim=self.dims, norm="ortho"))

    def normal(self, image: Tensor) -> Tensor:
        """A^H A x at little more than the time of its FFTs, a block at a time that stays in the cache.

        With whole columns skipped that is a block of rows, else a coil or a few.
        """
        n_coils = self.coils.maps.shape[COIL]
        elements = image[0].numel() * n_coils
        if self._columns:
            blocks = _blocks(image.shape[READOUT], elements, image.device)
            return by_rows(image, self.coils.maps, [(rows, self.part(rows, slice(None))) for rows in blocks])
        blocks = _blocks(n_coils, elements, image.device)
        first, *others = (self.part(slice(None), coils)(image, None) for coils in blocks)
        for other in others:
            first = first + other
        return first.conj_physical()

    def part(self, rows: slice, coils: slice) -> Part:
        """conj(A^H A x) by some coils, of an image that has some of the rows only."""

        def conjugate(image: Tensor, out: Tensor | None) -> Tensor:
            # conj(maps) F^H k = conj(maps F conj(k)): a second F, and no conjugate copy of the maps to be read.
            maps = self.coils.maps[..., coils, rows, :]
            mask = self._mask if self._mask.shape[COIL] == 1 else self._mask[..., coils, :, :]
            k = torch.fft.fftn(Coils(maps).forward(image), dim=self.dims)
            torch.view_as_real(k).flatten(-2).mul_(mask)  # real numbers: what is complex times real converts first
            z = torch.fft.fftn(k, dim=self.dims)
            if len(maps) > 1 or z.requires_grad:
                return torch.sum(maps * z, COIL, out=out)
            return torch.sum(z.mul_(maps[0]), COIL, out=None if out is None else out[0])[None]

        return conjugate

    @cached_property
    def dims(self) -> tuple[int, ...]:
        """The axes that are transformed."""
        return (PHASE,) if self._columns else PLANE

    @cached_property
    def _columns(self) -> bool:
        return self.centred_mask.shape[READOUT] == 1

    @cached_property
    def _mask(self) -> Tensor:
        """For real and imaginary parts side by side: mask and conjugate, over what two FFTs amplify."""
        mask = self.turn_mask(self.centred_mask[(None,) * max(0, 3 - self.centred_mask.ndim)])
        maps = self.coils.maps
        mask = mask.to(maps.real.dtype) / math.prod(maps.shape[d] for d in self.dims)
        return torch.stack([mask, -mask], -1).flatten(-2)

    def _ramp(self, dims: tuple[int, ...]) -> Tensor:
        """What moving the origin of the image does to uncentred k-space: (y or 1, x)."""
        maps = self.coils.maps
        ramps = [torch.ones(1, dtype=torch.complex128, device=maps.device)] * 2
        for dim in dims:
            n = maps.shape[dim]
            turns = (n // 2) * torch.arange(n, device=maps.device) % n / torch.tensor(n, dtype=torch.float64)
            ramps[dim] = torch.polar(torch.ones_like(turns), -2 * math.pi * turns)
        return (ramps[0][:, None] * ramps[1]).to(maps.dtype)


def by_rows(image: Tensor, maps: Tensor, parts: Sequence[tuple[slice, Part]]) -> Tensor:
    """The conjugate of what the parts make of their rows; written into one image where no gradient is wanted.

    That saves a fifth of the time of A^H A against putting the rows together afterwards.
    """
    if image.requires_grad or maps.requires_grad:
        return torch.cat([part(image[..., rows, :], None) for rows, part in parts], READOUT).conj_physical()
    out = torch.empty(image.shape, dtype=torch.result_type(image, maps), device=image.device)
    for rows, part in parts:
        part(image[..., rows, :], out[..., rows, :])
    return out.conj_physical_()


def _blocks(n: int, elements: int, device: torch.device) -> list[slice]:
    """Slices of an axis of length n that hold about CACHED of the elements each; one where caches do not matter."""
    count = 1 if device.type != "cpu" else min(n, max(1, round(elements / CACHED)))
    step = -(-n // count)
    return [slice(i, min(i + step, n)) for i in range(0, n, step)]
