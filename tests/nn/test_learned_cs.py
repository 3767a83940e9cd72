"""Compressed sensing with learned thresholds, against ADMM written out with matrices."""

import math
from dataclasses import replace

import pytest
import torch
from scans import SHAPE, batch, columns, draw, overfit, plane, scan, smooth, unit_maps

from kolumn.acquisition import acquire
from kolumn.errors import ArgumentError
from kolumn.fourier import fft2
from kolumn.nn import LearnedCS
from kolumn.nn.consistency import consistent
from kolumn.nn.learned_cs import garrote
from kolumn.nn.linear import linear
from kolumn.nn.start import start
from kolumn.operators import Wavelet, encoding


def awake(**options):
    """Unlike numbers everywhere."""
    net = LearnedCS(**{"n_iterations": 2, "levels": 2, "n_steps": 3, **options}).double()
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return net


def relative(a, b):
    return float((a - b).detach().norm() / b.detach().norm())


def matrix_of(function, shape):
    eye = torch.eye(math.prod(shape), dtype=torch.complex128).reshape(-1, 1, *shape)
    return torch.stack([function(e).flatten() for e in eye], 1)


@pytest.mark.parametrize("n_coils", [1, 3])
def test_against_admm_with_matrices(n_coils):
    shape = (7, 10)
    acq = scan(n_coils=n_coils, shape=shape, mask=columns(10), sigma=0.2)
    net = awake(n_iterations=3, n_steps=70)
    with torch.no_grad():
        net.alpha[-1] += 4
    _, _, x, p, sigma, scale, *_ = start(acq, net.n_start, preconditioned=True)
    sigma, E = float(sigma), matrix_of(encoding(acq).forward, shape)
    W, shifts = Wavelet("haar", 2), ((0, 0), (1, 3), (2, 2))
    Ws = [matrix_of(lambda v, s=s: W.forward(v.roll(s, (-2, -1))), shape) for s in shifts]
    level = torch.full(shape, 2)
    level[:4, :5], level[:2, :3] = 1, 0
    x, p, y, u = x.flatten(), p.flatten(), acq.kspace.flatten() / float(scale), 0
    z = x
    parameters = (net.theta, net.eta, net.gamma, net.alpha, net.beta)
    theta, eta, gamma, alpha, beta = (q.detach().exp() for q in parameters)
    more = torch.tensor([1.0, *(float(gamma[2 - n]) for n in (1, 2))], dtype=torch.float64)[level].flatten()
    eye = torch.eye(70, dtype=torch.float64)
    for i, W_i in enumerate(Ws):
        # level 0 here is the approximation, and there the finest
        values = [0.0, *(float(theta[i, 2 - n] + eta[2 - n] * sigma) for n in (1, 2))]
        t = torch.tensor(values, dtype=torch.float64)[level].flatten()
        h = 1.7 * x - 0.7 * z + u
        c = W_i @ (h / p)
        real = torch.where(c.real.abs() > t, c.real - t**2 / c.real, 0)
        imaginary = torch.where(c.imag.abs() > more * t, c.imag - (more * t) ** 2 / c.imag, 0)
        z = p * (W_i.mH @ torch.complex(real, imaginary))
        u = h - z
        v = z - u
        lam = float(alpha[i] + beta[i] * sigma**2)
        x = torch.linalg.solve(E.mH @ E + lam * eye, E.mH @ y + lam * v)
    torch.testing.assert_close(net(acq).detach().flatten(), x * scale.flatten(), rtol=1e-9, atol=1e-11)
    kept, low = (torch.linalg.solve(E.mH @ E + lam * eye, E.mH @ y + lam * v) * scale.flatten() for lam in (0.08, 0.04))
    assert relative(net(acq, denoise=False).flatten(), kept) < 1e-3  # after eight steps
    assert relative(net(acq).flatten(), kept) > 0.1
    with torch.no_grad():
        net.alpha[-1], net.beta[-1] = math.log(0.04), -40  # less than what keeps measured samples
    assert relative(net(acq, denoise=False).flatten(), low) < 1e-3
    assert relative(low, kept) > 0.01


def test_its_conjugate_gradients_are_preconditioned(monkeypatch):
    """Two steps come nearer to where many lead than two without; so does the start."""
    acq = scan(n_coils=4, shape=(24, 30), mask=columns(30))
    plain, whole = awake(n_steps=2), awake(n_steps=40)
    want, found = whole(acq), plain(acq)
    monkeypatch.setattr("kolumn.nn.learned_cs.consistent", lambda *a: consistent(*a[:6]))
    assert relative(found, want) < 0.7 * relative(plain(acq), want)
    far = start(acq, 200).x
    assert relative(start(acq, 4, preconditioned=True).x, far) < 0.8 * relative(start(acq, 4).x, far)


