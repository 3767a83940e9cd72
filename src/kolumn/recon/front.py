"""The front door: a method by its name."""

from __future__ import annotations

import difflib
import inspect
from dataclasses import replace
from typing import Any, Protocol

from torch import Tensor

from ..acquisition import Acquisition, acquire, as_complex, scale_maps
from ..coils import estimate_maps
from ..errors import ArgumentError
from .grappa import Grappa
from .learned_cs import LearnedCompressedSensing
from .llr import LocallyLowRank
from .sense import Sense
from .tgv import TotalGeneralizedVariation
from .tv import TotalVariation
from .unet import LearnedUNet
from .unrolled import LearnedUnrolled
from .wavelet import WaveletSparse
from .zero_filled import ZeroFilled


class Reconstructor(Protocol):
    """Any callable from an acquisition to a complex image (*batch, y, x)."""

    def __call__(self, acquisition: Acquisition, /) -> Tensor:
        """Reconstruct."""
        ...


METHODS: dict[str, type] = {
    "zero-filled": ZeroFilled,
    "sense": Sense,
    "grappa": Grappa,
    "tv": TotalVariation,
    "tgv": TotalGeneralizedVariation,
    "wavelet": WaveletSparse,
    "llr": LocallyLowRank,
    "unet": LearnedUNet,
    "unrolled": LearnedUnrolled,
    "learned-cs": LearnedCompressedSensing,
}


def method_class(name: str) -> type:
    """The class behind a name in METHODS.

    Raises:
        ArgumentError: there is no such method.
    """
    if name not in METHODS:
        near = difflib.get_close_matches(name, METHODS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ArgumentError(f"unknown method {name!r}; there is {', '.join(METHODS)}{hint}")
    return METHODS[name]


def make_method(name: str, **options: Any) -> Reconstructor:
    """A reconstructor by its name in METHODS, with its options.

    Raises:
        ArgumentError: there is no such method or option.
    """
    cls = method_class(name)
    known = list(inspect.signature(cls).parameters)
    for option in options:
        if option not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise ArgumentError(f"method {name!r} has no option {option!r}; {has}")
    method: Reconstructor = cls(**options)
    return method


def choose_method(acquisition: Acquisition) -> str:
    """What "auto" means: sense where lines are missing and several coils can make up for it, else zero-filled."""
    return "sense" if acquisition.n_coils > 1 and not bool(acquisition.mask.all()) else "zero-filled"


def reconstruct(
    kspace: Any,
    mask: Any = None,
    maps: Any = None,
    method: str = "auto",
    **options: Any,
) -> Tensor:
    """K-space to image, by any method.

    Args:
        kspace: array or tensor, complex (*batch, coil, ky, kx), or (ky, kx) for one coil; centred; columns (the last
            axis) are what the scan skips. A stack of single-coil slices is (slice, 1, ky, kx). An Acquisition will do.
        mask: non-zero where sampled, (kx,), (ky, kx) or broadcasting to ``kspace``; None: found from the zeros.
        maps: sensitivity maps, complex (*batch, coil, y, x), of any unit; None: estimated from the calibration lines
            where needed, by espirit; or "espirit" or "walsh".
        method: a key of METHODS, or "auto".
        options: of the method; see its class.

    Returns:
        Tensor: complex (*batch, y, x), on the device of ``kspace``.

    Raises:
        ArgumentError: wrong shapes, names or values.
        CalibrationError: the method needs calibration lines and there are too few.
    """
    how, maps = (maps, None) if isinstance(maps, str) else (None, maps)
    if isinstance(kspace, Acquisition):
        if mask is not None or maps is not None:
            raise ArgumentError("an Acquisition came, which has its own mask and maps; give those to acquire(...)")
        acquisition = kspace
    else:
        acquisition = acquire(kspace, mask, None if maps is None else scale_maps(as_complex("maps", maps)))
    name = choose_method(acquisition) if method == "auto" else method
    return make_method(name, **options, **maps_option(name, how))(with_maps(acquisition, name, how))


def maps_option(name: str, how: str | None) -> dict[str, str]:
    """The option that tells a method how to estimate maps, for a method that has it."""
    return {"maps": how} if how is not None and _estimates(name) else {}


def with_maps(acquisition: Acquisition, name: str, how: str | None) -> Acquisition:
    """The acquisition with maps estimated in that way, for a method that does not estimate them by itself.

    Raises:
        CalibrationError: too few calibration lines.
    """
    if how is None or _estimates(name):
        return acquisition
    return replace(acquisition, maps=estimate_maps(acquisition, how))


def _estimates(name: str) -> bool:
    return "maps" in inspect.signature(method_class(name)).parameters
