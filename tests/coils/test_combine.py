"""From coil images to one."""

import numpy as np
import pytest
import torch

from kolumn.coils import combine, linear_image, root_sum_of_squares
from kolumn.fourier import ifft2


def draw(*shape, seed=0, dtype=torch.complex128):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
@pytest.mark.parametrize("n_coils", [1, 4])
def test_root_sum_of_squares(batch, n_coils):
    z = draw(*batch, n_coils, 5, 6)
    np.testing.assert_allclose(root_sum_of_squares(z).numpy(), np.sqrt((np.abs(z.numpy()) ** 2).sum(-3)))
    assert torch.equal(root_sum_of_squares(z.conj()), root_sum_of_squares(z))


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
@pytest.mark.parametrize("n_coils", [1, 4])
@pytest.mark.parametrize("shape", [(6, 8), (7, 8), (8, 7), (5, 9)])
def test_linear_image(batch, n_coils, shape):
    brightness = torch.tensor([1.0, 30.0, 0.1])[:, None, None, None] if batch else 1.0
    k = draw(*batch, n_coils, *shape) * brightness
    image = linear_image(k)
    axes = (-2, -1)
    z = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(k.numpy(), axes), axes=axes, norm="ortho"), axes)
    np.testing.assert_allclose(image.numpy(), np.sqrt((np.abs(z) ** 2).sum(-3)), rtol=1e-10)
    torch.testing.assert_close(image, root_sum_of_squares(ifft2(k)))
    assert not image.is_complex()


def test_linear_image_leaves_its_argument_and_takes_any_layout():
    k = draw(2, 3, 6, 7)
    want, before = root_sum_of_squares(ifft2(k)), k.clone()
    torch.testing.assert_close(linear_image(k), want)
    assert torch.equal(k, before)
    strided = k.movedim(1, -1).contiguous().movedim(-1, 1)
    torch.testing.assert_close(linear_image(strided), want)
    torch.testing.assert_close(linear_image(k.mT), root_sum_of_squares(ifft2(k.mT)))
    torch.testing.assert_close(linear_image(k.mT[..., ::2]), root_sum_of_squares(ifft2(k.mT[..., ::2])))
    torch.testing.assert_close(linear_image(k.conj()), root_sum_of_squares(ifft2(k.conj())))
    assert linear_image(k.to(torch.complex64)).dtype == torch.float32


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_combine(batch):
    z, maps = draw(*batch, 4, 5, 6), draw(4, 5, 6, seed=1)
    np.testing.assert_allclose(combine(z, maps).numpy(), (maps.numpy().conj() * z.numpy()).sum(-3))
    maps = maps / maps.norm(dim=0)
    image = draw(*batch, 5, 6, seed=2)
    torch.testing.assert_close(combine(maps * image.unsqueeze(-3), maps), image)


def test_linear_image_can_be_differentiated():
    k = torch.randn(3, 8, 9, dtype=torch.complex64, requires_grad=True)
    image = linear_image(k)
    assert torch.allclose(image, linear_image(k.detach()), rtol=1e-4, atol=1e-6)
    image.sum().backward()
    assert k.grad is not None and bool(k.grad.abs().sum() > 0)
