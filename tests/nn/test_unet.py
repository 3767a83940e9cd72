"""The U-Net as a reconstructor, its layers, and the way between complex images and channels."""

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
from torch.nn import functional

from kolumn.acquisition import acquire
from kolumn.errors import ArgumentError
from kolumn.fourier import fft2
from kolumn.nn import NORMS, UNet
from kolumn.nn.body import UNetBody
from kolumn.nn.channels import from_channels, to_channels
from kolumn.nn.level import brightness
from kolumn.nn.phase import smooth_phase
from kolumn.nn.precision import bfloat16_is_fast
from kolumn.operators import encoding
from kolumn.recon import ZeroFilled

CASES = {
    "coils": {},
    "one coil": {"n_coils": 1},
    "plane": {"mask": plane()},
    "noise unknown": {"known": False},
    "even": {"shape": (16, 24), "mask": columns(24)},
    "tiny": {"shape": (9, 10), "mask": columns(10)},
}


def small(**options):
    return awake(UNet(**{"channels": 4, "levels": 2, **options}))


def relative(a, b):
    return float((a - b).detach().norm() / b.detach().norm())


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_untrained_it_is_zero_filled_to_the_last_bit(case, norm):
    acq = scan(**case)
    net = UNet(channels=4, levels=2, norm=norm)
    assert torch.equal(net(acq), ZeroFilled()(acq))
    without_maps = acquire(acq.kspace, acq.mask)
    assert torch.equal(net(without_maps), ZeroFilled()(without_maps))


