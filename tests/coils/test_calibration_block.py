"""Where the calibration lines are found."""

import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.coils import calibration_block
from kolumn.errors import CalibrationError


def places(ny, nx):
    """K-space of two coils whose samples say where they are: (row + 1) + i (column + 1)."""
    plane = torch.complex((torch.arange(ny) + 1.0)[:, None].expand(ny, nx), torch.arange(nx) + 1.0)
    return torch.stack([plane, 100 * plane])


def where(block):
    rows, columns = block[0].real[:, 0].int() - 1, block[0].imag[0].int() - 1
    assert torch.equal(block[1], 100 * block[0])
    return rows.tolist(), columns.tolist()


def mask_of(n, *runs):
    mask = torch.zeros(n, dtype=torch.bool)
    for start, stop in runs:
        mask[start:stop] = True
    return mask


@pytest.mark.parametrize("ny", [10, 11])
@pytest.mark.parametrize(("nx", "start", "stop"), [(20, 7, 13), (20, 4, 12), (20, 10, 17), (21, 3, 12), (21, 10, 13)])
def test_columns(ny, nx, start, stop):
    mask = mask_of(nx, (start, stop), (0, 2), (18, 19))
    block = calibration_block(acquire(places(ny, nx), mask))
    assert where(block) == (list(range(ny)), list(range(start, stop)))


def test_a_plane():
    mask = torch.zeros(12, 15, dtype=torch.bool)
    mask[3:9, 5:10] = True
    mask[0] = True
    block = calibration_block(acquire(places(12, 15), mask))
    assert where(block) == (list(range(3, 9)), list(range(5, 10)))


@pytest.mark.parametrize(
    ("ny", "nx", "run", "limit", "rows", "columns"),
    [
        (20, 20, (4, 18), (6, 8), range(7, 13), range(6, 14)),
        (20, 20, (4, 18), (5, 7), range(8, 13), range(7, 14)),
        (21, 21, (4, 18), (6, 8), range(7, 13), range(6, 14)),
        (21, 21, (4, 18), (5, 7), range(8, 13), range(7, 14)),
        (20, 20, (9, 18), (20, 6), range(20), range(9, 15)),  # the centre is near the left end of the run
        (20, 20, (3, 12), (20, 6), range(20), range(6, 12)),  # and near its right one
        (20, 20, (4, 18), (99, 99), range(20), range(4, 18)),
    ],
)
def test_a_limit_keeps_what_is_around_the_centre(ny, nx, run, limit, rows, columns):
    acq = acquire(places(ny, nx), mask_of(nx, run))
    assert where(calibration_block(acq, limit=limit)) == (list(rows), list(columns))


def test_a_limit_within_a_plane():
    mask = torch.zeros(16, 16, dtype=torch.bool)
    mask[5:14, 2:11] = True
    block = calibration_block(acquire(places(16, 16), mask), limit=(4, 4))
    assert where(block) == (list(range(6, 10)), list(range(6, 10)))


def test_lines_acquired_apart_win():
    apart = places(9, 8) * 3
    acq = acquire(places(20, 20), mask_of(20, (4, 18)), calibration=apart)
    assert torch.equal(calibration_block(acq), apart)
    assert torch.equal(calibration_block(acq, limit=(4, 5)), apart[:, 2:6, 2:7])
    assert torch.equal(calibration_block(acquire(places(20, 20), mask_of(20, (1, 3)), calibration=apart)), apart)


@pytest.mark.parametrize(
    ("runs", "least", "text"),
    [
        (((0, 5),), 2, "is 0 columns by 0 rows; wanted at least 2 by 2"),
        (((10, 11),), 2, "is 1 columns by 12 rows; wanted at least 2 by 2: acquire calibration lines, give maps"),
        (((8, 12),), 5, "is 4 columns by 12 rows; wanted at least 5 by 5"),
    ],
)
def test_too_few(runs, least, text):
    acq = acquire(places(12, 20), mask_of(20, *runs))
    with pytest.raises(CalibrationError, match=text) as error:
        calibration_block(acq, least=least)
    assert "\n" not in str(error.value)


def test_just_enough():
    assert calibration_block(acquire(places(12, 20), mask_of(20, (8, 12))), least=4).shape == (2, 12, 4)
