"""Compiled eigenvectors are those of the plain squarings, for any number and size of matrices."""

from __future__ import annotations

import pytest
import torch

from kolumn.coils import eigen
from kolumn.native import library, native_eigenvectors

compiled = pytest.mark.skipif(library() is None, reason="kolumn was installed without a compiler")


def matrices(n: int, *batch: int, rank: int = 3, seed: int = 0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(*batch, n, rank, dtype=torch.complex64, generator=g)
    return x @ x.mH


@pytest.fixture
def plain(monkeypatch):
    monkeypatch.setattr(eigen, "native_eigenvectors", lambda M, squarings: None)
    return eigen.dominant_eigenvector


@compiled
@pytest.mark.parametrize("n", [1, 2, 5, 8, 19])
@pytest.mark.parametrize("batch", [(), (1,), (16,), (3, 7)], ids=str)
@pytest.mark.parametrize("squarings", [0, 1, 2, 6])
def test_as_the_plain_ones(n, batch, squarings, plain):
    M = matrices(n, *batch)
    for ours, theirs in zip(native_eigenvectors(M, squarings), plain(M, squarings), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=2e-5, atol=2e-5)


@compiled
def test_matrices_are_not_mixed_up(plain):
    M = matrices(4, 37) * torch.logspace(-15, 15, 37)[:, None, None]
    M[5] = 0
    v, value = native_eigenvectors(M, 6)
    assert not v[5].any()
    assert value[5] == 0
    torch.testing.assert_close(value, plain(M)[1], rtol=2e-5, atol=0)
    one_by_one = torch.stack([native_eigenvectors(m, 6)[0] for m in M])
    assert torch.equal(v, one_by_one)


@compiled
def test_in_another_order_of_memory(plain):
    M = matrices(4, 9)
    for same in (M.mT.contiguous().mT, M.mH.mH, M.conj().resolve_conj().conj(), M.expand(2, 9, 4, 4)):
        torch.testing.assert_close(native_eigenvectors(same, 6)[0], plain(same)[0], rtol=2e-5, atol=2e-5)


def test_where_it_is_not_for(monkeypatch):
    M = matrices(3, 2)
    assert native_eigenvectors(M.to(torch.complex128), 6) is None
    assert native_eigenvectors(M.clone().requires_grad_(), 6) is None
    assert native_eigenvectors(M[:0], 6) is None
    monkeypatch.setattr("kolumn.native.eigen.library", lambda: None)
    assert native_eigenvectors(M, 6) is None
    v, value = eigen.dominant_eigenvector(M)
    assert torch.isfinite(value).all()
    assert v.shape == (2, 3)
