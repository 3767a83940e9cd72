"""The procedural images: their statistics, and that each draw is its own."""

from __future__ import annotations

import math

import pytest
import torch

from kolumn.nn.phase import smooth_phase
from kolumn.train.draw import log_uniform, pick, seeded, uniform, whole
from kolumn.train.images import FAMILIES, HELD_OUT
from kolumn.train.images.body import outline
from kolumn.train.images.field import paint, random_field, signed_distance
from kolumn.train.images.leaves import power_law
from kolumn.train.images.tissue import TISSUES, contrast, signal
from kolumn.train.phase import random_phase, ripples
from kolumn.train.simulated import draw_image

SHAPE = (57, 84)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_numbers_follow_from_seed_and_index_alone():
    first = [torch.rand(3, generator=seeded(5, i)) for i in range(4)]
    again = [torch.rand(3, generator=seeded(5, i)) for i in reversed(range(4))][::-1]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    others = [torch.rand(3, generator=g) for g in (seeded(6, 0), seeded(5, 0, 0), seeded(5), seeded(0, 5))]
    numbers = {tuple(x.tolist()) for x in first + others}
    assert len(numbers) == 8


def test_draws_keep_to_their_limits_and_fill_them():
    g = generator()
    u = torch.tensor([uniform(g, -2, 3) for _ in range(2000)])
    assert u.min() >= -2 and u.max() < 3 and abs(float(u.mean()) - 0.5) < 0.15
    v = torch.tensor([log_uniform(g, 4, 400) for _ in range(2000)])
    assert v.min() >= 4 and v.max() < 400
    assert abs(float((v < 40).float().mean()) - 0.5) < 0.05  # the middle of the octaves
    assert {whole(g, 2, 4) for _ in range(100)} == {2, 3, 4}
    assert {pick(g, "abc", [1, 0, 3]) for _ in range(100)} == {"a", "c"}


@pytest.mark.parametrize("family", {**FAMILIES, **HELD_OUT}.values(), ids={**FAMILIES, **HELD_OUT})
def test_images_of_a_family(family):
    images = [family(SHAPE, generator(seed)) for seed in range(6)]
    for image in images:
        assert image.shape == SHAPE and image.dtype == torch.float32
        assert torch.isfinite(image).all() and image.min() >= 0 and 0.2 < image.max() < 2
        assert image.std() > 0.01
    again = family(SHAPE, generator(3))
    assert torch.equal(again, images[3])
    assert len({float(image.sum()) for image in images}) == 6


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_most_bodies_lie_in_air(family):
    air = [float((family(SHAPE, generator(seed)) == 0).float().mean()) for seed in range(30)]
    assert sum(a > 0.1 for a in air) >= 12


def test_held_out_families_are_not_trained_on():
    assert not set(FAMILIES) & set(HELD_OUT)
    assert not set(FAMILIES.values()) & set(HELD_OUT.values())


@pytest.mark.parametrize("wavelength", [5.0, 20.0])
def test_field_has_its_wavelength(wavelength):
    f = random_field((150, 101), generator(), wavelength)
    assert abs(float(f.mean())) < 1e-5 and abs(float(f.square().mean()) - 1) < 1e-5
    power = torch.fft.fft2(f).abs().square()
    k = (torch.fft.fftfreq(150)[:, None].square() + torch.fft.fftfreq(101).square()).sqrt()
    middle = float((power * k).sum() / power.sum())
    assert 0.8 < middle * wavelength < 1.4


def test_field_has_its_band():
    """The power is H^2 = exp(-(log(k lambda) / s)^2): in log k, and per area, a Gaussian of deviation s / sqrt(2)."""
    power = sum(torch.fft.fft2(random_field((128, 160), generator(i), 12.0, 0.3)).abs().square() for i in range(6))
    k = (torch.fft.fftfreq(128)[:, None].square() + torch.fft.fftfreq(160).square()).sqrt()
    log, weight = (12 * k.clamp_min(1e-6)).log(), power / k.clamp_min(1e-6).square()  # area grows as k^2 per log k
    weight[0, 0] = 0
    mean = (weight * log).sum() / weight.sum()
    deviation = ((weight * (log - mean).square()).sum() / weight.sum()).sqrt()
    assert abs(float(mean)) < 0.08 and abs(float(deviation) / (0.3 / 2**0.5) - 1) < 0.15


def test_a_wavelength_beyond_the_image_still_gives_a_field():
    f = random_field((20, 33), generator(), 1e6)
    assert torch.isfinite(f).all() and abs(float(f.square().mean()) - 1) < 1e-5


def test_signed_distance_of_a_slope_and_of_a_disc():
    x = torch.arange(40.0).expand(30, 40)
    torch.testing.assert_close(signed_distance(3 * x, 60.0), (x - 20) / 1.1)
    y = torch.arange(30.0)[:, None]
    disc = signed_distance(100 - (x - 20) ** 2 - (y - 15) ** 2)
    edge = disc[15, 26:35]  # crosses 0 at x = 30
    torch.testing.assert_close(edge[4], torch.tensor(0.0))
    assert ((edge[3] - edge[5]) / 2 - 1).abs() < 0.2


