"""The table of file formats: a new one is a file beside this one and a line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from ..acquisition import Geometry
from ..errors import ArgumentError, FormatError
from . import cfl, fastmri, ismrmrd, ismrmrd_write, nifti, npy, png, twix
from .scan import Scan
from .source import Source

Save = Callable[[Path, Tensor, Geometry | None, bool, Mapping[str, Any]], None]
SaveKspace = Callable[[Path, Source, bool, Mapping[str, Any]], None]


@dataclass(frozen=True)
class Format:
    """One file format.

    Attributes:
        name: its key in FORMATS.
        suffixes: the endings of its files; the first is the usual one.
        sniff: (path, first 512 bytes) -> whether the content is of this format; None: not read.
        open: (path, dataset) -> Scan, or None.
        save: (path, image (slice, y, x), geometry, overwrite, attributes) writes an image, or None.
        save_kspace: (path, source, overwrite, attributes) writes k-space, or None.
    """

    name: str
    suffixes: tuple[str, ...]
    sniff: Callable[[Path, bytes], bool] | None = None
    open: Callable[[Path, str | None], Scan] | None = None
    save: Save | None = None
    save_kspace: SaveKspace | None = None


# In the order in which a file is tried.
FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format(
            "ismrmrd",
            (".mrd", ".mrd.h5", ".ismrmrd"),
            ismrmrd.sniff,
            ismrmrd.open_ismrmrd,
            save_kspace=ismrmrd_write.save_kspace,
        ),
        Format(
            "fastmri",
            (".h5", ".hdf5"),
            fastmri.sniff,
            fastmri.open_fastmri,
            fastmri.save_image,
            fastmri.save_kspace,
        ),
        Format("npy", (".npy",), npy.sniff_npy, npy.open_npy, npy.save_image, npy.save_npy),
        Format("npz", (".npz",), npy.sniff_npz, npy.open_npz, save_kspace=npy.save_npz),
        Format("twix", (".dat",), twix.sniff, twix.open_twix),
        Format("cfl", (".cfl", ".hdr"), cfl.sniff, cfl.open_cfl, cfl.save_image, cfl.save_kspace),
        Format("nifti", (".nii.gz", ".nii"), save=nifti.save_image),
        Format("png", (".png",), save=png.save_image),
    )
}


def format_of(path: Path) -> Format:
    """The format of a file, found from its content.

    Raises:
        FormatError: none that kolumn reads.
    """
    with path.open("rb") as file:
        head = file.read(512)
    for one in FORMATS.values():
        if one.sniff is not None and one.sniff(path, head):
            return one
    known = ", ".join(f"{f.name} ({', '.join(f.suffixes)})" for f in FORMATS.values() if f.open)
    raise FormatError(f"{path} is in no format that kolumn reads; it reads {known}")


def format_for(path: Path, what: str) -> Format:
    """The format to write, found from the longest suffix that fits.

    Args:
        path: the target.
        what: "save" for an image, "save_kspace" for k-space.

    Raises:
        ArgumentError: no such suffix; the message lists those that there are.
    """
    able = [f for f in FORMATS.values() if getattr(f, what) is not None]
    fits = [(len(s), f) for f in able for s in f.suffixes if path.name.lower().endswith(s) and path.name.lower() != s]
    if not fits:
        known = ", ".join(s for f in able for s in f.suffixes)
        kind = "an image" if what == "save" else "k-space"
        raise ArgumentError(f"cannot tell from the name {path.name!r} how to write {kind}; known endings: {known}")
    return max(fits, key=lambda fit: fit[0])[1]
