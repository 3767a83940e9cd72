"""A whole file, a few slices at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from ..acquisition import Acquisition, Geometry, acquire, scale_maps
from ..coils import MAPS
from ..errors import ArgumentError
from ..io import Scan, read_maps
from ..masks import from_file
from ..parallel import parallel_map
from ..recon.prepare import finish, prepare
from ..report.account import Account
from ..report.series import stack

Solve = Callable[[Acquisition], tuple[Tensor, Account]]


@dataclass(frozen=True)
class Settings:
    """What `kolumn recon` does besides the method.

    Attributes:
        mask: .npy file of what was sampled, or None.
        maps: file of sensitivity maps; a name of a way to estimate them is the method's business.
        whitening: see :func:`kolumn.recon.prepare.prepare`.
        n_coils: virtual coils, or None.
        device: where to compute.
    """

    mask: str | None = None
    maps: str | None = None
    whitening: str = "auto"
    n_coils: int | None = None
    device: str = "cpu"


def reconstruct_slices(
    scan: Scan, slices: Sequence[int], solve: Solve, settings: Settings, series: bool = False
) -> Iterator[tuple[Tensor, Account]]:
    """Images on the CPU with their accounts, in order.

    Slices (y, x) are reconstructed side by side on the cores, as many in memory at a time as there are cores; they
    are read in the calling thread, since not every reader may be used by several at once. On a GPU it is one by one.

    Args:
        scan: an open file.
        slices: their numbers.
        solve: prepared acquisition -> image and account.
        settings: what else to do.
        series: whether the slices are the frames of one dynamic series: one image (frame, y, x) comes of all.

    Raises:
        ArgumentError: a mask or maps that do not fit the file, or maps together with whitening or compression.
    """
    maps = None if settings.maps in (None, *MAPS) else _read_maps(settings)

    def work(acquisition: Acquisition) -> tuple[Tensor, Account]:
        acquisition = prepare(acquisition, "none" if maps is not None else settings.whitening, settings.n_coils)
        if maps is not None:
            # behind the axis of the sets, if there is one, the frames need theirs
            acquisition = replace(acquisition, maps=maps[:, None] if series and maps.ndim > 3 else maps)
        acquisition = acquisition.to(settings.device)
        image, account = solve(acquisition)
        return finish(image, acquisition).cpu(), account

    loaded = (with_mask(scan.load(i), settings.mask) for i in slices)
    if series:
        yield work(stack(list(loaded)))
        return
    yield from (parallel_map if settings.device == "cpu" else map)(work, loaded)


def _read_maps(settings: Settings) -> Tensor:
    if settings.n_coils is not None or settings.whitening in ("scan", "edge"):
        raise ArgumentError("maps from a file fit the coils as they are; leave out --coils and --whiten")
    assert settings.maps is not None
    if not Path(settings.maps).exists() and not Path(f"{settings.maps}.cfl").exists():
        raise ArgumentError(f"maps {settings.maps!r}: there is no such file; wanted {', '.join(MAPS)}, or a file")
    return scale_maps(read_maps(settings.maps))


def with_mask(acquisition: Acquisition, file: str | None) -> Acquisition:
    """The acquisition with what a mask file keeps of it; all of it where there is none."""
    if file is None:
        return acquisition
    k = acquisition.kspace
    given = from_file(file, (k.shape[-2], k.shape[-1]))
    clean = acquire(k, given & acquisition.mask, noise=acquisition.noise, calibration=acquisition.calibration)
    return replace(clean, geometry=acquisition.geometry)


def pick_slices(text: str | None, n: int) -> list[int]:
    """``"7"`` or ``"3:9"`` to slice numbers.

    Raises:
        ArgumentError: not a number or range, or outside the file.
    """
    if text is None:
        return list(range(n))
    start, colon, end = text.partition(":")
    try:
        first = int(start) if start or not colon else 0
        last = (int(end) if end else n) if colon else first + 1
    except ValueError as error:
        raise ArgumentError(f"--slices is {text!r}; wanted a number, 7, or a range, 3:9") from error
    if last <= first and 0 <= first < n:
        raise ArgumentError(f"--slices is {text!r}, a range without slices; wanted it rising, with the end left out")
    if not 0 <= first < last <= n:
        raise ArgumentError(f"--slices is {text!r} and the file has slices 0 to {n - 1}")
    return list(range(first, last))


def slice_geometry(geometry: Geometry | None, slices: Sequence[int]) -> Geometry | None:
    """The geometry of some slices only."""
    if geometry is None or len(geometry.positions) <= max(slices):
        return geometry
    return replace(geometry, positions=tuple(geometry.positions[i] for i in slices))
