"""What happens to k-space between the file and the method, and to the image after it."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ..acquisition import Acquisition
from ..coils import compress, noise_from_edge, whiten
from ..errors import ArgumentError
from ..fourier import crop, remove_oversampling
from ..shapes import READOUT

WHITEN = ("auto", "scan", "edge", "none")


def prepare(acquisition: Acquisition, whitening: str = "auto", n_coils: int | None = None) -> Acquisition:
    """Remove the readout oversampling, whiten, compress coils; each where it applies.

    Args:
        acquisition: as read from a file.
        whitening: "scan" takes the noise scan, "edge" the edge of k-space, "none" leaves the coils as they are;
            "auto" is "scan" where there is one and the acquisition has no maps.
        n_coils: virtual coils to compress to; None: all coils as they are.

    Raises:
        ArgumentError: an unknown way to whiten, no noise scan, maps that whitening would spoil, or more coils than
            there are.
    """
    acquisition = _without_oversampling(acquisition)
    acquisition = _whitened(acquisition, whitening)
    return acquisition if n_coils is None else compress(acquisition, n_coils)


def finish(image: Tensor, acquisition: Acquisition) -> Tensor:
    """Crop the image (*batch, y, x) to the matrix that the geometry promises."""
    return image if acquisition.geometry is None else crop(image, acquisition.geometry.matrix)


def _without_oversampling(acquisition: Acquisition) -> Acquisition:
    # A readout that was itself acquired in part cannot be transformed first; the image is cropped in the end.
    if acquisition.geometry is None or not acquisition.columns_only:
        return acquisition
    rows = acquisition.geometry.matrix[0]
    if rows >= acquisition.kspace.shape[READOUT]:
        return acquisition
    block, maps = acquisition.calibration, acquisition.maps
    if block is not None and block.shape[READOUT] == acquisition.kspace.shape[READOUT]:
        block = remove_oversampling(block, rows)
    return replace(
        acquisition,
        kspace=remove_oversampling(acquisition.kspace, rows) * acquisition.mask,
        maps=None if maps is None else crop(maps, (rows, maps.shape[-1])),
        calibration=block,
    )


def _whitened(acquisition: Acquisition, whitening: str) -> Acquisition:
    if whitening not in WHITEN:
        raise ArgumentError(f"whitening is {whitening!r}; wanted one of {', '.join(WHITEN)}")
    if acquisition.maps is not None and whitening in ("scan", "edge"):
        raise ArgumentError(f"the maps fit the coils as they are, not whitened ones; leave out maps or {whitening!r}")
    if acquisition.maps is not None:
        return acquisition
    if whitening == "edge":
        return whiten(acquisition, noise_from_edge(acquisition))
    if whitening == "scan" and acquisition.noise is None:
        raise ArgumentError("the file holds no noise scan; whiten from the edge of k-space, or not at all")
    if whitening == "none" or acquisition.noise is None:
        return acquisition
    return whiten(acquisition)
