"""What the scanner gave: k-space, which of it was sampled, coil maps, noise, geometry."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from .errors import ArgumentError
from .shapes import COIL, PHASE, READOUT, require_broadcast, shape_text

_SMALLEST, _LARGEST = 1e-22, 1e16  # squares of these, summed over a scan, are numbers in single precision
Vector = tuple[float, float, float]


@dataclass(frozen=True)
class Geometry:
    """Where the image lies in the patient.

    Attributes:
        matrix: (y, x), pixels of the finished image, after the oversampling is removed.
        fov: (y, x, z) in mm; z is the thickness of a slice.
        positions: the centre of each slice, (n_slices, 3), mm, in the patient's LPS system (as DICOM).
        read_dir: unit vector of the y axis (the readout), LPS.
        phase_dir: unit vector of the x axis (the phase encode), LPS.
        slice_dir: unit vector from slice to slice, LPS.
    """

    matrix: tuple[int, int]
    fov: Vector
    positions: tuple[Vector, ...] = ((0.0, 0.0, 0.0),)
    read_dir: Vector = (1.0, 0.0, 0.0)
    phase_dir: Vector = (0.0, 1.0, 0.0)
    slice_dir: Vector = (0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Acquisition:
    """One acquisition, or a batch of them. Build it with :func:`acquire`, which checks and cleans.

    Attributes:
        kspace: complex (*batch, coil, ky, kx), centred, exactly 0 where not sampled.
        mask: bool, broadcasts to ``kspace``; (..., 1, kx) where whole columns were skipped.
        maps: complex, broadcasts to (*batch, coil, y, x), sum over coils of abs(map)^2 = 1 inside the body; or with
            one more leading axis, (set, *batch, coil, y, x), for several sets of maps.
        noise: complex (coil, coil), covariance of the noise between the coils, or None where it is not known.
        calibration: complex (*batch, coil, cy, cx), a fully sampled block from the middle of k-space that was
            acquired apart from the image, or None where the calibration lines are part of ``kspace``.
        geometry: where the image lies, or None.
    """

    kspace: Tensor
    mask: Tensor
    maps: Tensor | None = None
    noise: Tensor | None = None
    calibration: Tensor | None = None
    geometry: Geometry | None = None

    def __post_init__(self) -> None:
        k = self.kspace
        _check_kspace(k)
        if self.mask.dtype != torch.bool:
            raise ArgumentError(f"mask has dtype {self.mask.dtype}; wanted bool")
        require_broadcast("mask", self.mask, tuple(k.shape), "a mask (..., ky or 1, kx)")
        _check_maps(self.maps, k)
        n = k.shape[COIL]
        if self.noise is not None and tuple(self.noise.shape) != (n, n):
            raise ArgumentError(f"noise covariance is {shape_text(self.noise)}; wanted {n} x {n}, one row a coil")
        if self.calibration is not None and self.calibration.shape[:READOUT] != k.shape[:READOUT]:
            raise ArgumentError(
                f"calibration is {shape_text(self.calibration)}; wanted the batch and coils of {shape_text(k)}"
            )

    @property
    def n_coils(self) -> int:
        """Number of receive coils."""
        return self.kspace.shape[COIL]

    @property
    def columns_only(self) -> bool:
        """Whether whole columns were skipped, so that the readout axis is fully sampled."""
        return self.mask.shape[READOUT] == 1

    @property
    def one_encoding(self) -> bool:
        """Whether all entries of the batch have the same maps, if any, and the same mask."""
        maps = () if self.maps is None else self.maps.shape[:COIL]
        if len(maps) > self.kspace.ndim - 3:  # the first axis is that of the sets
            maps = maps[1:]
        return all(n == 1 for n in (*maps, *self.mask.shape[:COIL]))

    def to(self, device: str | torch.device) -> Acquisition:
        """The same acquisition on another device."""

        def move(x: Tensor | None) -> Tensor | None:
            return None if x is None else x.to(device)

        return replace(
            self,
            kspace=self.kspace.to(device),
            mask=self.mask.to(device),
            maps=move(self.maps),
            noise=move(self.noise),
            calibration=move(self.calibration),
        )

    def entry(self, *index: int) -> Acquisition:
        """One entry of the batch, with its own mask and maps; an index for each batch axis."""
        batch = self.kspace.shape[:COIL]

        def pick(x: Tensor) -> Tensor:
            return x.expand(*batch, *x.shape[COIL:])[index] if x.ndim > 3 else x

        maps = self.maps
        if maps is not None:
            maps = torch.stack([pick(m) for m in maps]) if maps.ndim > self.kspace.ndim else pick(maps)
        calibration = None if self.calibration is None else self.calibration[index]
        return replace(self, kspace=self.kspace[index], mask=pick(self.mask), maps=maps, calibration=calibration)


def _check_kspace(k: Tensor) -> None:
    if k.ndim < 3 or not k.is_complex():
        raise ArgumentError(
            f"kspace is {shape_text(k)} of {k.dtype}; wanted complex (*batch, coil, ky, kx); one coil is an axis"
        )
    if 0 in k.shape:
        raise ArgumentError(f"kspace is empty: {shape_text(k)}")


def _check_maps(maps: Tensor | None, kspace: Tensor) -> None:
    if maps is None:
        return
    if not maps.is_complex() or maps.ndim < 3:
        raise ArgumentError(f"maps are {shape_text(maps)} of {maps.dtype}; wanted complex (*batch, coil, y, x)")
    one_set = maps[0] if maps.ndim > kspace.ndim else maps
    require_broadcast("maps", one_set, tuple(kspace.shape), "maps (*batch, coil, y, x)")
    if maps.shape[COIL:] != kspace.shape[COIL:]:
        raise ArgumentError(
            f"maps are {shape_text(maps)} and kspace is {shape_text(kspace)}; coil, y and x must be the same"
        )
    if not _all_finite(maps):
        raise ArgumentError("maps hold NaN or infinity; estimate them again, or replace those pixels by 0")


def as_complex(name: str, x: Any) -> Tensor:
    """Tensor or array to a complex tensor: complex64, or complex128 where that came in."""
    x = _as_tensor(name, x, "complex numbers")
    return (x if x.dtype == torch.complex128 else x.to(torch.complex64)).resolve_conj()


def _as_tensor(name: str, x: Any, wanted: str) -> Tensor:
    if isinstance(x, Tensor):
        return x
    try:
        array = np.asarray(x)
    except ValueError as error:
        raise ArgumentError(f"{name} is no array: {error}; wanted {wanted} in rows of one length") from None
    if array.dtype.kind not in "biufc":
        raise ArgumentError(f"{name} has dtype {array.dtype}; wanted {wanted}")
    native = array.dtype.newbyteorder("=")
    if native.itemsize > (16 if native.kind == "c" else 8):  # long double, more digits than torch has
        native = np.dtype(np.complex128)
    return torch.from_numpy(array.astype(native, order="C"))  # a copy: what came may be read-only


def sampled(kspace: Tensor) -> Tensor:
    """Which samples were acquired, found from the data: (..., 1, kx) where whole columns are missing.

    A sample counts as missing in all coils where it is below float32 resolution of the largest one, since some
    converters write 1e-17 where they mean 0. Rows all missing are taken as partial readout, so then, and where
    the pattern is not one of columns, the mask is (..., ky, kx). An entry of the batch that is blank has no say.
    """
    magnitude = kspace.abs().amax(dim=COIL, keepdim=True)
    there = magnitude > magnitude.amax(dim=(-2, -1), keepdim=True) * torch.finfo(torch.float32).eps
    columns = there.any(dim=READOUT, keepdim=True)
    rows = there.any(dim=PHASE, keepdim=True)
    # A zero here and there inside a sampled column is a coincidence (integer data), not a mask.
    filled = there.float().mean() / (columns & rows).float().mean().clamp_min(1e-12)
    whole = (rows | ~columns.any(dim=PHASE, keepdim=True)).all()
    mask = columns if whole and filled > 0.9 else columns & rows if filled > 0.9 else there
    first = mask.reshape(-1, *mask.shape[-3:])[:1]
    return first[0] if bool((mask == first).all()) else mask


def acquire(
    kspace: Any,
    mask: Any = None,
    maps: Any = None,
    noise: Any = None,
    calibration: Any = None,
    geometry: Geometry | None = None,
) -> Acquisition:
    """Check arrays or tensors once and make an Acquisition of them.

    Args:
        kspace: complex (*batch, coil, ky, kx), or (ky, kx) for one coil.
        mask: non-zero where sampled: (kx,), (ky, kx), or broadcasting to kspace. None: found from the zeros.
        maps: complex (*batch, coil, y, x), or (set, *batch, coil, y, x); see :func:`scale_maps`.
        noise: complex (coil, coil) covariance.
        calibration: complex (*batch, coil, cy, cx), a calibration block acquired apart.
        geometry: passed through.

    Returns:
        Acquisition: its k-space is exactly 0 where the mask is, without changing the argument; all of it in the
        precision of ``kspace``.

    Raises:
        ArgumentError: wrong shapes or types, NaN or infinity, numbers beyond 1e-22 to 1e16, or nothing sampled at all.
    """
    k = as_complex("kspace", kspace)
    if k.ndim == 2:
        k = k[None]
    _check_kspace(k)
    _check_values(k)
    m = sampled(k) if mask is None else _as_mask(mask)
    result = Acquisition(
        kspace=k,
        mask=m.to(k.device),
        maps=_like("maps", maps, k),
        noise=_like("noise", noise, k),
        calibration=_like("calibration", calibration, k),
        geometry=geometry,
    )
    for name, x in (("noise", result.noise), ("calibration", result.calibration)):
        if x is not None and not _all_finite(x):
            raise ArgumentError(f"{name} holds NaN or infinity; leave it out, or convert the file again")
    if not bool(m.any()):
        raise ArgumentError("the mask samples nothing: every entry is 0")
    return replace(result, kspace=torch.where(result.mask, k, torch.zeros((), dtype=k.dtype, device=k.device)))


def scale_maps(maps: Tensor) -> Tensor:
    """Maps whose largest root sum of squares over the coils is 1, as the methods take it; their ratios stay.

    Args:
        maps: complex (..., coil, y, x); all zero or not finite they stay as they are.
    """
    largest = torch.ones(())
    if maps.ndim >= 3 and maps.numel():
        energy = torch.view_as_real(maps.resolve_conj()).square().sum(COIL - 1)  # far faster than vector_norm
        largest = (energy[..., 0] + energy[..., 1]).amax().sqrt()
    # Maps of unit norm keep their bits.
    wanted = bool(torch.isfinite(largest)) and float(largest) > 0 and abs(float(largest) - 1) > 1e-3
    return maps / largest if wanted else maps


def _like(name: str, x: Any, k: Tensor) -> Tensor | None:
    return None if x is None else as_complex(name, x).to(k.device, k.dtype)


def _all_finite(x: Tensor) -> bool:
    return x.numel() == 0 or math.isfinite(_largest(x))


def _largest(x: Tensor) -> float:
    """The largest real or imaginary part in magnitude; NaN or infinity where there is one."""
    low, high = torch.aminmax(torch.view_as_real(x.resolve_conj()))  # far faster than isfinite or a norm
    return float(torch.maximum(-low, high))


def _check_values(k: Tensor) -> None:
    largest = _largest(k)
    if not math.isfinite(largest):
        bad = int((~torch.isfinite(k)).sum())
        raise ArgumentError(
            f"kspace holds NaN or infinity in {bad} of {k.numel()} samples; replace them by 0 or convert the file again"
        )
    if largest == 0:
        raise ArgumentError("kspace is all zero: there is nothing to reconstruct")
    if not _SMALLEST < largest < _LARGEST:
        raise ArgumentError(
            f"kspace goes up to {largest:.1e}; wanted {_SMALLEST:.0e} to {_LARGEST:.0e}, "
            "whose squares single precision has; scale it, or replace samples that are spoilt by 0"
        )


def _as_mask(mask: Any) -> Tensor:
    m = _as_tensor("mask", mask, "zeros and ones") != 0
    if m.ndim == 0:
        raise ArgumentError("mask is a single number; wanted (kx,), (ky, kx) or the shape of kspace")
    if m.ndim == 1:
        m = m[None]
    if m.shape[READOUT] > 1 and bool((m == m[..., :1, :]).all()):
        m = m[..., :1, :]
    return m
