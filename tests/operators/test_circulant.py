"""The circulant matrix nearest to A^H A, against matrices."""

import math

import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.operators import circulant, encoding


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def dense(A, shape):
    """F A^H A F^H."""
    waves = torch.eye(math.prod(shape), dtype=torch.complex128).reshape(-1, 1, *shape)
    images = [A.normal(torch.fft.ifft2(w, norm="ortho")) for w in waves]
    return torch.stack([torch.fft.fft2(v, norm="ortho").flatten() for v in images], 1)


COLUMNS = torch.tensor([1, 0, 0, 1, 1, 0, 1, 0, 0.0])
MASKS = {
    "columns": COLUMNS,
    "one column": COLUMNS * (torch.arange(9) == 4),
    "plane": torch.rand(6, 9, generator=torch.Generator().manual_seed(3)) < 0.4,
    "each coil its own": torch.rand(3, 6, 9, generator=torch.Generator().manual_seed(3)) < 0.4,
}


@pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)
def test_its_diagonal_is_that_of_the_normal_operator_in_kspace(mask):
    A = encoding(acquire(draw(3, 6, 9), mask, draw(3, 6, 9, seed=1))).uncentred
    c = circulant(A)
    assert c.shape == (1, 1 if mask.ndim == 1 else 6, 9) and bool((c >= 0).all())
    torch.testing.assert_close(c[0].expand(6, 9), dense(A, (6, 9)).diagonal().real.reshape(6, 9))


@pytest.mark.parametrize("rows", [1, 6])
def test_entries_of_a_batch_are_alone(rows):
    masks = torch.rand(2, 1, rows, 9, generator=torch.Generator().manual_seed(4)) < 0.5
    acq = acquire(draw(2, 3, 6, 9), masks, draw(2, 3, 6, 9, seed=1))
    c = circulant(encoding(acq).uncentred)
    for i in range(2):
        torch.testing.assert_close(c[:, i], circulant(encoding(acq.entry(i)).uncentred))
