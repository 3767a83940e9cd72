"""The dominant eigenvector against an eigensolver."""

import pytest
import torch

from kolumn.coils.eigen import deflate, dominant_eigenvector


def with_spectrum(values, *batch, seed=0, dtype=torch.complex128):
    n = len(values)
    draw = torch.randn(*batch, n, n, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))
    Q = torch.linalg.qr(draw)[0]
    return (Q @ torch.diag(torch.tensor(values, dtype=torch.complex128)) @ Q.mH).to(dtype)


def agrees(M, v, value, which=-1, tolerance=1e-9):
    values, vectors = torch.linalg.eigh(M)
    torch.testing.assert_close(value, values[..., which], rtol=tolerance, atol=0)
    torch.testing.assert_close(torch.linalg.vector_norm(v, dim=-1), torch.ones_like(value), rtol=tolerance, atol=0)
    overlap = (vectors[..., which].conj() * v).sum(-1).abs()
    torch.testing.assert_close(overlap, torch.ones_like(value), rtol=tolerance, atol=0)


@pytest.mark.parametrize("batch", [(), (3,), (3, 4)])
@pytest.mark.parametrize("values", [[1.0, 0.6, 0.2, 0.0], [1.0, 0.7], [2.5]])
def test_against_eigh(batch, values):
    M = with_spectrum(values, *batch)
    agrees(M, *dominant_eigenvector(M))


@pytest.mark.parametrize("scale", [1e-15, 1e-6, 1e6, 1e15])
def test_single_precision_at_any_scale(scale):
    M = with_spectrum([1.0, 0.5, 0.1], 5, dtype=torch.complex64)
    agrees(scale * M, *dominant_eigenvector(scale * M), tolerance=1e-5)


def test_six_squarings_are_worth_sixty_four_iterations():
    M = with_spectrum([1.0, 0.9], 7)

    def error(squarings):
        v, _ = dominant_eigenvector(M, squarings)
        return float((1 - (torch.linalg.eigh(M)[1][..., -1].conj() * v).sum(-1).abs() ** 2).max().sqrt())

    assert error(6) < 5 * 0.9**64
    assert error(3) > 10 * error(6)


def test_the_next_one():
    M = with_spectrum([1.0, 0.6, 0.2], 5)
    rest = deflate(M, *dominant_eigenvector(M))
    agrees(M, *dominant_eigenvector(rest), which=-2)


def test_nothing():
    M = with_spectrum([1.0, 0.5], 3)
    M[1] = 0
    v, value = dominant_eigenvector(M)
    assert not v[1].any()
    assert not value[1].any()
    agrees(M[[0, 2]], v[[0, 2]], value[[0, 2]])