def test_paint_covers_half_of_a_pixel_on_the_edge():
    distance = torch.tensor([-2.0, -0.5, -0.25, 0.0, 0.5, 3.0])
    painted = paint(torch.full((6,), 2.0), distance, 4.0)
    torch.testing.assert_close(painted, torch.tensor([2.0, 2.0, 2.5, 3.0, 4.0, 4.0]))
    torch.testing.assert_close(paint(torch.zeros(6), distance, 1.0, 4.0)[:2], torch.tensor([0.0, 0.375]))


def test_outline_is_a_body_of_the_size_asked_for():
    for seed in range(20):
        d = outline((61, 90), generator(seed), 0.5, 0.6)
        inside = (d > 0).float()
        assert 0.5 < float(inside.sum()) / (math.pi / 4 * 61 * 90 * 0.3) < 1.4
        assert not (d[[0, 0, -1, -1], [0, -1, 0, -1]] > 0).any()


def test_radii_have_the_density_asked_for():
    u = (torch.arange(20000, dtype=torch.float64) + 0.5) / 20000
    r = power_law(u, 2.0, 30.0, 2.5)
    assert 2 <= r.min() < 2.01 and 29 < r.max() <= 30
    for t in (3.0, 8.0, 20.0):
        below = (2**-1.5 - t**-1.5) / (2**-1.5 - 30**-1.5)  # the integral of r^-2.5
        assert abs(float((r < t).double().mean()) - below) < 1e-3


def test_signal_of_a_spin_echo():
    assert signal(0.7, 800, 80, 1e9, 0) == pytest.approx(0.7)
    assert signal(1, 800, 80, 800, 80) == pytest.approx((1 - 1 / math.e) / math.e)
    assert signal(1, 800, 80, 1e9, 0, ti=800 * math.log(2)) == pytest.approx(0, abs=1e-12)
    assert signal(1, 800, 80, 800, 80, ti=400) == pytest.approx(abs(1 - 2 * math.exp(-0.5) + 1 / math.e) / math.e)


def test_contrasts_differ_and_reach_1():
    several = [contrast(generator(seed)) for seed in range(30)]
    assert all(max(c.values()) == 1 and min(c.values()) >= 0 and set(c) == set(TISSUES) for c in several)
    assert any(c["fluid"] > 2 * c["white"] for c in several)  # T2
    assert any(c["fluid"] < 0.5 * c["white"] for c in several)  # T1


def test_an_image_drawn_finer_keeps_its_brightness_and_every_orientation_appears():
    ramp = []

    def family(shape, g):
        ramp.append(shape)
        y, x = (torch.linspace(0, 1, n) for n in shape)
        image = torch.zeros(shape)
        image[shape[0] // 4 : 3 * shape[0] // 4, shape[1] // 4 : 3 * shape[1] // 4] = 1
        return image * (1 + y[:, None] + 3 * x)

    looks = set()
    for seed in range(60):
        image = draw_image(family, (36, 48), generator(seed))
        assert image.shape == (36, 48)
        assert abs(float(image.mean()) / (0.25 * 3) - 1) < 0.12
        down = float((image[24:] - image[:12]).mean())
        right = float((image[:, 32:] - image[:, :16]).mean())
        looks.add((down > 0, right > 0, abs(right) > abs(down)))
    assert len(looks) == 8
    assert any(shape[0] > 48 for shape in ramp) and (36, 48) in ramp and (48, 36) in ramp


def test_phase_has_unit_modulus_and_is_mostly_smooth():
    jumps = []
    for seed in range(60):
        p = random_phase((40, 52), generator(seed))
        torch.testing.assert_close(p.abs(), torch.ones(40, 52))
        jumps.append(float((p[1:] * p[:-1].conj()).angle().abs().max()))
    assert sum(j < 0.6 for j in jumps) > 35  # smooth
    assert sum(j > 0.8 for j in jumps) >= 3  # with steps
    assert len({round(float(random_phase((40, 52), generator(s))[20, 20].angle()), 3) for s in range(9)}) == 9


def test_ripples_are_finer_than_calibration_lines_follow():
    left = []
    for seed in range(40):
        p = ripples((96, 120), generator(seed))
        torch.testing.assert_close(p.abs(), torch.ones(96, 120))
        rest = p * smooth_phase(p, torch.ones(1, 96, 120, dtype=torch.bool)).conj()
        left.append(float(rest.angle().square().mean().sqrt()))
    assert sum(r > 0.02 for r in left) >= 25 and sum(r > 0.2 for r in left) >= 4
    assert max(left) < 0.55


def test_some_phases_are_constant_and_some_echoes_off_the_centre():
    constant = moved = 0
    for seed in range(200):
        p = random_phase((40, 52), generator(seed))
        down, right = (p[1:] * p[:-1].conj()).mean(), (p[:, 1:] * p[:, :-1].conj()).mean()
        moved += max(abs(float(down.angle())) * 40, abs(float(right.angle())) * 52) / (2 * math.pi) > 1.2  # samples
        constant += bool((p - p[0, 0]).abs().max() < 1e-5)
    assert 10 <= constant <= 30 and 15 <= moved <= 60


def test_some_sequences_suppress_fat_and_some_null_what_is_white():
    several = [contrast(generator(seed)) for seed in range(300)]
    assert 15 <= sum(c["fat"] < 0.1 for c in several) <= 60
    assert 3 <= sum(c["white"] < 0.05 for c in several) <= 30
