"""The l1 norm of wavelet coefficients against its definition."""

import pytest
import torch
from dense import draw

from kolumn.operators.wavelet import Wavelet
from kolumn.prox import prox_wavelet, wavelet_norm

SHAPE = (11, 14)
W = Wavelet("db2", 2)


def matrix():
    """W as a matrix: (y x, y x)."""
    n = SHAPE[0] * SHAPE[1]
    return W.forward(torch.eye(n, dtype=torch.complex128).reshape(n, *SHAPE)).reshape(n, n).T


def details():
    """True where a coefficient is detail: not in the 3 x 4 block of the approximation."""
    mask = torch.ones(SHAPE, dtype=torch.bool)
    mask[:3, :4] = False
    return mask.flatten()


@pytest.mark.parametrize("shift", [(0, 0), (1, 0), (3, -2)])
def test_against_a_dense_matrix(shift):
    x = draw(*SHAPE)
    z = matrix() @ torch.roll(x, shift, (0, 1)).flatten()
    assert float(wavelet_norm(x, W, shift)) == pytest.approx(float(z[details()].abs().sum()), rel=1e-12)
    shrunk = torch.where(z.abs() > 0.8, z * (1 - 0.8 / z.abs()), 0)
    back = matrix().mH @ torch.where(details(), shrunk, z)
    want = torch.roll(back.reshape(SHAPE), (-shift[0], -shift[1]), (0, 1))
    torch.testing.assert_close(prox_wavelet(x, 0.8, W, shift), want)


def test_it_is_the_minimiser():
    x = draw(*SHAPE)
    u = prox_wavelet(x, 0.8, W)

    def objective(u):
        return float(0.5 * (u - x).abs().square().sum() + 0.8 * wavelet_norm(u, W))

    for seed in range(20):
        assert objective(u + 1e-3 * draw(*SHAPE, seed=10 + seed)) > objective(u)


def test_entries_have_their_own_strength():
    x = draw(3, *SHAPE) * torch.tensor([1.0, 30.0, 0.1]).double()[:, None, None]
    t = torch.tensor([0.2, 30.0, 0.05], dtype=torch.float64)[:, None, None]
    for i in range(3):
        torch.testing.assert_close(prox_wavelet(x, t, W)[i], prox_wavelet(x[i], float(t[i]), W))
        torch.testing.assert_close(wavelet_norm(x, W)[i], wavelet_norm(x[i], W))


def test_limits_and_precision():
    x = draw(*SHAPE, dtype=torch.complex64)
    before = x.clone()
    torch.testing.assert_close(prox_wavelet(x, 0.0, W), x)
    assert prox_wavelet(x, 0.5, W).dtype == torch.complex64
    assert not prox_wavelet(torch.zeros_like(x), 0.5, W).any()
    constant = torch.ones(8, 12, dtype=torch.complex64)
    torch.testing.assert_close(prox_wavelet(constant, 9.0, W), constant)  # the approximation is not touched
    torch.testing.assert_close(wavelet_norm(constant, W), torch.tensor(0.0), rtol=0, atol=1e-4)
    assert torch.equal(x, before)
