"""The unrolled network, and its parts against the textbook."""

import math
from dataclasses import replace

import pytest
import torch
from scans import (
    SHAPE,
    as_complex,
    awake,
    batch,
    columns,
    draw,
    few_steps,
    overfit,
    plane,
    scan,
    seen_by_network,
    smooth,
    unit_maps,
    written_out,
)

from kolumn.acquisition import acquire
from kolumn.errors import ArgumentError
from kolumn.fourier import fft2
from kolumn.nn import Unrolled
from kolumn.nn.level import brightness
from kolumn.nn.phase import smooth_phase
from kolumn.operators import encoding

FEW = {"n_cascades": 2, "channels": 4, "levels": 2, "n_steps": 2, "n_last": 2, "n_again": 0, "n_start": 3}


def small(**options):
    return awake(
        Unrolled(
            **{
                "n_cascades": 2,
                "channels": 4,
                "levels": 2,
                "n_steps": 2,
                "n_last": 2,
                "n_again": 0,
                "n_start": 3,
                **options,
            }
        )
    )


def relative(a, b):
    return float((a - b).detach().norm() / b.detach().norm())


CASES = {
    "coils": {},
    "one coil": {"n_coils": 1},
    "plane": {"mask": plane()},
    "noise unknown": {"known": False},
    "even": {"shape": (16, 24), "mask": columns(24)},
    "tiny": {"shape": (9, 10), "mask": columns(10)},
}


# The network as a whole.


