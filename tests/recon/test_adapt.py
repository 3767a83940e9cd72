"""Networks that learn from the scan they reconstruct."""

import copy
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn

from kolumn.acquisition import acquire
from kolumn.coils import estimate_maps
from kolumn.errors import ArgumentError
from kolumn.fourier import fft2
from kolumn.nn import FastmriUNet, LearnedCS, UNet, Unrolled
from kolumn.phantoms import phantom
from kolumn.recon import adapt as module
from kolumn.recon import learned
from kolumn.recon.adapt import adapt, draw, hidden_loss, hideable
from kolumn.recon.learned_cs import LearnedCompressedSensing
from kolumn.recon.mirror import MIRRORS, mirror, mirrored
from kolumn.recon.unet import LearnedUNet
from kolumn.recon.unrolled import LearnedUnrolled

NETWORKS = {
    "unet": lambda: UNet(channels=4, levels=2, consistency=2),
    "unrolled": lambda: Unrolled(n_cascades=2, channels=4, levels=2),
    "learned-cs": lambda: LearnedCS(n_iterations=3, levels=2),
}
METHODS = {"unet": LearnedUNet, "unrolled": LearnedUnrolled, "learned-cs": LearnedCompressedSensing}


def network(name):
    """With weights that are not 0, as those of a last layer are to begin with."""
    net, generator = NETWORKS[name](), torch.Generator().manual_seed(1)
    with torch.no_grad():
        for p in net.parameters():
            if p.ndim > 2 or not p.any():
                p.normal_(0, 0.05, generator=generator)
    return net.eval().requires_grad_(False)


@cache
def whole(n_coils=4, n_slices=1, snr=40.0):
    acq, _ = phantom("anatomy", (40, 45), n_coils=n_coils, n_slices=n_slices, snr=snr)
    return acq if n_slices > 1 else acq.entry(0)


