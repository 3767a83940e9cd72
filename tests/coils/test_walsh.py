"""Walsh's maps against known ones and the definition."""

import numpy as np
import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.coils import calibration_block, estimate_maps, walsh
from kolumn.errors import CalibrationError
from kolumn.phantoms import ARRAYS, phantom


def projection_error(maps, truth):
    return 1 - (maps.conj() * truth).sum(0).abs() ** 2


@pytest.mark.parametrize("shape", [(64, 64), (57, 72)])
@pytest.mark.parametrize("array", ARRAYS)
def test_known_maps(array, shape):
    acq, image = phantom("anatomy", shape, n_coils=6, snr=None, array=array, seed=2)
    body = image[0].abs() > 0.05 * image.abs().max()
    maps = walsh(calibration_block(acq.entry(0), limit=(24, 24)), shape)
    error = projection_error(maps, ARRAYS[array](6, shape))[body]
    assert float(error.median()) < 3e-3
    assert float(error.quantile(0.95)) < 1.5e-2
    norm = torch.linalg.vector_norm(maps, dim=0)
    torch.testing.assert_close(norm, torch.ones_like(norm))


@pytest.mark.parametrize("block_shape", [(8, 9), (9, 8)])
@pytest.mark.parametrize("shape", [(16, 15), (15, 18)])
@pytest.mark.parametrize("window", [3, 5])
def test_the_definition(shape, block_shape, window):
    block = torch.randn(3, *block_shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(0))
    wy, wx = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(1, n + 1) / (n + 1)) for n in block_shape)
    k = np.zeros((3, *shape), complex)
    y0, x0 = (n // 2 - b // 2 for n, b in zip(shape, block_shape, strict=True))
    k[:, y0 : y0 + block_shape[0], x0 : x0 + block_shape[1]] = block.numpy() * wy[:, None] * wx
    z = np.fft.fftshift(np.fft.ifft2(np.fft.ifftshift(k, (1, 2))), (1, 2))
    maps = walsh(block, shape, window)
    checked = 0
    for y in range(shape[0]):
        for x in range(shape[1]):
            near = z[:, max(y - window // 2, 0) : y + window // 2 + 1, max(x - window // 2, 0) : x + window // 2 + 1]
            near = near.reshape(3, -1)
            values, vectors = np.linalg.eigh(near @ near.conj().T)
            if values[-2] < 0.7 * values[-1]:
                checked += 1
                assert abs(vectors[:, -1].conj() @ maps[:, y, x].numpy()) > 1 - 1e-9
    assert checked > 50
    U = np.linalg.svd(block.flatten(1).numpy())[0][:, 0]
    U = U * np.conj(U[np.abs(U).argmax()]) / np.abs(U).max()
    s = np.einsum("c,cyx->yx", U.conj(), maps.numpy())
    assert np.abs(s.imag).max() < 1e-9
    assert s.real.min() > 0


@pytest.mark.parametrize("scale", [1e-24, 1e-8, 1e6, 1e24])
def test_the_unit_of_kspace_does_not_matter(scale):
    acq, _ = phantom("anatomy", (40, 44), n_coils=4, snr=None)
    a, b = (walsh(scale * acq.kspace[0, :, 10:30, 12:32], (40, 44)) for scale in (1, scale))
    torch.testing.assert_close(a, b, atol=1e-2, rtol=0)


def test_empty_calibration():
    with pytest.raises(CalibrationError, match="the calibration lines are all zero"):
        walsh(torch.zeros(3, 8, 8, dtype=torch.complex64), (16, 16))


def test_by_name_and_batch():
    acq, _ = phantom("anatomy", (40, 44), n_coils=4, n_slices=2, snr=None)
    k = acq.kspace * torch.tensor([1.0, 0.1])[:, None, None, None]
    maps = estimate_maps(acquire(k), "walsh", window=5)
    assert maps.shape == k.shape
    for i in range(2):
        torch.testing.assert_close(maps[i], walsh(k[i], (40, 44), window=5), atol=1e-5, rtol=1e-5)
