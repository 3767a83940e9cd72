"""Noise has the covariance it is asked for; phase is smooth and of the strength asked for."""

import pytest
import torch

from kolumn.errors import ArgumentError
from kolumn.phantoms import coil_covariance, complex_noise, smooth_phase


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("n_coils", [1, 2, 5, 32])
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.95])
def test_covariance(n_coils, correlation):
    psi = coil_covariance(n_coils, seeded(), correlation)
    assert psi.dtype == torch.complex64
    torch.testing.assert_close(psi, psi.mH)
    assert torch.linalg.eigvalsh(psi.to(torch.complex128))[0] > 1e-3
    variance = psi.diagonal().real
    assert variance.mean() == pytest.approx(1, rel=1e-5)
    if n_coils > 1:
        assert variance.max() > 1.05 * variance.min()
        rho = psi[0, 1].abs() / (variance[0] * variance[1]).sqrt()
        assert rho == pytest.approx(correlation, abs=1e-5)
        ends = psi[0, -1].abs() / (variance[0] * variance[-1]).sqrt()
        assert ends == pytest.approx(correlation, abs=1e-5)  # a ring: the last is the neighbour of the first
    assert torch.equal(psi, coil_covariance(n_coils, seeded(), correlation))


def test_drawn_noise_has_that_covariance():
    psi = coil_covariance(4, seeded(1), 0.6)
    noise = complex_noise((3, 4, 200, 201), psi, seeded(2))
    assert noise.dtype == torch.complex64
    n = noise.transpose(0, 1).flatten(1)
    m = n.shape[1]
    tolerance = 5 / m**0.5  # five standard errors
    assert (n @ n.mH / m - psi).abs().max() < tolerance * psi.abs().max()
    assert (n @ n.mT / m).abs().max() < tolerance * psi.abs().max()  # circular: real and imaginary parts alike
    assert n.mean(1).abs().max() < tolerance
    assert (noise[0] * noise[1].conj()).mean().abs() < 4 * tolerance  # slices are independent
    assert (noise[..., 1:] * noise[..., :-1].conj()).mean().abs() < tolerance  # and so are samples
    assert not torch.equal(psi.real, psi.abs())


def test_noise_is_reproducible_and_double_where_asked():
    psi = coil_covariance(3, seeded())
    assert torch.equal(complex_noise((3, 9, 8), psi, seeded(1)), complex_noise((3, 9, 8), psi, seeded(1)))
    assert complex_noise((3, 9, 8), psi.to(torch.complex128), seeded(1)).dtype == torch.complex128


def test_bad_noise():
    with pytest.raises(ArgumentError, match="n_coils is 0"):
        coil_covariance(0, seeded())
    for correlation in (-0.1, 1.0):
        with pytest.raises(ArgumentError, match="correlation"):
            coil_covariance(4, seeded(), correlation)
    with pytest.raises(ArgumentError, match="one row a coil"):
        complex_noise((3, 8, 8), coil_covariance(4, seeded()), seeded())
    with pytest.raises(ArgumentError, match="positive definite"):
        complex_noise((2, 8, 8), torch.tensor([[1, 2], [2, 1]]) + 0j, seeded())


@pytest.mark.parametrize("shape", [(64, 64), (65, 48), (50, 83)])
def test_phase(shape):
    p = smooth_phase(shape, seeded(3), strength=0.5)
    assert p.shape == shape
    assert p.dtype == torch.complex64
    torch.testing.assert_close(p.abs(), torch.ones(shape))
    angle = p.angle()
    assert angle.abs().max() < 3  # so nothing has wrapped, and the next two lines mean something
    assert angle.square().mean().sqrt() == pytest.approx(0.5, rel=1e-4)
    assert angle.mean().abs() < 1e-4
    for dim in (0, 1):
        assert angle.diff(dim=dim).abs().max() < 0.5 * 20 / shape[dim]
        assert angle.diff(n=2, dim=dim).abs().max() < 0.5 * 100 / shape[dim] ** 2


def test_phase_seeds_and_strength():
    assert torch.equal(smooth_phase((32, 32), seeded(1)), smooth_phase((32, 32), seeded(1)))
    assert (smooth_phase((32, 32), seeded(1)) - smooth_phase((32, 32), seeded(2))).abs().mean() > 0.1
    assert torch.equal(smooth_phase((32, 32), seeded(1), 0.0), torch.ones(32, 32, dtype=torch.complex64))
    with pytest.raises(ArgumentError, match="at least 16"):
        smooth_phase((8, 32), seeded())
