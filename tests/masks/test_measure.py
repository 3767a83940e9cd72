"""The true acceleration and the calibration region, against brute force."""

import itertools

import pytest
import torch

from kolumn.errors import ArgumentError
from kolumn.masks.measure import acceleration, calibration, calibration_width


def by_brute_force(plane):
    """(shorter side, area) of the best rectangle."""
    ky, kx = plane.shape
    cy, cx = ky // 2, kx // 2
    best = (0, 0)
    for y0, y1 in itertools.product(range(cy + 1), range(cy + 1, ky + 1)):
        for x0, x1 in itertools.product(range(cx + 1), range(cx + 1, kx + 1)):
            if plane[y0:y1, x0:x1].all():
                best = max(best, (min(y1 - y0, x1 - x0), (y1 - y0) * (x1 - x0)))
    return best


@pytest.mark.parametrize("shape", [(7, 7), (6, 9), (8, 4), (2, 5), (5, 2), (9, 1)])
@pytest.mark.parametrize("density", [0.6, 0.8, 0.95, 1.0])
def test_calibration_is_the_largest(shape, density):
    generator = torch.Generator().manual_seed(len(shape) * 7 + shape[0])
    for _ in range(12):
        plane = torch.rand(shape, generator=generator) < density
        rows, cols = calibration(plane)
        height, width = rows.stop - rows.start, cols.stop - cols.start
        assert (min(height, width), height * width) == by_brute_force(plane)
        if width:
            assert plane[rows, cols].all()
            assert rows.start <= shape[0] // 2 < rows.stop
            assert cols.start <= shape[1] // 2 < cols.stop


def test_columns_around_the_centre_may_be_asymmetric():
    mask = torch.zeros(1, 144, dtype=torch.bool)
    mask[0, ::4] = True
    mask[0, 48:97] = True
    assert calibration(mask) == (slice(None), slice(48, 97))
    assert calibration_width(mask) == 49
    mask[0, 70] = False
    assert calibration(mask) == (slice(None), slice(71, 97))


@pytest.mark.parametrize("kx", [1, 2, 9, 10])
def test_full_and_nothing(kx):
    assert calibration(torch.ones(1, kx, dtype=torch.bool)) == (slice(None), slice(0, kx))
    assert calibration_width(torch.zeros(1, kx, dtype=torch.bool)) == 0
    rows, cols = calibration(torch.zeros(1, kx, dtype=torch.bool))
    assert rows.stop == rows.start
    assert cols.stop == cols.start


def test_the_centre_missing():
    mask = torch.ones(1, 10, dtype=torch.bool)
    mask[0, 5] = False
    assert calibration_width(mask) == 0


def test_whole_columns_written_as_a_plane():
    mask = torch.zeros(12, 20, dtype=torch.bool)
    mask[:, 8:13] = True
    assert calibration(mask) == (slice(0, 12), slice(8, 13))


def test_several_masks_share_their_region():
    mask = torch.zeros(2, 1, 1, 20, dtype=torch.bool)
    mask[0, ..., 6:13] = True
    mask[1, ..., 8:16] = True
    assert calibration(mask) == (slice(None), slice(8, 13))


def test_calibration_of_one_axis():
    with pytest.raises(ArgumentError, match="mask is 9; wanted"):
        calibration(torch.ones(9, dtype=torch.bool))


def test_acceleration():
    mask = torch.zeros(1, 12, dtype=torch.bool)
    mask[0, :5] = True
    assert acceleration(mask, (30, 12)) == 12 / 5
    assert acceleration(mask.expand(30, 12), (4, 30, 12)) == 12 / 5
    with pytest.raises(ArgumentError, match="broadcasts to 30 x 13"):
        acceleration(mask, (30, 13))
    with pytest.raises(ArgumentError, match="samples nothing"):
        acceleration(torch.zeros(1, 12, dtype=torch.bool), (30, 12))
