"""Whitening, and the noise of k-space's edge."""

import numpy as np
import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.coils import covariance, noise_from_edge, whiten
from kolumn.errors import ArgumentError
from kolumn.phantoms import coil_covariance, complex_noise


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


PSI = 7 * coil_covariance(4, seeded(3), correlation=0.6, spread=0.5)


def measured(k):
    return torch.from_numpy(np.cov(k.movedim(-3, 0).flatten(1).numpy(), ddof=1))


def test_covariance_is_numpys():
    noise = torch.randn(3, 50, dtype=torch.complex128, generator=seeded()) + torch.tensor([[1j], [2], [0]])
    torch.testing.assert_close(covariance(noise), torch.from_numpy(np.cov(noise.numpy())))
    assert torch.isfinite(torch.view_as_real(covariance(noise[:, :1]))).all()


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
@pytest.mark.parametrize("given", [False, True])
def test_the_noise_becomes_white(batch, given):
    k = complex_noise((*batch, 4, 64, 65), PSI, seeded())
    before = k.clone()
    acq = whiten(acquire(k, torch.ones(65), noise=None if given else PSI), PSI if given else None)
    assert (measured(acq.kspace) - torch.eye(4)).norm() < 0.1
    assert (measured(k) - torch.eye(4)).norm() > 3
    assert torch.equal(acq.noise, torch.eye(4, dtype=PSI.dtype))
    assert acq.kspace.shape == k.shape
    assert acq.kspace.dtype == k.dtype
    assert torch.equal(k, before)


def test_the_cholesky_factor_exactly():
    k = torch.randn(2, 4, 5, 6, dtype=torch.complex128, generator=seeded())
    psi = PSI.to(torch.complex128)
    want = np.einsum("ij,bjyx->biyx", np.linalg.inv(np.linalg.cholesky(psi.numpy())), k.numpy())
    np.testing.assert_allclose(whiten(acquire(k), psi).kspace.numpy(), want, rtol=1e-10)
    acq = acquire(k, calibration=k[..., :3])
    np.testing.assert_allclose(whiten(acq, psi).calibration.numpy(), want[..., :3], rtol=1e-10)


def test_what_was_not_sampled_stays_zero_and_maps_go():
    k = torch.randn(4, 5, 6, dtype=torch.complex64, generator=seeded())
    acq = whiten(acquire(k, torch.arange(6) % 2, maps=k), PSI)
    assert not acq.kspace[..., ::2].any()
    assert acq.kspace[..., 1::2].abs().min() > 0
    assert acq.maps is None
    assert acq.calibration is None
    of_each = torch.ones(4, 1, 6, dtype=torch.bool)
    of_each[1, :, 2] = False  # where only one coil was left out, the others must not spill into it
    assert not whiten(acquire(k, of_each), PSI).kspace[1, :, 2].any()


def test_errors_of_whitening():
    acq = acquire(torch.ones(2, 5, 6))
    with pytest.raises(ArgumentError, match="no noise covariance is known; give one, or estimate it"):
        whiten(acq)
    dead = torch.diag(torch.tensor([1.0, 0.0])).to(torch.complex64)
    for wrong in (dead, -torch.eye(2), 0 * torch.eye(2)):
        with pytest.raises(ArgumentError, match="not positive definite"):
            whiten(acq, wrong.to(torch.complex64))


def brain(noise, mask=None):
    """Noise everywhere, and signal a thousand times louder but for the outer 5 % of rows and the middle columns."""
    k = noise.clone()
    ny, nx = k.shape[-2:]
    edge = round(0.05 * ny)
    k[..., edge:-edge, :] += 1e3
    k[..., nx // 4 : nx - nx // 4] += 1e3
    return acquire(k, mask)


@pytest.mark.parametrize("shape", [(120, 128), (121, 129)])
@pytest.mark.parametrize("mask", [None, "every third"])
def test_noise_from_the_edge(shape, mask):
    noise = complex_noise((3, 4, *shape), PSI, seeded())
    columns = None if mask is None else (torch.arange(shape[1]) % 3 == 0)
    found = noise_from_edge(brain(noise, columns))
    assert (found - PSI).norm() < 0.12 * PSI.norm()


def test_noise_from_the_edge_takes_what_was_sampled_only():
    """Exactly the samples at both ends, in the outer half of the columns, where the mask is."""
    k = torch.randn(2, 3, 40, 32, dtype=torch.complex128, generator=seeded())
    columns = torch.arange(32) % 2 == 1
    rows = torch.tensor([0, 1, 2, 3, 36, 37, 38, 39])
    outer = torch.tensor([1, 3, 5, 7, 25, 27, 29, 31])
    picked = k[:, :, rows][..., outer].movedim(1, 0).flatten(1)
    found = noise_from_edge(acquire(k, columns), fraction=0.1)
    torch.testing.assert_close(found, torch.from_numpy(np.cov(picked.numpy())))


def test_noise_from_the_edge_of_data_with_rows_of_zeros():
    k = torch.randn(2, 100, 64, dtype=torch.complex128, generator=seeded())
    k[:, -5:] = 0  # padded by the scanner, and the mask does not know
    found = noise_from_edge(acquire(k, torch.ones(64)))
    assert (found - torch.eye(2)).norm() < 0.3


def test_too_little_edge():
    k = torch.randn(8, 16, 16, dtype=torch.complex64, generator=seeded())
    with pytest.raises(ArgumentError, match="only 16 samples at the edge of k-space for 8 coils, wanted 32"):
        noise_from_edge(acquire(k))
    noise_from_edge(acquire(k[:4]))
