"""Every line of the FORMATS table keeps the same promises."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.errors import OutputError
from kolumn.io import FORMATS, open_scan, read, write, write_kspace

SAVES = [f.name for f in FORMATS.values() if f.save]
ROUND_TRIPS = [f.name for f in FORMATS.values() if f.save_kspace and f.open]


def kspace(scale: float) -> torch.Tensor:
    g = torch.Generator().manual_seed(1)
    return scale * torch.complex(torch.randn(2, 3, 9, 8, generator=g), torch.randn(2, 3, 9, 8, generator=g))


@pytest.mark.parametrize("name", FORMATS)
def test_lines_are_complete(name):
    one = FORMATS[name]
    assert one.name == name
    assert one.suffixes
    assert all(s.startswith(".") and s == s.lower() for s in one.suffixes)
    assert (one.open is None) == (one.sniff is None)
    assert one.open or one.save or one.save_kspace


def test_no_two_formats_claim_a_suffix():
    suffixes = [s for f in FORMATS.values() for s in f.suffixes]
    assert len(suffixes) == len(set(suffixes))


@pytest.mark.parametrize("scale", [1e-8, 1.0, 1e4])
@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_kspace_comes_back_exactly(name, scale, tmp_path):
    mask = torch.tensor([1, 0, 1, 1, 1, 1, 0, 1])
    acquisition = acquire(kspace(scale), mask)
    path = tmp_path / f"a{FORMATS[name].suffixes[0]}"
    write_kspace(path, acquisition)
    scan = open_scan(path)
    assert scan.format == name
    assert (scan.shape, scan.n_slices) == ((3, 9, 8), 2)
    back = read(path)
    assert torch.equal(back.kspace, acquisition.kspace)
    assert torch.equal(back.mask.expand(back.kspace.shape), acquisition.mask.expand(back.kspace.shape))
    again = scan.load(0).kspace
    again.zero_()  # what a caller does to a slice must not reach the file or the next caller
    assert torch.equal(scan.load(0).kspace, acquisition.kspace[0])


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_no_format_claims_another(name, tmp_path):
    path = tmp_path / f"a{FORMATS[name].suffixes[0]}"
    write_kspace(path, acquire(kspace(1.0)))
    with Path(path).open("rb") as file:
        head = file.read(512)
    first = next(f.name for f in FORMATS.values() if f.sniff and f.sniff(path, head))
    assert first == name


@pytest.mark.parametrize("name", SAVES)
def test_images_of_any_brightness_are_written_once(name, tmp_path):
    for scale in (1e-8, 1e4):
        for suffix in FORMATS[name].suffixes:
            path = tmp_path / f"{scale}{suffix}"
            if path.exists():  # the other half of a pair
                continue
            write(path, kspace(scale)[:, 0])
            assert path.stat().st_size > 0
            with pytest.raises(OutputError):
                write(path, kspace(scale)[:, 0])
