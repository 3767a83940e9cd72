"""Where the object is: the support that keeps aliases out of the air."""

import pytest
import torch

from kolumn.acquisition import Acquisition, acquire
from kolumn.coils import soft_support
from kolumn.errors import ArgumentError
from kolumn.fourier import fft2
from kolumn.phantoms import phantom
from kolumn.recon import make_method


def body(shape=(41, 50), n_coils=2, seed=0):
    """K-space of noise in a box, none of it elsewhere, and the box."""
    box = torch.zeros(shape)
    box[12:28, 20:36] = 1
    generator = torch.Generator().manual_seed(seed)
    gains = torch.randn(n_coils, 1, 1, dtype=torch.complex64, generator=generator)
    return fft2(gains * box), box


def by_hand(block, shape, dark):
    """A discrete Fourier sum over the tapered block, pixel by pixel."""
    n = [torch.arange(m, dtype=torch.float64) for m in block.shape[-2:]]
    taper = [torch.sin(torch.pi * (x + 1) / (len(x) + 1)) ** 2 for x in n]
    waves = [
        torch.exp(2j * torch.pi * (torch.arange(m)[:, None] - m // 2) * (x - len(x) // 2) / m)
        for m, x in zip(shape, n, strict=True)
    ]
    z = torch.einsum("yk,ckl,xl->cyx", waves[0], block.to(torch.complex128) * taper[0][:, None] * taper[1], waves[1])
    e = z.abs().square().sum(0).sqrt()
    return e / (dark * e.max())


@pytest.mark.parametrize("shape", [(41, 50), (50, 41), (64, 64)])
@pytest.mark.parametrize("n_coils", [1, 2])
@pytest.mark.parametrize(("air", "dark"), [(0.3, 0.1), (0.5, 0.75)])
def test_bright_is_one_and_dark_is_air(shape, air, dark, n_coils):
    k, _ = body(shape, n_coils)
    mask = torch.zeros(shape[1], dtype=torch.bool)
    middle = shape[1] // 2
    mask[middle - 7 : middle + 8] = True
    w = soft_support(acquire(k, mask), air, dark)
    rows = slice(max(0, shape[0] // 2 - 24), shape[0] // 2 + 24)
    wanted = by_hand(k[:, rows, middle - 7 : middle + 8], shape, dark)
    assert w.shape == (1, *shape)
    torch.testing.assert_close(w[0], wanted.clamp(air, 1).float())
    for part in (wanted > 1, wanted < air, (wanted > air) & (wanted < 1)):
        assert 0.005 < part.float().mean() < 0.95


def test_the_body_is_left_alone_and_most_air_is_not():
    k, box = body()
    mask = (torch.arange(50) - 25).abs() < 8
    w = soft_support(acquire(k, mask))[0]
    assert (w[box == 1] == 1).all()
    assert (w == 0.3).float().mean() > 0.4
    fewer = soft_support(acquire(k, (torch.arange(50) - 25).abs() < 3))[0]
    assert fewer.sum() > w.sum()


def test_entries_stand_alone_and_their_unit_does_not_matter():
    k, _ = body()
    moved, _ = body(seed=1)
    moved = moved * torch.exp(2j * torch.pi * 12 * (torch.arange(50) - 25) / 50)
    mask = (torch.arange(50) - 25).abs() < 8
    batch = torch.stack([k, 1e20 * moved, torch.zeros_like(k)])
    w = soft_support(Acquisition(batch, mask[None, None]))
    assert w.shape == (3, 1, 41, 50)
    torch.testing.assert_close(w[0], soft_support(acquire(k, mask)), rtol=0, atol=0)
    torch.testing.assert_close(w[1], soft_support(acquire(moved, mask)), rtol=1e-5, atol=0)
    assert not torch.equal(w[0], w[1])
    assert (w[2] == 1).all()


def test_it_is_one_without_calibration_lines_or_where_nothing_is_missing():
    k, _ = body()
    assert (soft_support(acquire(k, torch.ones(50, dtype=torch.bool))) == 1).all()
    assert (soft_support(acquire(k, torch.arange(50) % 4 == 0)) == 1).all()


def test_it_keeps_aliases_out_of_the_air():
    scan, images = phantom("anatomy", (96, 96), n_coils=4, snr=30.0)
    mask = torch.rand(96, generator=torch.Generator().manual_seed(0)) < 0.2
    mask[44:52] = True
    data = acquire(scan.kspace[0], mask)
    air = images[0].abs() < 1e-3 * images[0].abs().max()
    for name in ("tv", "tgv", "wavelet"):
        with_it, without = (make_method(name, lam="0.003max", max_iterations=40, air=w)(data) for w in (0.3, 1))
        assert torch.linalg.norm(with_it[air]) < 0.8 * torch.linalg.norm(without[air])
        errors = [torch.linalg.norm(x.abs() - images[0].abs()) for x in (with_it, without)]
        assert errors[0] < 0.97 * errors[1]


@pytest.mark.parametrize("wrong", [{"air": 0.0}, {"air": 1.1}, {"dark": -0.1}, {"dark": float("nan")}])
def test_numbers_out_of_range_get_one_line(wrong):
    with pytest.raises(ArgumentError, match=rf"{next(iter(wrong))} is .*; wanted a number above 0, up to 1"):
        soft_support(acquire(body()[0], torch.ones(50, dtype=torch.bool)), **wrong)
