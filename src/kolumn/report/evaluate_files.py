"""The scans of an evaluation: which files of a folder are k-space, and fully sampled."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from ..errors import ArgumentError, KolumnError
from ..io import open_scan
from ..recon.prepare import prepare
from .compare import fully_sampled
from .run import file_hash

HEADER = ".hdr"  # of a BART pair, which goes by the name of its .cfl
SHOWN = 3  # reasons in the error where no file is left


class Source(NamedTuple):
    """A fully sampled file, to be opened anew for each record: some formats are read into memory as a whole.

    Attributes:
        name: below the folder.
        path: where it is.
        n_slices: 2-D images in it.
        shape: (ky, kx) of k-space as the methods get it, which a mask must fit.
    """

    name: str
    path: Path
    n_slices: int
    shape: tuple[int, int]


def find_sources(path: Path, whitening: str = "auto", skip: Collection[Path] = ()) -> tuple[list[Source], list[str]]:
    """The fully sampled files of a folder, and a line for each other file that says why it is left out.

    Args:
        path: a folder, those below it too, or a single file.
        whitening: a file that cannot be whitened in that way is left out; see :func:`kolumn.recon.prepare.prepare`.
        skip: files that are not looked at, such as those that the evaluation writes.

    Raises:
        ArgumentError: no file is left.
        FormatError: a single file that cannot be read.
    """
    if not path.is_dir():
        return [_source(path, path.name, whitening)], []
    found: list[Source] = []
    left: list[str] = []
    ours = {file.resolve() for file in skip}
    for file in sorted(p for p in path.rglob("*") if p.is_file() and p.suffix != HEADER and p.resolve() not in ours):
        name = file.relative_to(path).as_posix()
        try:
            found.append(_source(file, name, whitening))
        except KolumnError as error:
            left.append(f"{name} is left out: {_reason(error, file)}")
    if not found:
        more = f"; and {len(left) - SHOWN} more" if len(left) > SHOWN else ""
        raise ArgumentError(f"{path} holds no fully sampled k-space; {'; '.join(left[:SHOWN]) or 'it is empty'}{more}")
    return found, left


def content_hash(path: Path) -> str:
    """SHA-256 of a file, read again only where its size or time has changed."""
    facts = path.stat()
    return _hash(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=4096)
def _hash(path: Path, size: int, time: int) -> str:
    return file_hash(path)


def _source(path: Path, name: str, whitening: str) -> Source:
    scan = open_scan(path)
    first = prepare(scan.load(0), whitening)
    if not fully_sampled(first):
        part = float(first.mask.float().mean())
        raise ArgumentError(f"{path} is itself undersampled ({part:.0%} of it is there), without a full reference")
    return Source(name, scan.path, scan.n_slices, (first.kspace.shape[-2], first.kspace.shape[-1]))


def _reason(error: KolumnError, file: Path) -> str:
    """Why, without the path once more and without advice."""
    text = " ".join(str(error).split()).split("; ")[0]
    return f"it {text.removeprefix(f'{file} ')}" if text.startswith(f"{file} ") else text.removeprefix(f"{file}: ")
