"""The encoding operator against its matrix, built from the equations alone."""

import numpy as np
import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.errors import ArgumentError
from kolumn.operators import Coils, Sampling, encoding


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def dft(n):
    c = np.arange(n) - n // 2
    return np.exp(-2j * np.pi * np.outer(c, c) / n) / np.sqrt(n)


def dense(maps, mask):
    """M F S as a matrix, (coil ky kx, set y x), for maps (set, coil, y, x)."""
    n_sets, n_coils, ny, nx = maps.shape
    F = np.kron(dft(ny), dft(nx))
    S = np.block([[np.diag(maps[s, c].numpy().ravel()) for s in range(n_sets)] for c in range(n_coils)])
    M = np.diag(np.broadcast_to(mask.numpy(), (n_coils, ny, nx)).ravel().astype(float))
    return torch.from_numpy(M @ np.kron(np.eye(n_coils), F) @ S)


@pytest.mark.parametrize("n_sets", [1, 2])
@pytest.mark.parametrize("plane", [False, True])
@pytest.mark.parametrize("shape", [(3, 4), (4, 5), (5, 3)])
def test_against_the_matrix(shape, plane, n_sets):
    maps = draw(n_sets, 2, *shape)
    mask = torch.rand(shape if plane else (1, shape[1]), generator=torch.Generator().manual_seed(3)) > 0.4
    mask[..., 0] = True
    A, matrix = encoding(acquire(draw(2, *shape), mask, maps)), dense(maps, mask)
    x, y = draw(n_sets, *shape, seed=1), draw(2, *shape, seed=2)
    torch.testing.assert_close(A.forward(x).ravel(), matrix @ x.ravel())
    torch.testing.assert_close(A.adjoint(y).ravel(), matrix.mH @ y.ravel())
    torch.testing.assert_close(A.normal(x).ravel(), matrix.mH @ matrix @ x.ravel())


def test_normal_of_columns_never_mixes_rows():
    """The readout transforms cancel, exactly: a row that is 0 stays 0 to the last bit."""
    maps = draw(3, 6, 9)
    A = encoding(acquire(draw(3, 6, 9), torch.arange(9) % 2 == 0, maps))
    x = draw(1, 6, 9)
    x[:, 2] = 0
    assert not A.normal(x)[:, 2].any()
    assert A.normal(x)[:, 3].abs().min() > 0


def test_one_set_of_maps_for_a_batch_or_a_batch_of_maps():
    """Maps broadcast to (*batch, coil, y, x), whichever axes of the batch they have."""
    k, mask = draw(2, 3, 4, 5, 6), torch.arange(6) % 2 == 0
    x = draw(1, 2, 3, 5, 6)
    for maps in (draw(4, 5, 6), draw(1, 4, 5, 6), draw(3, 4, 5, 6), draw(2, 1, 4, 5, 6), draw(2, 3, 4, 5, 6)):
        A = encoding(acquire(k, mask, maps))
        full = encoding(acquire(k, mask, maps.expand(2, 3, 4, 5, 6)))
        assert A.adjoint(k).shape == x.shape
        torch.testing.assert_close(A.adjoint(k), full.adjoint(k))
        torch.testing.assert_close(A.forward(x), full.forward(x))
        torch.testing.assert_close(A.normal(x), full.normal(x))


def test_one_coil_sees_everything():
    k = draw(2, 1, 5, 6)
    A = encoding(acquire(k))
    torch.testing.assert_close(A.forward(A.adjoint(k)), k)
    assert torch.equal(A.coils.maps, torch.ones(1, 2, 1, 5, 6, dtype=torch.complex128))


def test_coils_without_maps():
    with pytest.raises(ArgumentError, match="3 coils and no sensitivity maps; estimate them first") as error:
        encoding(acquire(draw(3, 5, 6)))
    assert "\n" not in str(error.value)


def test_sampling_is_a_projection():
    M, y = Sampling(torch.tensor([True, False, True])), draw(2, 4, 3)
    assert torch.equal(M.forward(M.forward(y)), M.forward(y))
    assert torch.equal(M.forward(y)[..., [0, 2]], y[..., [0, 2]])
    assert not M.forward(y)[..., 1].any()


def test_coils_equation():
    maps, x = draw(2, 3, 4, 5), draw(2, 4, 5, seed=1)
    want = torch.stack([sum(maps[s, c] * x[s] for s in range(2)) for c in range(3)])
    torch.testing.assert_close(Coils(maps).forward(x), want)
    want = torch.stack([sum(maps[s, c].conj() * want[c] for c in range(3)) for s in range(2)])
    torch.testing.assert_close(Coils(maps).adjoint(Coils(maps).forward(x)), want)
