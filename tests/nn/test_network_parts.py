"""The parts that networks are made of: data consistency, what a network sees, the denoiser."""

import math

import pytest
import torch
from scans import awake, columns, draw, plane, scan, smooth, unit_maps
from torch.nn.functional import conv2d, conv_transpose2d, relu

from kolumn.acquisition import acquire
from kolumn.fourier import fft2, ifft2
from kolumn.nn import consistency
from kolumn.nn.body import UNetBody
from kolumn.nn.consistency import consistent, faithful, normal
from kolumn.nn.denoiser import Denoiser
from kolumn.nn.level import brightness, noise_level
from kolumn.nn.phase import smooth_phase
from kolumn.nn.start import start
from kolumn.operators import Condensed, circulant, encoding


def relative(a, b):
    return float((a - b).detach().norm() / b.detach().norm())


# Data consistency.


@pytest.mark.parametrize("mask", [columns(6), plane((5, 6))], ids=["columns", "plane"])
@pytest.mark.parametrize("lam", [0.01, 0.3, 20.0])
def test_data_consistency_is_the_dense_solution(mask, lam):
    maps = unit_maps(3, (5, 6))
    acq = acquire(draw(3, 5, 6), mask & (torch.arange(6) != 4), maps)
    A, z = encoding(acq), draw(1, 5, 6, seed=1)
    eye = torch.eye(30, dtype=torch.complex128).reshape(30, 1, 5, 6)
    matrix = torch.stack([A.forward(e).flatten() for e in eye], 1)
    left = matrix.mH @ matrix + lam * torch.eye(30)
    want = torch.linalg.solve(left, matrix.mH @ acq.kspace.flatten() + lam * z.flatten())
    x = consistent(A, A.adjoint(acq.kspace), z, torch.full((1, 1, 1), lam, dtype=torch.float64), 30)
    torch.testing.assert_close(x.flatten(), want)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_data_consistency_short_of_its_end(n):
    """The least residual energy norm over the Krylov space of the residual at z."""
    acq = acquire(draw(3, 5, 6), columns(6) & (torch.arange(6) != 4), unit_maps(3, (5, 6)))
    A, z, lam = encoding(acq), draw(1, 5, 6, seed=1), 0.05
    eye = torch.eye(30, dtype=torch.complex128).reshape(30, 1, 5, 6)
    matrix = torch.stack([A.forward(e).flatten() for e in eye], 1)
    left = matrix.mH @ matrix + lam * torch.eye(30)
    r = matrix.mH @ (acq.kspace.flatten() - matrix @ z.flatten())
    krylov = torch.stack([torch.linalg.matrix_power(left, i) @ r for i in range(n)], 1)
    want = z.flatten() + krylov @ torch.linalg.solve(krylov.mH @ left @ krylov, krylov.mH @ r)
    x = consistent(A, A.adjoint(acq.kspace), z, torch.full((1, 1, 1), lam, dtype=torch.float64), n)
    torch.testing.assert_close(x.flatten(), want)