@pytest.mark.parametrize("consistency", [0, 2])
def test_against_its_equations_with_matrices(consistency):
    shape, sigma = (6, 10), 7 * 0.3
    acq = scan(shape=shape, mask=columns(10), sigma=0.3)
    acq, net = acquire(7 * acq.kspace, acq.mask, acq.maps, 49 * acq.noise), small(levels=1, consistency=consistency)
    normal, b = written_out(acq)
    scale, p = float(brightness(b.reshape(shape))), smooth_phase(b.reshape(shape), acq.mask).flatten()
    x = b + scale * p * as_complex(net.body(seen_by_network(b / scale, p, sigma / scale, shape)))
    if consistency:
        lam = net.alpha.detach().exp() + net.beta.detach().exp() * (sigma / scale) ** 2
        faithful = x + few_steps(normal + min(0.08, float(lam)) * torch.eye(60), b - normal @ x, 8)
        torch.testing.assert_close(net(acq, denoise=False).detach().flatten(), faithful, rtol=1e-4, atol=1e-4)
        x, z = x + few_steps(normal + lam * torch.eye(60), b - normal @ x, consistency), x
    torch.testing.assert_close(net(acq).detach().flatten(), x)
    if consistency:
        with torch.no_grad():
            net.alpha.fill_(math.log(0.04))  # less than what keeps measured samples
            net.beta.fill_(-40)
        faithful = z + few_steps(normal + 0.04 * torch.eye(60), b - normal @ z, 8)
        torch.testing.assert_close(net(acq, denoise=False).detach().flatten(), faithful, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("consistency", [0, 3])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_unit_and_phase_of_the_data_do_not_matter(case, consistency):
    acq, net = scan(**case), small(consistency=consistency)
    image = net(acq)
    assert image.shape == acq.kspace.shape[1:]
    assert relative(image, ZeroFilled()(acq)) > 1e-3
    for c in (1e-7, 30.0, 1j):
        noise = None if acq.noise is None else abs(c) ** 2 * acq.noise
        torch.testing.assert_close(net(acquire(c * acq.kspace, acq.mask, acq.maps, noise)), c * image)


@pytest.mark.parametrize("norm", ["group", "instance", "layer", "none"])
@pytest.mark.parametrize("n_coils", [1, 3])
def test_entries_of_a_batch_are_alone(n_coils, norm):
    entries, together = batch(n_coils=n_coils)
    net = small(norm=norm, consistency=2)
    for image, entry in zip(net(together), entries, strict=True):
        torch.testing.assert_close(image, net(entry), rtol=1e-9, atol=1e-9 * float(image.detach().abs().max()))


def test_two_batch_axes_and_coils_without_maps():
    k, net = scan(n_coils=4).kspace, small()
    many = acquire(torch.stack([k, 5 * k.flip(0)] * 3).reshape(2, 3, 4, *SHAPE), columns(26))
    assert net(many).shape == (2, 3, *SHAPE)
    torch.testing.assert_close(net(many)[1, 0], net(acquire(many.kspace[1, 0], many.mask)))


@pytest.mark.parametrize("known", [False, True])
def test_a_blank_entry_stays_blank_and_harms_no_other(known):
    entries, together = batch(known=known, brightness=(1.0, 1.0, 1.0))
    k = together.kspace.clone()
    k[1] = 0
    net = small(consistency=2)
    images = net(acquire(k, together.mask, together.maps, together.noise))
    assert not images[1].any()
    torch.testing.assert_close(images[2], net(entries[2]))


def test_noise_level_matters():
    acq = scan()
    louder = acquire(acq.kspace, acq.mask, acq.maps, 9 * acq.noise)
    assert relative(small()(louder), small()(acq)) > 1e-3
    net = small(consistency=2)
    with torch.no_grad():
        net.body.down[0][0].weight[:, 2] = 0  # now by the data consistency alone
    assert relative(net(louder), net(acq)) > 1e-3


def test_the_data_have_the_last_word_where_that_is_wanted():
    acq = scan(sigma=0.0, known=False)
    off, on = small(), small(consistency=60)
    with torch.no_grad():
        on.alpha.fill_(-18)
    A = encoding(acq)
    assert relative(A.forward(off(acq)[None]), acq.kspace) > 0.05
    assert relative(A.forward(on(acq)[None]), acq.kspace) < 0.02


def test_outside_of_the_maps_there_is_nothing():
    acq = scan()
    maps = acq.maps.clone()
    maps[..., :5, :] = 0
    image = small(consistency=2)(acquire(acq.kspace, acq.mask, maps, acq.noise))
    assert not image[:5].any()
    assert image[5:].abs().min() > 0


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("norm", NORMS)
def test_gradients_reach_every_parameter(norm, mixed):
    net = small(norm=norm, consistency=2).float()
    net.mixed = mixed
    acq = scan(dtype=torch.complex64)
    (net(acq) - 1).abs().square().sum().backward()
    for name, p in net.named_parameters():
        assert torch.isfinite(p.grad).all(), name
        assert p.grad.any(), name


@pytest.mark.parametrize("n_coils", [1, 2])
def test_gradients_through_the_data(n_coils):
    acq, net = (
        scan(n_coils=n_coils, shape=(5, 6), mask=columns(6) & (torch.arange(6) != 4), sigma=0.5),
        small(channels=2, levels=1, norm="instance", consistency=2),
    )
    k = acq.kspace.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda k: net(replace(acq, kspace=k)), k, fast_mode=True)


@pytest.mark.parametrize("norm", ["group", "instance"])
def test_it_overfits_one_scan(norm):
    truth = smooth(*SHAPE, seed=2, width=4) * (torch.arange(26) < 17)
    maps, mask = unit_maps(2), torch.arange(26) % 3 == 1
    mask[10:16] = True
    acq = acquire(fft2(maps * truth) * mask, mask, maps)
    errors = overfit(UNet(channels=8, levels=2, norm=norm).double(), acq, truth, 80)
    assert errors[-1] < 0.05 * errors[0]


def test_bfloat16_changes_little():
    net = small().float()
    acq = scan(dtype=torch.complex64)
    plain = net(acq)
    net.mixed = True
    assert net(acq).dtype == torch.complex64
    assert 1e-6 < relative(net(acq), plain) < 0.02
    assert bfloat16_is_fast("meta") is False


