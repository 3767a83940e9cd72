"""Locally low rank series against singular value decompositions, block by block."""

import pytest
import torch
from dense import draw

from kolumn.prox import nuclear_norm, prox_low_rank

SHAPE = (4, 9, 14)


def blocks(ny, nx, b):
    for i in range(0, ny, b):
        for j in range(0, nx, b):
            yield slice(i, i + b), slice(j, j + b)


def written_out(x, t, b, shift):
    """The value and the proximal map of a series (frame, y, x)."""
    x = torch.roll(x, shift, (-2, -1))
    out, value = torch.zeros_like(x), 0.0
    for rows, columns in blocks(*x.shape[-2:], b):
        part = x[:, rows, columns]
        U, s, Vh = torch.linalg.svd(part.flatten(1).T, full_matrices=False)
        value += float(s.sum())
        out[:, rows, columns] = (U * (s - t).clamp_min(0) @ Vh).T.reshape(part.shape)
    return value, torch.roll(out, (-shift[0], -shift[1]), (-2, -1))


@pytest.mark.parametrize("shift", [(0, 0), (3, 1), (-2, 5)])
@pytest.mark.parametrize("block", [1, 3, 4, 20])
def test_against_singular_values(block, shift):
    x = draw(*SHAPE)
    value, want = written_out(x, 1.2, block, shift)
    assert float(nuclear_norm(x, block, shift)) == pytest.approx(value, rel=1e-7)
    torch.testing.assert_close(prox_low_rank(x, 1.2, block, shift), want, rtol=1e-7, atol=1e-7)


def test_more_frames_than_pixels_and_frames_alike():
    x = draw(12, 5, 7)
    x[3:] = x[:1] * draw(9, 1, 1, seed=1)  # of rank 3 in every block
    value, want = written_out(x, 0.4, 2, (0, 0))
    assert float(nuclear_norm(x, 2)) == pytest.approx(value, rel=1e-5)
    torch.testing.assert_close(prox_low_rank(x, 0.4, 2), want, rtol=0, atol=1e-6)


def test_single_precision_is_not_squared_away():
    """A direction 1e-5 as strong as the strongest: in a Gram matrix of single precision it would be noise."""
    x = torch.ones(5, 8, 8, dtype=torch.complex64) + 1e-5 * draw(5, 8, 8, dtype=torch.complex64)
    _, want = written_out(x.to(torch.complex128), 5e-5, 8, (0, 0))
    rest = prox_low_rank(x, 5e-5, 8).to(torch.complex128) - want
    assert float(rest.abs().max()) < 3e-7  # the rounding of 1 itself
    assert float((want - x).abs().max()) > 5e-6


def test_the_minimiser():
    x = draw(*SHAPE)
    u = prox_low_rank(x, 1.2, 4)

    def objective(u):
        return float(0.5 * (u - x).abs().square().sum() + 1.2 * nuclear_norm(u, 4))

    for seed in range(20):
        assert objective(u + 1e-3 * draw(*SHAPE, seed=10 + seed)) > objective(u)


def test_series_have_their_own_strength():
    x = draw(3, *SHAPE) * torch.tensor([1.0, 30.0, 0.1]).double()[:, None, None, None]
    t = torch.tensor([0.9, 50.0, 0.2], dtype=torch.float64)[:, None, None, None]
    for i in range(3):
        torch.testing.assert_close(prox_low_rank(x, t, 4)[i], prox_low_rank(x[i], float(t[i]), 4))
        torch.testing.assert_close(nuclear_norm(x, 4)[i], nuclear_norm(x[i], 4))


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128, torch.float32])
def test_limits_and_precision(dtype):
    x = draw(*SHAPE, dtype=dtype)
    before = x.clone()
    torch.testing.assert_close(prox_low_rank(x, 0.0, 4), x, rtol=1e-5, atol=1e-5)
    assert not prox_low_rank(x, 1e3, 4).any()
    for t in (0.0, 0.5):
        assert not prox_low_rank(torch.zeros_like(x), t, 4).any()
    assert prox_low_rank(x, 0.5, 4).dtype == dtype
    assert nuclear_norm(x, 4).dtype == x.real.dtype
    assert torch.equal(x, before)


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_any_unit(scale):
    x = draw(*SHAPE, dtype=torch.complex64)
    found = prox_low_rank(scale * x, scale * 1.2, 4) / scale
    torch.testing.assert_close(found, prox_low_rank(x, 1.2, 4), rtol=0, atol=1e-5)