CASES = {
    "coils": {},
    "one coil": {"n_coils": 1},
    "plane": {"mask": plane()},
    "noise unknown": {"known": False},
    "tiny": {"shape": (9, 10), "mask": columns(10)},
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_unit_and_phase_of_the_data_do_not_matter(case):
    acq, net = scan(**case), awake()
    image = net(acq)
    assert image.shape == acq.kspace.shape[1:]
    for c in (1e-7, 30.0, 1j):
        noise = None if acq.noise is None else abs(c) ** 2 * acq.noise
        torch.testing.assert_close(net(acquire(c * acq.kspace, acq.mask, acq.maps, noise)), c * image)


def test_entries_of_a_batch_are_alone():
    entries, together = batch()
    net = awake()
    for image, entry in zip(net(together), entries, strict=True):
        torch.testing.assert_close(image, net(entry), rtol=1e-9, atol=1e-9 * float(image.detach().abs().max()))


@pytest.mark.parametrize("n_coils", [1, 3])
def test_gradients_reach_every_number_also_beside_a_blank_entry(n_coils):
    _, together = batch(n_coils=n_coils)
    k = together.kspace.clone()
    k[1] = 0
    net = awake()
    image = net(acquire(k, together.mask, together.maps))
    image.abs().square().sum().backward()
    assert not image[1].any()
    for name, p in net.named_parameters():
        assert torch.isfinite(p.grad).all(), name
        assert (p.grad != 0).all(), name


def test_gradients_are_those_of_the_function():
    acq, net, way = scan(shape=(9, 10), mask=columns(10)), awake(), draw(9, 10, seed=5)

    def value():
        return (net(acq) * way.conj()).real.sum()

    value().backward()
    for p in net.parameters():
        at = (0,) * p.ndim
        with torch.no_grad():
            before, ends = p[at].clone(), []
            for e in (1e-5, -1e-5):
                p[at] = before + e
                ends.append(float(value()))
            p[at] = before
        assert float(p.grad[at]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-4)


@pytest.mark.parametrize("n_coils", [1, 2])
def test_gradients_through_the_data(n_coils):
    acq, net = (
        scan(n_coils=n_coils, shape=(5, 6), mask=columns(6) & (torch.arange(6) != 4), sigma=0.5),
        awake(n_iterations=1),
    )
    k = acq.kspace.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda k: net(replace(acq, kspace=k)), k, fast_mode=True)


def test_outside_of_the_maps_there_is_nothing():
    acq = scan()
    maps = acq.maps.clone()
    maps[..., :5, :] = 0
    image = awake()(acquire(acq.kspace, acq.mask, maps, acq.noise))
    assert not image[:5].any()
    assert image[5:].abs().min() > 0


def test_noise_raises_thresholds_and_penalties():
    acq, net = scan(), awake()
    louder = acquire(acq.kspace, acq.mask, acq.maps, 9 * acq.noise)
    for other in ("eta", "beta"):
        alone = awake()
        with torch.no_grad():
            getattr(alone, other).fill_(-40)
        assert relative(alone(louder), alone(acq)) > 1e-3
    assert relative(net(louder), net(acq)) > 1e-3


def test_it_overfits_one_scan():
    truth = smooth(*SHAPE, seed=2, width=4) * (torch.arange(26) < 17)
    maps, mask = unit_maps(2), torch.arange(26) % 3 == 1
    mask[10:16] = True
    acq = acquire(fft2(maps * truth) * mask, mask, maps)
    errors = overfit(LearnedCS(n_iterations=3).double(), acq, truth, 25, 0.1)
    assert errors[-1] < 0.85 * errors[0]


def test_default_size_options_and_errors():
    net = LearnedCS()
    assert sum(p.numel() for p in net.parameters()) == 128
    assert LearnedCS(**net.options).options == net.options
    with pytest.raises(ArgumentError, match="levels is 0; wanted at least 1"):
        LearnedCS(levels=0)
    acq = scan()
    with pytest.raises(ArgumentError, match="2 sets of maps came"):
        net(acquire(acq.kspace, acq.mask, torch.stack([acq.maps, acq.maps])))


def test_garrote_keeps_large_coefficients():
    kept = garrote(torch.tensor([-4.0, -0.9, 0.0, 1.1, 100.0]), torch.tensor(1.0))
    torch.testing.assert_close(kept, torch.tensor([-3.75, 0.0, 0.0, 1.1 - 1 / 1.1, 99.99]))
    c = draw(4, 5).real
    torch.testing.assert_close(garrote(c, torch.zeros(4, 5)), c)


def test_gradients_of_the_garrote():
    c, t = draw(4, 5).real, torch.rand(4, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    assert torch.autograd.gradcheck(garrote, (c.requires_grad_(), t.requires_grad_()))
    small = torch.tensor([0.0, 1e-38, 1e-30, 1.5e-15, -1e-9, 0.0], requires_grad=True)  # where squares overflow
    large = torch.tensor([20.0, 20.0, 20.0, 20.0, 20.0, 0.0], requires_grad=True)
    garrote(small, large).sum().backward()
    assert small.grad.tolist() == [0, 0, 0, 0, 0, 1]
    assert not large.grad.any()


def test_linear_layers():
    W, x = Wavelet("db2", 2), draw(2, 5, 7).requires_grad_()
    assert torch.equal(linear(x, W.forward, W.adjoint), W.forward(x.detach()))
    assert torch.autograd.gradcheck(lambda x: linear(x, W.forward, W.adjoint), x)
    matrix = draw(3, 4)
    assert torch.autograd.gradgradcheck(lambda v: linear(v, matrix.matmul, matrix.mH.matmul), draw(4).requires_grad_())
