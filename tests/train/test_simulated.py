"""Simulated scans: what they are, that the target is what was measured, and that each is always the same."""

from __future__ import annotations

import multiprocessing
import threading
from collections import Counter
from dataclasses import replace

import pytest
import torch
from tiny import BRIGHTNESS, draw

import kolumn.train.masks as train_masks
from kolumn.acquisition import Acquisition
from kolumn.coils import root_sum_of_squares
from kolumn.errors import ArgumentError, FormatError
from kolumn.fourier import fft2, ifft2
from kolumn.masks import MASKS, acceleration, calibration_width
from kolumn.operators import encoding
from kolumn.recon.unrolled import LearnedUnrolled
from kolumn.train.coils import random_coils
from kolumn.train.loader import Mixed, batches
from kolumn.train.masks import RandomMasks
from kolumn.train.sample import clean_target, stack
from kolumn.train.simulated import Simulated

SMALL = Simulated(seed=3, sizes=(48, 61), batch_size=2)


def equal(a, b):
    pairs = [
        (getattr(a.acquisition, name), getattr(b.acquisition, name)) for name in ("kspace", "mask", "maps", "noise")
    ]
    return all((x is None and y is None) or torch.equal(x, y) for x, y in [*pairs, (a.target, b.target)])


# --- coils