def columns(n, seed=0):
    mask = torch.rand(n, generator=torch.Generator().manual_seed(seed)) < 0.35
    mask[n // 2 - 4 : n // 2 + 4] = True
    return mask


def plane(shape, seed=0):
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.4
    mask[tuple(slice(n // 2 - 4, n // 2 + 4) for n in shape)] = True
    return mask


def scan(n_coils=4, mask=None, **options):
    full = whole(n_coils, **options)
    acq = acquire(full.kspace, columns(full.kspace.shape[-1]) if mask is None else mask, noise=full.noise)
    return replace(acq, maps=estimate_maps(acq, "espirit", outside=1.0)) if n_coils > 1 else acq


def weights(net):
    return torch.cat([p.detach().flatten() for p in net.parameters()])


class Fixed(nn.Module):
    """The same image whatever came, of which it keeps record."""

    NEEDS_MAPS = True

    def __init__(self, image):
        super().__init__()
        self.image, self.seen = nn.Parameter(image), []

    def forward(self, acquisition):
        self.seen.append(acquisition)
        return self.image

    def __deepcopy__(self, memo):
        other = Fixed(self.image.detach().clone())
        other.seen = self.seen
        return other


# The loss.


@pytest.mark.parametrize("kind", ["columns", "plane"])
def test_the_loss_of_hidden_samples(kind):
    generator = torch.Generator().manual_seed(0)
    k, maps = (torch.randn(3, 6, 7, dtype=torch.complex128, generator=generator) for _ in range(2))
    image = torch.randn(6, 7, dtype=torch.complex128, generator=generator)
    mask = torch.tensor([[1, 0, 1, 1, 1, 0, 1]]).bool() if kind == "columns" else plane((6, 7))
    entry = replace(acquire(k, mask), maps=maps)
    hidden = torch.zeros_like(mask)
    hidden[..., :3] = mask[..., :3]
    e, y = [], []
    for c in range(3):
        prediction = fft2(maps[c] * image)
        for i in range(6):
            for j in range(3):
                if mask.expand(6, 7)[i, j]:
                    e.append(prediction[i, j] - k[c, i, j])
                    y.append(k[c, i, j])
    e, y = torch.stack(e).abs(), torch.stack(y).abs()
    wanted = (e.square().sum() / y.square().sum()).sqrt() / 2 + e.sum() / y.sum() / 2
    spy = Fixed(image * maps.abs().square().sum(0).sqrt())
    torch.testing.assert_close(hidden_loss(spy, entry, hidden).detach(), wanted)
    assert torch.equal(spy.seen[0].mask, mask & ~hidden)
    assert torch.equal(spy.seen[0].kspace, entry.kspace * ~hidden)


def test_the_loss_of_one_coil_without_maps_and_of_blank_maps():
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(6, 7, dtype=torch.complex128, generator=generator)
    entry = acquire(fft2(image)[None], torch.tensor([1, 0, 1, 1, 1, 0, 1]))
    hidden = torch.tensor([[1, 0, 0, 0, 0, 0, 1]]).bool()
    assert float(hidden_loss(Fixed(image), entry, hidden).detach()) < 1e-12
    assert float(hidden_loss(Fixed(3 * image), entry, hidden).detach()) == pytest.approx(2)
    maps = torch.ones(1, 6, 7, dtype=torch.complex128)
    maps[..., 2] = 0
    net = Fixed(image)
    hidden_loss(net, replace(entry, maps=maps), hidden).backward()
    assert bool(torch.isfinite(net.image.grad.abs()).all()) and bool(net.image.grad.any())


# What is hidden.


def test_everything_but_the_middle_may_be_hidden():
    mask = columns(20)[None]
    free = hideable(mask)
    assert free.shape == (1, 20)
    assert (mask & ~free).nonzero()[:, 1].tolist() == [9, 10, 11]
    points = plane((21, 20))
    left = points & ~hideable(points)
    assert left.nonzero().tolist() == [[i, j] for i in (9, 10, 11) for j in (9, 10, 11)]
    assert torch.equal(hideable(mask.expand(3, 1, 20)), free)


@pytest.mark.parametrize("n", [1, 2, 40])
def test_a_quarter_is_hidden_and_never_nothing(n):
    free = torch.arange(50)[None] < n
    generator = torch.Generator().manual_seed(0)
    drawn = [draw(free, generator) for _ in range(200)]
    assert all(bool(h.any()) and not bool((h & ~free).any()) for h in drawn)
    counts = torch.stack(drawn).sum(0).flatten()[:n]
    if n == 40:
        assert 0.2 < float(counts.float().mean()) / 200 < 0.3
        assert int(counts.min()) > 20


@pytest.mark.parametrize("kind", ["columns", "plane"])
def test_the_network_never_sees_what_it_is_to_predict(kind, monkeypatch):
    acq = scan(mask=columns(45) if kind == "columns" else plane((40, 45)))
    asked = []

    def spy(net, entry, hidden):
        asked.append(hidden)
        return hidden_loss(net, entry, hidden)

    monkeypatch.setattr(module, "hidden_loss", spy)
    net = Fixed(torch.ones(40, 45, dtype=torch.complex64))
    adapt(net, acq, 3)
    assert len(asked) == len(net.seen) == 4 + 3 + 4
    for hidden, seen in zip(asked, net.seen, strict=True):
        assert hidden.shape == acq.mask.shape
        assert torch.equal(seen.mask, acq.mask & ~hidden) and not torch.equal(seen.mask, acq.mask)
        assert not seen.kspace[:, hidden.expand(40, 45)].any()
        assert torch.equal(seen.kspace[:, ~hidden.expand(40, 45)], acq.kspace[:, ~hidden.expand(40, 45)])
    assert torch.equal(torch.stack(asked[:4]).sum(0) == 1, hideable(acq.mask))
    assert not torch.equal(asked[4], asked[5])


# The adapted copy.


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_that_came_stays_and_the_seed_decides(name):
    acq, net = scan(), network(name)
    before, state = weights(net), torch.get_rng_state()
    one, again, other = (adapt(net, acq, 2, seed) for seed in (0, 0, 1))
    assert torch.equal(weights(net), before) and not any(p.requires_grad for p in net.parameters())
    assert torch.equal(torch.get_rng_state(), state)
    assert one is not net and not one.training and not any(p.requires_grad for p in one.parameters())
    assert not torch.equal(weights(one), before)
    assert torch.equal(weights(one), weights(again))
    assert not torch.equal(weights(one), weights(other))


def never_seen(net, full, acq):
    """Error of the lines that were not acquired, relative."""
    missing = ~acq.mask.expand(full.kspace.shape)
    maps = torch.ones_like(full.kspace) if acq.maps is None else acq.maps
    with torch.no_grad():
        e = (fft2(maps * net(acq)) - full.kspace)[missing]
    return float(e.norm() / full.kspace[missing].norm())


def perturbed(name):
    """Thresholds far too high, and weights that are noise."""
    net = network(name)
    for key, p in net.named_parameters():
        if key == "theta":
            p.fill_(0)
        elif p.ndim > 2:
            p.mul_(1.5)
    return net


CASES = {"columns": {}, "plane": {"mask": plane((40, 45))}, "one coil": {"n_coils": 1}}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("name", NETWORKS)
def test_lines_that_were_never_acquired_are_predicted_better(name, case, monkeypatch):
    monkeypatch.setattr(module, "_RATE", 3e-3)  # few and small weights
    acq, full = scan(**CASES[case]), whole(CASES[case].get("n_coils", 4))
    net = perturbed(name)
    before, after = (never_seen(n, full, acq) for n in (net, adapt(net, acq, 12)))
    assert after < 0.99 * before


def test_double_precision():
    acq, net = scan(), network("unrolled")
    double = replace(acq, kspace=acq.kspace.to(torch.complex128), maps=acq.maps.to(torch.complex128), noise=None)
    single = replace(acq, noise=None)
    a, b = (adapt(net, entry, 2)(entry) for entry in (double, single))
    assert a.dtype == torch.complex128
    torch.testing.assert_close(a.to(torch.complex64), b, rtol=1e-2, atol=1e-2 * float(b.abs().max()))


def test_where_nothing_can_be_learned_the_network_is_used_as_it_is():
    net, acq = network("unrolled"), scan()
    full = replace(acq, mask=torch.ones_like(acq.mask))
    assert adapt(net, full, 3) is net
    middle = torch.zeros(45)
    middle[21:24] = 1
    assert adapt(net, replace(acquire(acq.kspace, middle), maps=acq.maps), 3) is net


@pytest.mark.parametrize("rate", [1e3, 1e30])
def test_when_it_diverges_the_network_is_used_as_it_was(rate, monkeypatch):
    monkeypatch.setattr(module, "_RATE", rate)
    net = network("unrolled")
    assert adapt(net, scan(), 3) is net


def test_weights_of_no_number_end_it_at_once(monkeypatch):
    net, asked = copy.deepcopy(network("unet")), []
    with torch.no_grad():
        net.body.last.weight[0] = torch.nan
    monkeypatch.setattr(module, "hidden_loss", lambda *args: asked.append(0) or hidden_loss(*args))
    assert adapt(net, scan(), 3) is net
    assert len(asked) == 4 + 1


@pytest.mark.parametrize(
    ("before", "after", "kept"), [(2, 1, True), (1, 2, False), (1, 1, False), (1, torch.nan, False)]
)
def test_the_copy_is_used_only_if_its_loss_is_lower(before, after, kept, monkeypatch):
    losses = iter((before, after))
    monkeypatch.setattr(module, "_loss_of_parts", lambda *_: next(losses))
    net = network("learned-cs")
    assert (adapt(net, scan(), 1) is not net) == kept


# As an option of the methods.


@pytest.fixture
def small(monkeypatch):
    """Small networks in place of those that come with the package."""
    nets = {name: network(name) for name in NETWORKS}
    monkeypatch.setattr(learned, "_loaded", lambda method, weights, device: (nets[method], None))
    monkeypatch.setattr(learned, "_warn", lambda *_: None)
    return nets


@pytest.mark.parametrize("name", METHODS)
def test_every_slice_adapts_on_its_own(name, small, one_thread):
    acq = scan(n_slices=3, snr=20.0)
    torch.set_num_threads(2)  # then slices are side by side
    images = METHODS[name](adapt=2)(acq)
    torch.set_num_threads(1)
    assert images.shape == (3, 40, 45) and not images.requires_grad
    for i in range(3):
        one = adapt(small[name], acq.entry(i), 2)
        torch.testing.assert_close(images[i], one(acq.entry(i)), rtol=1e-3, atol=1e-4 * float(images[i].abs().max()))
        assert not torch.allclose(images[i], small[name](acq.entry(i)), rtol=1e-3)


def test_by_default_nothing_adapts_and_a_full_mask_changes_nothing(small):
    acq = scan()
    assert torch.equal(LearnedUnrolled()(acq), small["unrolled"](acq))
    full = replace(acq, mask=torch.ones_like(acq.mask))
    assert torch.equal(LearnedUnrolled(adapt=2)(full), LearnedUnrolled()(full))


def test_mirrored_the_network_adapts_once(small):
    acq = scan()
    one = adapt(small["unrolled"], acq, 2)
    wanted = sum(mirror(one(mirrored(acq, dims)), dims) for dims in MIRRORS) / 4
    torch.testing.assert_close(LearnedUnrolled(adapt=2, mirrored=True)(acq), wanted)


def test_steps_below_none():
    with pytest.raises(ArgumentError, match=r"^adapt is -1; wanted 0 or more steps$"):
        LearnedUNet(adapt=-1)


def test_networks_of_fastmri_give_no_phase_to_learn_from(monkeypatch):
    net = FastmriUNet(4, 1)
    monkeypatch.setattr(learned, "_loaded", lambda *_: (net, None))
    with pytest.raises(ArgumentError, match=r"^unet with fastMRI's weights gives magnitudes, .*; leave adapt out$"):
        LearnedUNet(adapt=1)(scan())


def test_masks_of_single_samples_are_refused():
    with pytest.raises(ArgumentError, match=r"the mask is of single samples, .* wanted whole columns"):
        LearnedUnrolled(adapt=1)(scan(mask=plane((40, 45))))