def test_short_of_its_end_against_its_equations_with_matrices():
    shape, sigma = (6, 10), 7 * 0.3
    acq = scan(shape=shape, mask=columns(10), sigma=0.3)
    acq, net = (
        acquire(7 * acq.kspace, acq.mask, acq.maps, 49 * acq.noise),
        small(levels=1, n_start=2, n_steps=3, n_cascades=3, n_last=1, n_again=1),
    )
    normal, b = written_out(acq)
    eye = torch.eye(60)
    x = few_steps(normal + (1e-3 + 3 * (sigma / float(brightness(b.reshape(shape)))) ** 2) * eye, b, 2)
    scale, p = float(brightness(x.reshape(shape))), smooth_phase(x.reshape(shape), acq.mask).flatten()
    x, b, sigma = x / scale, b / scale, sigma / scale
    cascades = zip((0, 1, 1, 2), net.alpha.detach().exp(), net.beta.detach().exp(), (3, 2, 2, 1), strict=True)
    for i, alpha, beta, n_steps in cascades:
        z = x + p * as_complex(net.denoisers[i](seen_by_network(x, p, sigma, shape)))
        lam = float(alpha + beta * sigma**2)
        x = z + few_steps(normal + lam * eye, b - normal @ z, n_steps)
    faithful = z + few_steps(normal + min(0.08, lam) * eye, b - normal @ z, 8)
    torch.testing.assert_close(net(acq, denoise=False).detach().flatten(), faithful * scale, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(net(acq).detach().flatten(), x * scale)
    with torch.no_grad():
        net.alpha[-1], net.beta[-1] = math.log(0.04), -40  # less than what keeps measured samples
    faithful = z + few_steps(normal + 0.04 * eye, b - normal @ z, 8)
    torch.testing.assert_close(net(acq, denoise=False).detach().flatten(), faithful * scale, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_unit_and_phase_of_the_data_do_not_matter(case):
    acq, net = scan(**case), small()
    image = net(acq)
    assert image.shape == acq.kspace.shape[1:]
    for c in (1e-7, 30.0, 1j, 0.1 * complex(math.cos(2), math.sin(2))):
        noise = None if acq.noise is None else abs(c) ** 2 * acq.noise
        torch.testing.assert_close(net(acquire(c * acq.kspace, acq.mask, acq.maps, noise)), c * image)


@pytest.mark.parametrize("n_coils", [1, 3])
def test_entries_of_a_batch_are_alone(n_coils):
    entries, together = batch(n_coils=n_coils)
    net = small()
    images = net(together)
    for image, entry in zip(images, entries, strict=True):
        torch.testing.assert_close(image, net(entry), rtol=1e-9, atol=1e-9 * float(image.detach().abs().max()))


def test_two_batch_axes_and_shared_mask_and_maps():
    acq, net = scan(n_coils=4), small()
    k = torch.stack([acq.kspace, 5 * acq.kspace.flip(0)] * 3).reshape(2, 3, 4, *SHAPE)
    many = acquire(k, acq.mask, acq.maps, acq.noise)
    assert net(many).shape == (2, 3, *SHAPE)
    torch.testing.assert_close(net(many)[1, 0], net(acquire(k[1, 0], acq.mask, acq.maps, acq.noise)))


@pytest.mark.parametrize("known", [False, True])
def test_a_blank_entry_stays_blank_and_harms_no_other(known):
    entries, together = batch(known=known, brightness=(1.0, 1.0, 1.0))
    k = together.kspace.clone()
    k[1] = 0
    net = small()
    images = net(acquire(k, together.mask, together.maps, together.noise))
    assert not images[1].any()
    torch.testing.assert_close(images[2], net(entries[2]))


def test_untrained_it_agrees_with_the_data():
    """The denoisers' last layer is 0: what is left are conjugate gradients, here run to their end."""
    acq = scan(sigma=0.0, known=False)
    net = Unrolled(n_cascades=3, channels=4, levels=2, n_steps=30, n_start=30).double()
    with torch.no_grad():
        net.alpha.fill_(-20)
    A, image = encoding(acq), net(acq)
    assert relative(A.forward(image[None]), acq.kspace) < 1e-4
    assert not any(d.tail.weight.any() for d in net.denoisers)


def test_noise_level_matters_to_the_denoiser_and_to_the_data_consistency():
    acq = scan()
    louder = acquire(acq.kspace, acq.mask, acq.maps, 9 * acq.noise)
    net = small()
    assert relative(net(louder), net(acq)) > 1e-3
    with torch.no_grad():
        net.beta.fill_(-30)  # now through the denoiser alone
    by_denoiser = relative(net(louder), net(acq))
    with torch.no_grad():
        for d in net.denoisers:
            d.head.weight[:, 2] = 0  # now not at all but for where it starts from
    assert by_denoiser > 1.5 * relative(net(louder), net(acq))


def test_every_cascade_counts_and_the_data_have_the_last_word():
    acq, net = scan(sigma=0.0, known=False), small(n_steps=40, n_last=40)
    with torch.no_grad():
        net.alpha.fill_(-18)
    A = encoding(acq)
    image = net(acq)
    assert relative(A.forward(image[None]), acq.kspace) < 0.02
    for i in range(2):
        changed = small(n_steps=40, n_last=40)
        with torch.no_grad():
            changed.alpha.fill_(-18)
            changed.denoisers[i].tail.weight.mul_(-1)
        assert relative(changed(acq), image) > 1e-3


def test_outside_of_the_maps_there_is_nothing():
    acq = scan()
    maps = acq.maps.clone()
    maps[..., :5, :] = 0
    image = small()(acquire(acq.kspace, acq.mask, maps, acq.noise))
    assert not image[:5].any()
    assert image[5:].abs().min() > 0


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("n_coils", [1, 3])
def test_gradients_reach_every_parameter(n_coils, mixed):
    net = small().float()
    net.mixed = mixed
    acq = scan(n_coils=n_coils, dtype=torch.complex64)
    (net(acq) - 1).abs().square().sum().backward()
    for name, p in net.named_parameters():
        assert torch.isfinite(p.grad).all(), name
        assert p.grad.any(), name


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
@pytest.mark.parametrize("n_coils", [1, 8])
@pytest.mark.parametrize("sigma", [0.0, 0.05])
def test_gradients_are_finite_where_conjugate_gradients_converge_at_once(sigma, n_coils, dtype):
    """A full mask takes one step and one coil two; the others divide rounding by rounding."""
    acq = scan(n_coils=n_coils, sigma=sigma, known=False, mask=torch.ones(26), dtype=dtype)
    masks = torch.stack([torch.ones(1, 1, 26, dtype=torch.bool), columns(26)[None, None]])
    both = acquire(torch.stack([acq.kspace] * 2), masks, acq.maps)
    net = small(n_steps=12, n_last=12)
    net = net if dtype == torch.complex128 else net.float()
    for scanned in (acq, both):
        for alpha in (-18.0, -3.0):
            with torch.no_grad():
                net.alpha.fill_(alpha)
            net.zero_grad()
            net(scanned).abs().square().sum().backward()
            assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_gradients_are_finite_for_a_blank_entry():
    _, together = batch()
    k = together.kspace.clone()
    k[1] = 0
    net = small()
    net(acquire(k, together.mask, together.maps)).abs().square().sum().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_gradients_are_those_of_the_function():
    acq = scan(shape=(9, 10), mask=columns(10))
    net, way = small(n_cascades=1, levels=1), draw(9, 10, seed=5)
    parameters = [p for name, p in net.named_parameters() if name in ("alpha", "beta", "denoisers.0.tail.weight")]

    def value():
        return (net(acq) * way.conj()).real.sum()

    value().backward()
    for p in parameters:
        at = (0,) * p.ndim
        with torch.no_grad():
            before = p[at].clone()
            ends = []
            for e in (1e-5, -1e-5):
                p[at] = before + e
                ends.append(float(value()))
            p[at] = before
        assert float(p.grad[at]) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5)


@pytest.mark.parametrize("n_coils", [1, 2])
def test_gradients_through_the_data(n_coils):
    acq, net = (
        scan(n_coils=n_coils, shape=(5, 6), mask=columns(6) & (torch.arange(6) != 4), sigma=0.5),
        small(n_cascades=1, channels=2, levels=1),
    )
    k = acq.kspace.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda k: net(replace(acq, kspace=k)), k, fast_mode=True)


