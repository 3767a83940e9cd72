"""The linear map, and what joins several sets of maps."""

import numpy as np
import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.recon import ZeroFilled
from kolumn.recon.sets import join_sets


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def image_of(k):
    return np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(k, (-2, -1)), norm="ortho"), (-2, -1))


@pytest.mark.parametrize("shape", [(5, 6), (6, 7), (7, 5)])
def test_the_equations(shape):
    k, mask, maps = draw(2, 3, *shape), torch.arange(shape[1]) % 3 != 1, draw(3, *shape, seed=1)
    z = image_of((k * mask).numpy())
    with_maps = ZeroFilled()(acquire(k, mask, maps))
    np.testing.assert_allclose(with_maps.numpy(), (maps.numpy().conj() * z).sum(1), rtol=1e-9)
    without = ZeroFilled()(acquire(k, mask))
    np.testing.assert_allclose(without.real.numpy(), np.sqrt((np.abs(z) ** 2).sum(1)), rtol=1e-9)
    assert not without.imag.any()
    single = ZeroFilled()(acquire(k[:, :1], mask))
    np.testing.assert_allclose(single.numpy(), z[:, 0], rtol=1e-9)


def test_sets_are_joined():
    x = draw(2, 3, 4, 5)
    joined = join_sets(x)
    np.testing.assert_allclose(joined.abs().numpy(), np.sqrt((np.abs(x.numpy()) ** 2).sum(0)))
    first = x[0].abs() > x[1].abs()
    torch.testing.assert_close(joined.angle(), torch.where(first, x[0].angle(), x[1].angle()))
    assert torch.equal(join_sets(x[:1]), x[0])
    assert not join_sets(0 * x).any()  # and no NaN
    maps = draw(2, 3, 4, 5, seed=1)
    k = draw(3, 4, 5, seed=2)
    alone = torch.stack([ZeroFilled()(acquire(k, maps=m)) for m in maps])
    torch.testing.assert_close(ZeroFilled()(acquire(k, maps=maps)), join_sets(alone))
