"""Photographs of a user's folder as texture to train on."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ...errors import FormatError
from ...io.guard import check_readable
from .slices import Slices, scaled

SUFFIXES = (".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
LONGEST = 640  # side in pixels: a part of a larger one would have no edges to learn from


def read_photographs(folder: Path) -> Slices:
    """Every picture in a folder and its subfolders, grey, the brightest about 1; large ones are made smaller.

    What lies in one subfolder counts as one person, and what lies in the folder itself each on its own, by the name of
    the file. Files whose names begin with a dot are left out, and black pictures.

    Args:
        folder: of .jpg, .png, .tif and .webp files.

    Raises:
        FormatError: no picture there, or one that is damaged.
    """
    found: dict[str, list[Tensor]] = {}
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if path.suffix.lower() in SUFFIXES and not path.is_dir() and not inside.name.startswith("."):
            picture = _read(path)
            if len(picture):
                found.setdefault(inside.parts[0], []).append(picture)
    if not found:
        raise FormatError(
            f"{folder} holds no picture but black ones; wanted {', '.join(SUFFIXES)}, or give an HDF5 file of volumes"
        )
    return Slices(found, dict.fromkeys(found, "not stated"))


def _read(path: Path) -> Tensor:
    check_readable(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # up to twice what Pillow likes
            with Image.open(path) as picture:
                picture.draft("L", (LONGEST, LONGEST))  # a JPEG is read at about the size that is needed
                deep = picture.mode.startswith(("I", "F"))  # more than 8 bits, which "L" would cut off
                grey = (picture if deep else picture.convert("L")).convert("F")
                grey.thumbnail((LONGEST, LONGEST))
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise FormatError(f"{path} is no picture that can be read: {error}") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise FormatError(f"{path} is a damaged picture: {error}") from error
    return scaled(torch.from_numpy(np.array(grey))[None])