def test_default_size_options_and_errors():
    net = UNet()
    assert sum(p.numel() for p in net.parameters()) == 1_927_266
    assert UNet(**net.options).options == net.options
    with pytest.raises(ArgumentError, match="levels is 0; wanted at least 1"):
        UNet(levels=0)
    with pytest.raises(ArgumentError, match="norm is 'magic'; wanted one of batch"):
        UNet(norm="magic")
    with pytest.raises(ArgumentError, match="consistency is -1; wanted 0 or more"):
        UNet(consistency=-1)
    acq = scan()
    with pytest.raises(ArgumentError, match="2 sets of maps came"):
        small()(acquire(acq.kspace, acq.mask, torch.stack([acq.maps, acq.maps])))
    with pytest.raises(ArgumentError, match="3 coils and no sensitivity maps"):
        small(consistency=2)(acquire(acq.kspace, acq.mask))


# The layers.


def body(norm="none", levels=1):
    return awake(UNetBody(3, 2, 4, levels, norm, torch.Generator().manual_seed(0)).double())


@pytest.mark.parametrize("shape", [(8, 6), (7, 9)])
def test_layer_by_layer(shape):
    """Against the same layers, written out; odd sizes are reflected."""
    net = body()
    w = dict(net.named_parameters())

    def level(x, name):
        for i in (0, 3):
            x = functional.leaky_relu(functional.conv2d(x, w[f"{name}.{i}.weight"], padding=1), 0.2)
        return x

    x = draw(2, 3, *shape, dtype=torch.float64)
    top = level(x, "down.0")
    low = level(functional.avg_pool2d(top, 2), "bottom")
    up = functional.leaky_relu(functional.conv_transpose2d(low, w["up.0.0.weight"], stride=2), 0.2)
    rows = [*range(up.shape[-2]), up.shape[-2] - 2][: shape[0]]
    cols = [*range(up.shape[-1]), up.shape[-1] - 2][: shape[1]]
    up = up[..., rows, :][..., cols]
    y = functional.conv2d(level(torch.cat([up, top], 1), "after.0"), w["last.weight"], w["last.bias"])
    torch.testing.assert_close(net(x), y)


def test_every_convolution_but_the_last_is_normalised():
    """Its output's brightness is nobody's business, so that twice the weights change nothing."""
    x = draw(2, 3, 8, 8, dtype=torch.float64)
    for norm in ("group", "instance", "batch", "layer"):
        net = body(norm, levels=2)
        y = net(x)
        convolutions = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d | torch.nn.ConvTranspose2d)]
        assert len(convolutions) == 2 * 5 + 2 + 1
        with torch.no_grad():
            for m in convolutions[:-1]:
                m.weight.mul_(1 if m is net.last else 1e4)
        changed = net(x)
        with torch.no_grad():
            for m in convolutions[:-1]:
                m.weight.mul_(1 if m is net.last else 1e4)
        torch.testing.assert_close(net(x), changed, rtol=1e-4, atol=1e-4)
        assert y.shape == (2, 2, 8, 8)


def test_the_levels_double_their_channels():
    net = body(levels=3)
    assert [level[0].weight.shape[0] for level in [*net.down, net.bottom]] == [4, 8, 16, 32]
    assert [up[0].weight.shape[:2] for up in net.up] == [(32, 16), (16, 8), (8, 4)]


# Channels.


@pytest.mark.parametrize("shape", [(5, 7), (8, 4)])
def test_channels_and_back(shape):
    x = draw(2, 3, *shape)
    extra = torch.arange(6.0).reshape(2, 3, 1, 1)
    c = to_channels(x, extra, multiple=4, dtype=torch.float32)
    assert c.shape == (6, 3, 8, -(-shape[1] // 4) * 4)
    assert c.dtype == torch.float32
    assert c.is_contiguous(memory_format=torch.channels_last)
    flat = x.flatten(0, 1).to(torch.complex64)
    inside = c[..., : shape[0], : shape[1]]
    assert torch.equal(inside[:, 0], flat.real)
    assert torch.equal(inside[:, 1], flat.imag)
    assert torch.equal(inside[:, 2], torch.arange(6.0)[:, None, None].expand(6, *shape))
    assert not c[..., shape[0] :, :].any()
    assert not c[..., shape[1] :].any()
    back = from_channels(c[:, :2], x)
    assert back.dtype == x.dtype
    torch.testing.assert_close(back, x, rtol=1e-6, atol=1e-6)