@pytest.mark.parametrize("mask", [columns(6), plane((5, 6))], ids=["columns", "plane"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_preconditioned_data_consistency_short_of_its_end(mask, n):
    """The least energy over the Krylov space of C^-1 (A^H A + lam) from C^-1 r, C = F^H (c + lam)^(1/2) F."""
    acq = acquire(draw(3, 5, 6), mask & (torch.arange(6) != 4), unit_maps(3, (5, 6)))
    A, z, lam = encoding(acq), draw(1, 5, 6, seed=1), 0.05
    eye = torch.eye(30, dtype=torch.complex128).reshape(30, 1, 5, 6)
    matrix = torch.stack([A.forward(e).flatten() for e in eye], 1)
    left = matrix.mH @ matrix + lam * torch.eye(30)
    F = torch.stack([torch.fft.fft2(e, norm="ortho").flatten() for e in eye], 1)
    c = circulant(A.uncentred)
    inverse = F.mH @ torch.diag((c.expand(1, 5, 6).flatten() + lam).rsqrt().to(F.dtype)) @ F
    r = matrix.mH @ (acq.kspace.flatten() - matrix @ z.flatten())
    krylov = torch.stack([torch.linalg.matrix_power(inverse @ left, i) @ inverse @ r for i in range(n)], 1)
    want = z.flatten() + krylov @ torch.linalg.solve(krylov.mH @ left @ krylov, krylov.mH @ r)
    x = consistent(A, A.adjoint(acq.kspace), z, torch.full((1, 1, 1), lam, dtype=torch.float64), n, c=c)
    torch.testing.assert_close(x.flatten(), want)


def test_networks_have_as_few_coils_as_will_do():
    acq = scan(n_coils=12, shape=(40, 48), mask=columns(48), dtype=torch.complex64)
    G, x = start(acq, 5).G, draw(1, 40, 48, seed=3, dtype=torch.complex64)
    assert isinstance(G, Condensed)
    assert max(A.coils.maps.shape[-3] for _, A in G.blocks) < 12
    assert relative(G.normal(x), encoding(acq).normal(x)) < 1e-4


def test_faithful_keeps_measured_samples_but_for_a_little():
    acq = scan(n_coils=1)
    A, z = encoding(acq), draw(1, *acq.kspace.shape[1:], seed=1)
    measured, made = acq.kspace[0], fft2(z[0])
    for lam, low in ((0.02, 0.02), (0.08, 0.08), (3.0, 0.08)):
        x = faithful(A, A.adjoint(acq.kspace), z, torch.full((1, 1, 1), lam, dtype=torch.float64))
        want = torch.where(acq.mask, (measured + low * made) / (1 + low), made)
        torch.testing.assert_close(fft2(x[0]), want)


def test_data_consistency_in_single_precision():
    acq, found = scan(), []
    for dtype in (torch.complex128, torch.complex64):
        A = encoding(acquire(acq.kspace.to(dtype), acq.mask, acq.maps.to(dtype)))
        z, lam = draw(1, *acq.kspace.shape[1:], seed=1).to(dtype), torch.full((1, 1, 1), 0.05, dtype=dtype.to_real())
        found.append(consistent(A, A.adjoint(acq.kspace.to(dtype)), z, lam, 15))
    assert relative(found[1], found[0]) < 1e-5


@pytest.mark.parametrize("mask", [columns(6), plane((5, 6))], ids=["columns", "plane"])
def test_gradients_of_data_consistency(mask):
    acq = acquire(draw(2, 5, 6), mask, unit_maps(2, (5, 6)))
    A = encoding(acq)
    b, z = A.adjoint(acq.kspace), draw(1, 5, 6, seed=1).requires_grad_()
    lam = torch.full((1, 1, 1), 0.2, dtype=torch.float64, requires_grad=True)
    for c in (None, circulant(A.uncentred)):
        assert torch.autograd.gradcheck(lambda z, lam, c=c: consistent(A, b, z, lam, 3, c=c), (z, lam))
    assert torch.autograd.gradcheck(lambda z: normal(A, z), z)
    assert torch.autograd.gradgradcheck(lambda z: normal(A, z), z)


def test_data_consistency_where_only_rounding_is_left():
    """An image that is off by 1e-12 where it is 1e-6: the square of the residual's square is 0 in single precision."""
    A = encoding(acquire(draw(1, 21, 26, dtype=torch.complex64), torch.ones(26)))
    z = draw(1, 21, 26, dtype=torch.complex64)
    z[..., 0] = 1e-6
    b, lam = z.clone(), torch.full((1, 1, 1), 1e-3, requires_grad=True)
    b[..., 0] += 1e-12
    assert bool((b != z).any())
    z = z.requires_grad_()
    x = consistent(A, b, z, lam, 4)
    assert torch.equal(x, z)
    x.abs().square().sum().backward()
    assert torch.isfinite(torch.view_as_real(z.grad)).all()
    assert torch.isfinite(lam.grad).all()


@pytest.mark.parametrize(("n_coils", "most"), [(1, 4), (3, 31)])
def test_data_consistency_ends_where_only_rounding_is_left(n_coils, most, monkeypatch):
    applied = []
    monkeypatch.setattr(consistency, "normal", lambda A, x: applied.append(1) or normal(A, x))
    acq = acquire(draw(n_coils, 9, 12), columns(12), unit_maps(n_coils, (9, 12)) if n_coils > 1 else None)
    A, z, lam = encoding(acq), draw(1, 9, 12, seed=1), torch.full((1, 1, 1), 0.05, dtype=torch.float64)
    b = A.adjoint(acq.kspace)
    x = consistent(A, b, z, lam, 30)
    torch.testing.assert_close(normal(A, x) + lam * x, b + lam * z)
    assert len(applied) <= most
    assert n_coils == 1 or len(applied) > 10


# What the network sees.


@pytest.mark.parametrize("factor", [1e-20, 1.0, 1e15])
def test_brightness(factor):
    x = torch.tensor([[3.0, 4j], [0, 0]], dtype=torch.complex64)
    want = math.sqrt((81 + 256) / 25)
    found = brightness(factor * torch.stack([x, torch.zeros(2, 2), 2 * x]))
    assert found.shape == (3, 1, 1)
    torch.testing.assert_close(found.flatten(), torch.tensor([factor * want, 0.0, 2 * factor * want]))


def test_noise_level_from_the_covariance_or_from_the_data():
    psi = torch.diag(torch.tensor([1.0, 4.0, 13.0])).to(torch.complex128)
    k = draw(4, 3, 120, 100) * 6**0.5
    k[2] *= 1e-3
    k[..., 7:-6, :] *= 50  # the tenth of the rows that is farthest from row 60 is left
    k[3, 1] *= 2
    mask = torch.stack([columns(100, seed=i)[None, None] for i in range(4)])
    assert torch.equal(noise_level(acquire(k, mask, noise=psi)), torch.full((4, 1, 1), 6**0.5, dtype=torch.float64))
    found = noise_level(acquire(k, mask)).flatten() / 6**0.5
    want = torch.tensor([1.0, 1.0, 1e-3, 2**0.5], dtype=torch.float64)  # the mean of 1, 4 and 1 is 2
    torch.testing.assert_close(found, want, rtol=0.06, atol=0)
    k[0] = 0
    assert noise_level(acquire(k, mask))[0] == 0


def test_lines_of_zeros_tell_nothing_of_the_noise():
    k = draw(2, 64, 60)
    k[..., :40] = 0
    assert 0.9 < float(noise_level(acquire(k, torch.ones(60)))) < 1.1
    k, mask = draw(2, 64, 60), torch.ones(2, 1, 60)
    mask[1, :, :40] = 0  # of the second coil alone
    assert 0.9 < float(noise_level(acquire(k, mask))) < 1.1


@pytest.mark.parametrize(("width", "lines"), [(2, 8), (12, 12), (60, 24)])
def test_smooth_phase_is_that_of_the_middle_of_k_space(width, lines):
    mask = torch.zeros(70, dtype=torch.bool)
    mask[35 - width // 2 : 35 + width // 2] = True
    x = draw(2, 61, 70)
    y, c = (torch.arange(n, dtype=torch.float64) - n // 2 for n in (61, 70))
    window = torch.outer(*(torch.where(2 * k.abs() < lines, torch.cos(torch.pi * k / lines) ** 2, 0) for k in (y, c)))
    low = ifft2(fft2(x) * window)
    torch.testing.assert_close(smooth_phase(x, mask[None]), low / low.abs())
    torch.testing.assert_close(smooth_phase(1j * x, mask[None]), 1j * low / low.abs())


def test_smooth_phase_counts_lines_that_all_coils_have():
    mask = torch.ones(2, 1, 40, dtype=torch.bool)
    mask[1, :, :14], mask[1, :, 26:] = False, False
    x = draw(33, 40)
    for masks in (mask, mask.flip(0)):
        torch.testing.assert_close(smooth_phase(x, masks), smooth_phase(x, mask.all(0)))
    assert not torch.allclose(smooth_phase(x, mask), smooth_phase(x, mask[0]))


def test_smooth_phase_takes_each_entrys_own_mask_and_blank_images():
    masks = torch.zeros(2, 1, 1, 40, dtype=torch.bool)
    masks[0, ..., 15:25], masks[1, ..., 10:30] = True, True
    x = draw(2, 33, 40)
    p = smooth_phase(x, masks)
    for i in range(2):
        torch.testing.assert_close(p[i], smooth_phase(x[i], masks[i]))
    assert not torch.allclose(p[0], smooth_phase(x[0], masks[1]))
    assert torch.equal(smooth_phase(0 * x, masks), torch.ones_like(x))
    assert torch.equal(smooth_phase(x[None], masks)[0], p)


def test_without_its_smooth_phase_an_image_is_nearly_real():
    truth = smooth(64, 64, seed=1, width=2).abs() + 1
    phase = torch.polar(torch.ones(64, 64, dtype=torch.float64), smooth(64, 64, seed=3, width=1).real / 20)
    x = truth * phase
    seen = x * smooth_phase(x, torch.ones(1, 64, dtype=torch.bool)).conj()
    assert float(seen.imag.norm()) < 0.03 * float(seen.norm())
    assert float(seen.real.min()) > 0


@pytest.mark.parametrize("n_coils", [1, 3])
def test_it_starts_from_sense_in_units_of_its_brightness(n_coils):
    """lam is 0.001 and three times the noise over the signal; here solved to the end."""
    shape, sigma = (7, 10), 0.3
    acq = scan(n_coils=n_coils, shape=shape, mask=columns(10), sigma=sigma)
    acq = acquire(7 * acq.kspace, acq.mask, acq.maps, 49 * acq.noise)
    A = encoding(acq)
    eye = torch.eye(70, dtype=torch.complex128).reshape(70, 1, *shape)
    matrix = torch.stack([A.forward(e).flatten() for e in eye], 1)
    b = matrix.mH @ acq.kspace.flatten()
    lam = 1e-3 + 3 * (7 * sigma / float(brightness(b.reshape(shape)))) ** 2
    x = torch.linalg.solve(matrix.mH @ matrix + lam * torch.eye(70, dtype=torch.float64), b).reshape(1, *shape)
    found = start(acq, 60)
    scale = brightness(x)
    torch.testing.assert_close(found.scale, scale)
    torch.testing.assert_close(found.x, x / scale)
    torch.testing.assert_close(found.b, b.reshape(1, *shape) / scale)
    torch.testing.assert_close(found.sigma, 7 * sigma / scale)
    torch.testing.assert_close(found.p, smooth_phase(x, acq.mask))
    torch.testing.assert_close(
        found.seen, acq.maps.abs().square().sum(0).sqrt() if n_coils > 1 else torch.ones(shape).double()
    )
    assert relative(start(acq, 2).x, found.x) > 1e-3 or n_coils == 1


# The denoiser.


def test_denoiser_is_homogeneous_and_starts_at_zero():
    net = Denoiser(3, 2, 4, 2, torch.Generator().manual_seed(0)).double()
    x = draw(2, 3, 8, 12, dtype=torch.float64)
    assert not net(x).any()
    net = awake(net)
    y = net(x)
    assert y.shape == (2, 2, 8, 12)
    for c in (1e-9, 1000.0):
        torch.testing.assert_close(net(c * x), c * y)
    assert relative(net(-x), -y) > 0.1  # it is not linear


def test_denoiser_layer_by_layer():
    """Against the same layers, written out."""
    net = awake(Denoiser(3, 2, 4, 1, torch.Generator().manual_seed(0)).double())
    w = dict(net.named_parameters())

    def block(x, name):
        return x + conv2d(relu(conv2d(x, w[name + ".first.weight"], padding=1)), w[name + ".second.weight"], padding=1)

    x = draw(1, 3, 6, 4, dtype=torch.float64)
    top = block(conv2d(x, w["head.weight"], padding=1), "before.0")
    low = block(conv2d(top, w["down.0.weight"], stride=2), "before.1")
    y = block(conv_transpose2d(low, w["up.0.weight"], stride=2) + top, "after.0")
    torch.testing.assert_close(net(x), conv2d(y, w["tail.weight"], padding=1))


def test_first_weights_keep_the_size_of_what_passes():
    """Variance 2 / fan_in: what is rectified next halves it again."""
    net = Denoiser(3, 2, 32, 2, torch.Generator().manual_seed(0))
    for layer in (net.head, net.before[0].first, net.before[2].second, net.down[1], net.up[0], net.up[1]):
        x = torch.randn(1, layer.in_channels, 64, 64, generator=torch.Generator().manual_seed(1))
        assert float(layer(x).detach()[..., 1:-1, 1:-1].std()) == pytest.approx(2**0.5, rel=0.15)
        assert layer.weight.is_contiguous(memory_format=torch.channels_last)


def test_channels_are_last_from_the_first_layer_on():
    """Also where a single one comes in, of which torch does not say what order it has."""
    net = UNetBody(1, 1, 4, 1, "group", torch.Generator().manual_seed(0))
    y = net.down[0][0](torch.zeros(1, 1, 8, 8))
    assert y.is_contiguous(memory_format=torch.channels_last) and not y.is_contiguous()