@pytest.mark.parametrize("shape", [(48, 61), (90, 33)])
def test_coils(shape):
    g = torch.Generator().manual_seed(0)
    assert torch.equal(random_coils(1, shape, g), torch.ones(1, *shape, dtype=torch.complex64))
    for n in (2, 5, 16):
        s = random_coils(n, shape, g)
        assert s.shape == (n, *shape) and torch.isfinite(torch.view_as_real(s)).all()
        energy = s.abs().square().sum(0)
        assert abs(float(energy.mean()) - 1) < 1e-4 and energy.min() > 1e-4
        # smooth: next to nothing beyond the middle of k-space, but for what wraps around
        window = torch.hann_window(shape[0])[:, None] * torch.hann_window(shape[1])
        k = fft2(s * window).abs().square()
        y, x = (n // 2 for n in shape)
        assert k[:, y - 9 : y + 10, x - 9 : x + 10].sum() > 0.995 * k.sum()


@pytest.mark.parametrize("shape", [(33, 90), (90, 33)])
def test_loops_lie_around_the_image(shape):
    """Each is brightest next to itself: on the rim. Its phase changes on the way, and the first may lie anywhere."""
    depth, winding, first = [], 0, set()
    for seed in range(12):
        for i, s in enumerate(random_coils(6, shape, torch.Generator().manual_seed(seed))):
            y, x = divmod(int(s.abs().argmax()), shape[1])
            depth.append(min(y, shape[0] - 1 - y, x, shape[1] - 1 - x))
            seen = s[s.abs() > 0.2 * s.abs().max()]
            winding += bool((seen * s[y, x].conj()).angle().abs().max() > 0.5)
            first |= {(y > shape[0] // 2, x > shape[1] // 2)} if i == 0 else set()
    assert sum(d > 2 for d in depth) <= 5 and max(depth) < 9
    assert winding > 36 and len(first) == 4


def test_now_and_then_up_to_half_of_the_coils_are_weak_or_dead():
    g = torch.Generator().manual_seed(1)
    gains = [random_coils(6, (24, 24), g).abs().square().mean((-2, -1)).sqrt() for _ in range(200)]
    share = torch.stack([gain / gain.max() for gain in gains])
    weak = (share < 0.1).sum(-1)
    assert weak.max() == 3  # of six
    assert 12 <= int((weak > 0).sum()) <= 40
    assert 4 <= int((share.amin(-1) < 0.025).sum()) <= 18
    two = [random_coils(2, (24, 24), g).abs().square().mean((-2, -1)).sqrt() for _ in range(60)]
    assert min(float(gain.min() / gain.max()) for gain in two) > 0.15


# --- masks


@pytest.mark.parametrize("shape", [(128, 128), (97, 131), (192, 144)])
def test_masks_of_every_kind_within_their_ranges(shape, monkeypatch):
    kinds = Counter()

    def spied(kind):
        def make(*arguments):
            kinds[kind] += 1
            return MASKS[kind](*arguments)

        return make

    monkeypatch.setattr(train_masks, "MASKS", {kind: spied(kind) for kind in MASKS})
    masks, g = RandomMasks(), torch.Generator().manual_seed(0)
    for i in range(320):
        plane = i % 8 == 0
        before = kinds["partial"] + kinds["full"]
        mask = masks(shape, plane, g)
        assert mask.dtype == torch.bool and mask.shape == ((shape[0], shape[1]) if plane else (1, shape[1]))
        assert calibration_width(mask) >= 3
        if kinds["partial"] + kinds["full"] == before:
            assert 1.2 < acceleration(mask, mask.shape) < 10.5
    assert set(kinds) == set(MASKS) and min(kinds.values()) >= 5


def test_accelerations_and_centres_fill_their_ranges():
    g = torch.Generator().manual_seed(0)
    masks = replace(RandomMasks(), kinds={"random": 1.0})
    assert calibration_width(masks((16, 16), False, g)) >= 3  # as many as that there must be in the smallest image
    drawn = [masks((160, 160), False, g) for _ in range(300)]
    R = torch.tensor([acceleration(m, m.shape) for m in drawn])
    widths = torch.tensor([calibration_width(m) / 160 for m in drawn])
    assert R.min() < 2.2 and R.max() > 9 and abs(float((R < 20**0.5).float().mean()) - 0.5) < 0.1
    assert widths.min() < 0.03 and widths.max() > 0.15


def test_what_is_asked_of_a_mask(monkeypatch):
    """Accelerations, and centres of at most 70 % of what is acquired; of partial Fourier, of what is beyond half."""
    asked = []
    ask = {kind: lambda shape, *more, kind=kind: asked.append((kind, *more[:2])) for kind in MASKS}
    monkeypatch.setattr(train_masks, "MASKS", ask)
    masks, g = RandomMasks(), torch.Generator().manual_seed(0)
    for i in range(3000):
        masks((128, 180), i % 4 == 0, g)
    for partial, low, high in ((False, 2.0, 10.0), (True, 1.2, 1.8)):
        R, centre = torch.tensor([words for kind, *words in asked if (kind == "partial") == partial]).double().T
        assert low <= R.min() < 1.02 * low and 0.98 * high < R.max() <= high
        most = (1.6 * (1 / R - 0.5) if partial else 0.7 / R).clamp(0.02, 0.16)
        share = (centre - 0.02) / (most - 0.02)
        assert centre.min() >= 0.02 and -1e-5 <= share.min() < 0.02 and 0.98 < share.max() <= 1 + 1e-5
        assert abs(float(share.mean()) - 0.5) < 0.05


# --- samples


def test_the_target_is_an_image_of_the_data():
    """With true maps and known noise, y - A t is white noise of variance 1."""
    source = replace(SMALL, estimated=0.0, known=1.0, coils={1: 1, 4: 1, 7: 1})
    counts = set()
    for i in range(12):
        sample = source[i]
        a = sample.acquisition
        n = a.n_coils
        counts.add(n)
        assert torch.equal(a.noise, torch.eye(n, dtype=a.noise.dtype))
        torch.testing.assert_close(root_sum_of_squares(a.maps), torch.ones(2, *a.kspace.shape[-2:]))
        noise = a.kspace - encoding(a).forward(sample.target[None])
        for k, mask in zip(noise, a.mask.expand(2, n, *a.kspace.shape[-2:]), strict=True):
            samples = k[:, mask[0]]
            assert (k[~mask] == 0).all()
            m = samples.shape[1]
            C = samples @ samples.mH / m
            assert (C - torch.eye(n)).abs().max() < 5 / m**0.5
    assert counts == {1, 4, 7}


def test_unknown_noise_is_there_all_the_same():
    source = replace(
        SMALL,
        estimated=0.0,
        known=0.0,
        snr=(20.0, 20.0),
        coils={5: 1},
        masks=RandomMasks(kinds={"full": 1.0}, planes=0),
    )
    off = []
    for i in range(6):
        sample = source[i]
        a = sample.acquisition
        assert a.noise is None
        noise = (a.kspace - encoding(a).forward(sample.target[None])).movedim(1, 0).flatten(1)
        C = noise @ noise.mH / noise.shape[1]
        d = C.diagonal().real.sqrt()
        off.append(float((C / (d[:, None] * d)).abs().fill_diagonal_(0).max()))
        image = sample.target[0].abs()
        body = image > 0.05 * image.max()
        first = (a.kspace - encoding(a).forward(sample.target[None]))[0]
        sigma = ((a.maps[0].conj() * ifft2(first)).sum(0)[body].abs().square().mean() / 2).sqrt()
        assert 0.7 < float(image[body].mean() / sigma) / 20 < 1.4
    assert max(off) > 0.2  # correlated


def test_noise_covers_two_decades():
    source = replace(SMALL, known=1.0, batch_size=1)
    level = torch.tensor([float(source[i].target.abs().max()) for i in range(60)])  # in units of the noise
    assert level.max() / level.min() > 50


def test_estimated_maps_change_the_phase_of_the_target_alone():
    true, found = (replace(SMALL, estimated=e, coils={4: 1}) for e in (0.0, 1.0))
    for i in range(3):
        a, b = true[i], found[i]
        assert torch.equal(a.acquisition.kspace, b.acquisition.kspace)
        assert not torch.allclose(a.acquisition.maps, b.acquisition.maps)
        torch.testing.assert_close(a.target.abs(), b.target.abs(), rtol=1e-3, atol=1e-4 * float(a.target.abs().max()))


def test_half_of_the_maps_are_estimated():
    whole = replace(SMALL, batch_size=1, coils={3: 1})
    true = replace(whole, estimated=0.0)
    same = [torch.equal(whole[i].acquisition.maps, true[i].acquisition.maps) for i in range(40)]
    assert 10 <= sum(same) <= 30


def test_clean_target():
    z, s = draw(3, 4, 9, 8), draw(3, 4, 9, 8, seed=1)
    t = clean_target(z, s)
    torch.testing.assert_close(t.abs(), z.abs().square().sum(1).sqrt())
    combined = (s.conj() * z).sum(1)
    torch.testing.assert_close(t / t.abs(), combined / combined.abs())
    # with the true maps of unit norm it is the image
    x, unit = (
        draw(3, 9, 8, seed=2) * torch.tensor(BRIGHTNESS)[:, None, None],
        s / s.abs().square().sum(1, keepdim=True).sqrt(),
    )
    torch.testing.assert_close(clean_target(unit * x[:, None], unit), x)


def test_maps_are_those_of_the_trained_methods():
    method = LearnedUnrolled()
    for i in range(6):
        entry = replace(SMALL, batch_size=1, coils={4: 1, 1: 1}, estimated=1.0)[i].acquisition.entry(0)
        assert torch.equal(entry.maps, method._estimate(replace(entry, maps=None)))


def test_coil_counts_and_families_all_appear():
    seen = Counter()

    def family(name):
        def make(shape, generator):
            seen[name] += 1
            return torch.rand(shape, generator=generator)

        return make

    source = Simulated(families={"a": family("a"), "b": family("b")}, weights={"b": 3.0}, sizes=(24, 31), estimated=0.0)
    samples = [source[i].acquisition for i in range(240)]
    coils = Counter(a.n_coils for a in samples)
    assert set(coils) == set(source.coils) and max(coils) == 16 and min(coils) == 1
    assert {tuple(a.kspace.shape[-2:]) for a in samples} == {(24, 24), (24, 31), (31, 24), (31, 31)}
    assert 1.8 < seen["b"] / seen["a"] < 6
    assert 60 < sum(a.noise is not None for a in samples) < 140
    assert 15 < sum(a.mask.shape[-2] > 1 for a in samples) < 65


def test_images_are_brightest_near_the_loops_and_have_a_phase():
    plain = {"plain": lambda shape, generator: torch.ones(shape)}
    source = Simulated(families=plain, sizes=(32,), coils={8: 1}, estimated=0.0, known=0.0)
    brighter, phases, winding = 0, set(), 0
    for i in range(12):
        target = source[i].target[0]
        magnitude, phase = target.abs(), (target / target[16, 16]).angle().abs().max()
        phases.add(round(float(target[16, 16].angle()), 3))
        winding += bool(phase > 0.3)
        middle = magnitude[12:20, 12:20].mean()
        rim = torch.cat([magnitude[0], magnitude[-1], magnitude[:, 0], magnitude[:, -1]]).mean()
        assert rim > 0.9 * middle
        brighter += int(rim > 1.1 * middle)
    assert brighter >= 6
    assert len(phases) == 12 and winding >= 6


@pytest.mark.parametrize("kind", ["fat", "ripples"])
def test_half_of_the_targets_are_turned_and_all_else_is_left_as_it_is(kind):
    plain = replace(SMALL, sizes=(48,), batch_size=1, estimated=0.0, known=0.0, fat=0.0, ripples=0.0)
    some = 0
    for i in range(40):
        a, b, c = (replace(plain, **{kind: often})[i] for often in (0.0, 1.0, getattr(SMALL, kind)))
        assert all(torch.equal(getattr(a.acquisition, name), getattr(b.acquisition, name)) for name in ("mask", "maps"))
        top = float(a.target.abs().max())
        if kind == "ripples":
            torch.testing.assert_close(a.target.abs(), b.target.abs(), rtol=1e-3, atol=1e-4 * top)
        assert not torch.equal(a.target, b.target)
        some += not torch.equal(a.target, c.target)
    assert 12 <= some <= 28


# --- determinism


def test_a_batch_is_always_the_same_and_no_two_are():
    first = [SMALL[i] for i in range(3)]
    again = {i: replace(SMALL)[i] for i in (2, 0, 1)}
    assert all(equal(first[i], again[i]) for i in range(3))
    assert not equal(first[0], replace(SMALL, seed=4)[0])
    one_plan = replace(SMALL, sizes=(24,), coils={1: 1.0}, known=0.0, masks=RandomMasks(planes=0.0))
    assert not torch.equal(one_plan[0].target, replace(one_plan, seed=4)[0].target)
    assert first[0].target.shape != first[1].target.shape or not torch.equal(first[0].target, first[1].target)


def test_a_sample_does_not_depend_on_the_size_of_its_batch():
    three = replace(SMALL, batch_size=3)[1]
    two = SMALL[1]
    for j in range(2):
        assert torch.equal(three.target[j], two.target[j])
        assert torch.equal(three.acquisition.kspace[j], two.acquisition.kspace[j])
        assert torch.equal(three.acquisition.maps[j], two.acquisition.maps[j])
    assert not torch.equal(two.target[0], two.target[1])


@pytest.mark.parametrize("workers", [1, 2])
def test_any_number_of_workers_gives_the_same_batches(workers, one_thread):
    stream = batches(SMALL, workers, first=5, step=2)
    for i in (5, 7, 9):
        assert equal(next(stream), SMALL[i])


class Sharing:
    """Batches of a worker that, until its very end, puts tensors into shared memory, as it does to hand them over."""

    def __getitem__(self, i):
        if threading.active_count() < 4:
            threading.Thread(target=self.share, daemon=True).start()
        return torch.tensor(i)

    def share(self):
        while True:
            torch.ones(3).share_memory_()


def test_workers_end_in_peace(one_thread):
    others = multiprocessing.active_children()
    stream = batches(Sharing(), 1)
    assert [int(next(stream)) for _ in range(5)] == list(range(5))
    (worker,) = {*multiprocessing.active_children()} - {*others}
    del stream
    assert worker.exitcode == 0


class Broken:
    """Batches of which one cannot be made."""

    def __getitem__(self, i):
        if i == 2:
            raise FormatError("scan.h5 is damaged")
        return torch.tensor(i)


@pytest.mark.parametrize("workers", [0, 1])
def test_what_goes_wrong_in_a_worker_is_said_as_it_was_there(workers, one_thread):
    stream = batches(Broken(), workers)
    assert [int(next(stream)) for _ in range(2)] == [0, 1]
    with pytest.raises(FormatError) as error:
        next(stream)
    assert str(error.value) == "scan.h5 is damaged"


def test_the_first_images_are_small_and_all_others_as_they_were():
    growing = replace(SMALL, small=5)  # of batches of two, so that three batches are small
    for i in range(5):
        (small, large), coils = (source[i].target.shape for source in (growing, SMALL)), SMALL[i].acquisition.kspace
        assert small == (2, *(n // (2 if i < 3 else 1) for n in large[1:]))
        assert growing[i].acquisition.kspace.shape[:2] == coils.shape[:2]
    assert equal(growing[3], SMALL[3])


def test_negative_numbers_are_refused():
    with pytest.raises(ArgumentError, match="workers is -1"):
        batches(SMALL, -1)
    with pytest.raises(ArgumentError, match="batch_size is 0"):
        Simulated(batch_size=0)


def test_mixed_sources_by_chance():
    mixed = Mixed(([f"a{i}" for i in range(300)], [f"b{i}" for i in range(300)]), (0.7, 0.3), seed=2)
    drawn = [mixed[i] for i in range(300)]
    assert [word[1:] for word in drawn] == [str(i) for i in range(300)]
    assert 60 < sum(word.startswith("b") for word in drawn) < 120
    assert drawn == [mixed[i] for i in range(300)]


def test_the_choice_of_a_source_says_nothing_about_what_it_gives():
    seen = Counter()

    def family(name):
        def make(shape, generator):
            seen[name] += 1
            return torch.ones(shape)

        return make

    families = {name: family(name) for name in "ab"}
    simulated = Simulated(7, families=families, sizes=(16,), coils={1: 1}, estimated=0.0)
    mixed = Mixed((simulated, [None] * 200), (0.6, 0.4), seed=7)
    for i in range(200):
        assert mixed[i] is None or mixed[i].target.shape == (1, 16, 16)
    assert 0.65 < seen["a"] / seen["b"] < 1.5


def test_stack_keeps_each_entrys_mask_and_maps():
    samples = [replace(SMALL, batch_size=1, sizes=(48,), coils={2: 1}, known=0)[i] for i in range(3)]
    entries = [replace(s, acquisition=s.acquisition.entry(0), target=s.target[0]) for s in samples]
    batch = stack(entries)
    assert isinstance(batch.acquisition, Acquisition)
    for i, entry in enumerate(entries):
        one = batch.acquisition.entry(i)
        assert torch.equal(one.kspace, entry.acquisition.kspace)
        assert torch.equal(one.mask.expand(1, 48, 48), entry.acquisition.mask.expand(1, 48, 48))
        assert torch.equal(one.maps, entry.acquisition.maps)
        assert torch.equal(batch.target[i], entry.target)
