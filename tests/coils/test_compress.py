"""Coil compression."""

import numpy as np
import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.coils import combine, compress, compression_matrix, root_sum_of_squares
from kolumn.errors import ArgumentError
from kolumn.fourier import ifft2


def draw(*shape, seed=0, dtype=torch.complex128):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def correlated(*batch):
    """Five coils that are mostly two."""
    return torch.einsum("ij,...jyx->...iyx", draw(5, 2), draw(*batch, 2, 7, 8, seed=1)) + 0.01 * draw(*batch, 5, 7, 8)


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_the_singular_vectors(n, batch):
    k = correlated(*batch)
    T = compression_matrix(k, n)
    assert T.shape == (n, 5)
    torch.testing.assert_close(T @ T.mH, torch.eye(n, dtype=T.dtype))
    U, s, _ = np.linalg.svd(k.movedim(-3, 0).flatten(1).numpy(), full_matrices=False)
    np.testing.assert_allclose(np.abs(T.numpy() @ U[:, :n]), np.eye(n), atol=1e-6)
    energy = torch.linalg.vector_norm((T @ k.movedim(-3, 0).flatten(1)), dim=1)
    np.testing.assert_allclose(energy.numpy(), s[:n], rtol=1e-6)


def test_all_coils_is_a_rotation():
    k = correlated(2)
    turned = compress(acquire(k), 5).kspace
    torch.testing.assert_close(root_sum_of_squares(turned), root_sum_of_squares(k))


def test_few_coils_keep_nearly_everything():
    k = correlated(2)
    two = compress(acquire(k), 2).kspace
    assert two.shape == (2, 2, 7, 8)
    assert 0.9995 < float(two.norm() / k.norm()) < 1
    assert two[:, 0].norm() > two[:, 1].norm()


def test_everything_is_turned_alike():
    k, psi = correlated(2), draw(5, 9)
    psi = psi @ psi.mH
    maps, block = draw(2, 5, 7, 8, seed=4), k[..., 2:5, 3:6].clone()
    acq = compress(acquire(k, torch.arange(8) % 2, maps, psi, block), 3)
    T = compression_matrix(k * (torch.arange(8) % 2), 3)
    torch.testing.assert_close(acq.kspace, torch.einsum("vc,bcyx->bvyx", T, k) * (torch.arange(8) % 2))
    torch.testing.assert_close(acq.maps, torch.einsum("vc,bcyx->bvyx", T, maps))
    torch.testing.assert_close(acq.noise, T @ psi @ T.mH)
    torch.testing.assert_close(acq.calibration, torch.einsum("vc,bcyx->bvyx", T, block))
    assert not acq.kspace[..., ::2].any()


def test_maps_see_the_same_image():
    maps = draw(5, 7, 8, seed=4)
    k = correlated()
    turned = compress(acquire(k, maps=maps), 5)
    torch.testing.assert_close(combine(ifft2(turned.kspace), turned.maps), combine(ifft2(k), maps))


def test_sets_of_maps_and_masks_of_each_coil():
    k, maps = correlated(), draw(2, 5, 7, 8)
    mask = torch.ones(5, 1, 8, dtype=torch.bool)
    mask[1, :, 2] = False
    acq = compress(acquire(k, mask, maps), 3)
    assert acq.maps.shape == (2, 3, 7, 8)
    assert torch.equal(acq.mask, mask.all(0, keepdim=True))
    assert not acq.kspace[..., 2].any()
    assert acq.noise is None
    assert acq.calibration is None


@pytest.mark.parametrize("n", [0, -1, 6])
def test_errors(n):
    with pytest.raises(ArgumentError, match=f"cannot compress 5 coils to {n}; wanted 1 to 5"):
        compress(acquire(correlated()), n)


@pytest.mark.parametrize("scale", [1e-8, 1e6])
def test_single_precision_at_any_scale(scale):
    k = correlated(2).to(torch.complex64)
    assert float(compress(acquire(scale * k), 2).kspace.norm() / (scale * k).norm()) > 0.9995
