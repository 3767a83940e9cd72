"""The fastMRI masks equal those of the fastmri package bit for bit: see tests/golden/make_fastmri_golden.py."""

from pathlib import Path

import numpy as np
import pytest
import torch

from kolumn.errors import ArgumentError
from kolumn.masks import FASTMRI, make_mask

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "fastmri_masks.npz", allow_pickle=False)
KEYS, ROWS = GOLDEN["keys"].tolist(), GOLDEN["rows"]


def golden(row, kx):
    return torch.from_numpy(np.unpackbits(row)[:kx].astype(bool))


def numbers(text):
    values = [float(x) for x in text.split(",")]
    return values[0] if len(values) == 1 else values


def test_the_golden_file_is_whole():
    assert len(set(KEYS)) == len(ROWS) == 576
    assert {k.split("|")[0] for k in KEYS} == set(FASTMRI)


@pytest.mark.parametrize("kind", FASTMRI)
def test_bit_for_bit(kind):
    wrong, seen = [], 0
    for key, row in zip(KEYS, ROWS, strict=True):
        name, columns, acceleration, center, seed = key.split("|")
        if name != kind:
            continue
        seen += 1
        kx = int(columns)
        source = int(seed) if seed.isdigit() else seed
        mask = FASTMRI[kind]((8, kx), numbers(acceleration), numbers(center), source)
        assert mask.shape == (1, kx)
        if not torch.equal(mask[0], golden(row, kx)):
            wrong.append(key)
    assert seen == 192
    assert not wrong


def test_the_front_door_takes_the_file_name_without_its_folder():
    row = ROWS[KEYS.index("fastmri-random|368|4|0.08|file1000000.h5")]
    mask = make_mask("fastmri-random", (640, 368), 4, 0.08, seed=9, file_name="/data/val/file1000000.h5")
    assert torch.equal(mask.samples[0], golden(row, 368))
    assert mask.seed == "file1000000.h5"
    assert torch.equal(FASTMRI["fastmri-random"]((640, 368), 4, 0.08, "a/file1000000.h5"), mask.samples)


def test_the_front_door_takes_a_seed():
    row = ROWS[KEYS.index("fastmri-magic|320|8|0.04|4294967295")]
    assert torch.equal(make_mask("fastmri-magic", (1, 320), 8, 0.04, 4294967295).samples[0], golden(row, 320))


@pytest.mark.parametrize("name", ["", "/"])
@pytest.mark.parametrize("kind", FASTMRI)
def test_an_empty_name(kind, name):
    with pytest.raises(ArgumentError, match="is empty"):
        make_mask(kind, (8, 320), file_name=name)


@pytest.mark.parametrize(("acceleration", "center"), [([4, 8], [0.08]), ([4, 8], 0.08), ([], [])])
def test_pairs_that_do_not_pair(acceleration, center):
    with pytest.raises(ArgumentError, match="wanted one for each"):
        FASTMRI["fastmri-random"]((8, 320), acceleration, center, 0)


@pytest.mark.parametrize("kind", FASTMRI)
@pytest.mark.parametrize(("acceleration", "center"), [(1, 1.0), (4, 0.25), (4, 0.3)])
def test_a_centre_that_takes_everything(kind, acceleration, center):
    if kind == "fastmri-random" and center == 0.25:
        assert make_mask(kind, (8, 320), acceleration, center).true_acceleration == 4  # p = 0, and the package agrees
        return
    with pytest.raises(ArgumentError, match="center"):
        make_mask(kind, (8, 320), acceleration, center)