def test_it_overfits_one_scan():
    truth = smooth(*SHAPE, seed=2, width=4) * (torch.arange(26) < 17)
    maps, mask = unit_maps(2), torch.arange(26) % 3 == 1
    mask[10:16] = True
    acq = acquire(fft2(maps * truth) * mask, mask, maps)
    net = Unrolled(n_cascades=2, channels=8, levels=2, n_steps=2, n_last=2, n_again=0, n_start=2).double()
    errors = overfit(net, acq, truth, 80)
    assert errors[-1] < 0.03 * errors[0]


def test_bfloat16_changes_little_and_float32_is_kept_outside():
    net = small().float()
    acq = scan(dtype=torch.complex64)
    plain = net(acq)
    net.mixed = True
    mixed = net(acq)
    assert mixed.dtype == torch.complex64
    assert 1e-6 < relative(mixed, plain) < 0.02


def test_weights_come_from_the_seed_alone():
    torch.manual_seed(1)
    first = Unrolled(n_cascades=1, channels=4)
    state = torch.get_rng_state()
    second, other = Unrolled(n_cascades=1, channels=4), Unrolled(n_cascades=1, channels=4, seed=1)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.denoisers[0].head.weight, other.denoisers[0].head.weight)
    assert len(state)


def test_default_size():
    assert sum(p.numel() for p in Unrolled().parameters()) == 3_451_120


def test_options_and_errors():
    net = Unrolled(n_cascades=1, channels=4, levels=1)
    assert Unrolled(**net.options).options == net.options
    with pytest.raises(ArgumentError, match="n_steps is 0; wanted at least 1"):
        Unrolled(n_steps=0)
    with pytest.raises(ArgumentError, match="n_last is 0; wanted at least 1"):
        Unrolled(n_last=0)
    with pytest.raises(ArgumentError, match="n_again is -1; wanted 0 or more"):
        Unrolled(n_again=-1)
    assert Unrolled(n_cascades=2, channels=4).order == [0, 0, 1]  # as many as there are
    acq = scan()
    with pytest.raises(ArgumentError, match="2 sets of maps came and networks take one"):
        net(acquire(acq.kspace, acq.mask, torch.stack([acq.maps, acq.maps])))
    with pytest.raises(ArgumentError, match="3 coils and no sensitivity maps"):
        net(acquire(acq.kspace, acq.mask))
