"""What is special about each kind of mask."""

import numpy as np
import pytest
import torch

from kolumn.errors import ArgumentError
from kolumn.masks import MASKS, calibration, make_mask
from kolumn.masks.counts import centred
from kolumn.masks.gaussian import draw
from kolumn.masks.poisson import _throw


def columns(kind, kx, acceleration, center, seed):
    return make_mask(kind, (8, kx), acceleration, center, seed).samples[0]


def test_random_is_uniform_outside_the_centre():
    times = torch.stack([columns("random", 60, 3, 0.1, s) for s in range(400)]).float().mean(0)
    middle = centred(60, 6)
    assert (times[middle] == 1).all()
    rest = torch.cat([times[: middle.start], times[middle.stop :]])
    assert rest.mean().item() == pytest.approx(14 / 54, abs=1e-6)
    assert rest.min() > 0.15
    assert rest.max() < 0.37  # 0.26, standard deviation 0.022


@pytest.mark.parametrize("acceleration", [1, 2, 3, 4, 7])
def test_equispaced_spacing_and_offset(acceleration):
    first = set()
    for seed in range(40):
        lines = columns("equispaced", 217, acceleration, 0, seed).nonzero().flatten()
        assert (lines.diff() == acceleration).all()
        assert lines[-1] + acceleration >= 217
        first.add(int(lines[0]))
    assert first == set(range(acceleration))


def test_equispaced_with_a_fractional_spacing():
    gaps = columns("equispaced", 200, 2.5, 0, 1).nonzero().flatten().diff()
    assert set(gaps.tolist()) == {2, 3}
    assert gaps.float().mean().item() == pytest.approx(2.5, abs=0.02)


def test_equispaced_is_slower_than_asked():
    assert make_mask("equispaced", (8, 256), 4, 0.08).true_acceleration < 3.6


@pytest.mark.parametrize("kx", [128, 217])
@pytest.mark.parametrize("acceleration", [2.4, 3, 4, 6.5, 8])
@pytest.mark.parametrize("center", [0.0, 0.04, 0.05, 0.1])
def test_offset_lines_miss_each_others_mirror_images(kx, acceleration, center):
    sides = set()
    for seed in range(6):
        k = columns("offset", kx, acceleration, center, seed).nonzero().flatten() - kx // 2
        half = max(round(kx * center), 1) // 2
        positive, negative = k[k > half], -k[k < -half].flip(0)
        both = torch.cat([positive, negative]).sort().values
        assert (both.diff() > 0).all()  # nothing twice
        assert both.diff().max() - both.diff().min() <= 1  # and mirrored they are equispaced
        assert abs(len(positive) - len(negative)) <= 1
        sides.add(bool(positive[0] < negative[0]))
    assert sides == {True, False}


def test_offset_has_the_zero_frequency_without_a_centre():
    assert all(columns("offset", 64, 8, 0, s)[32] for s in range(5))


def test_gaussian_density():
    times = torch.stack([columns("gaussian", 120, 6, 0, s) for s in range(600)]).double().mean(0)
    near, far = times[60 - 3 : 60 + 4].mean(), times[[60 - 40, 60 + 40, 60 - 39, 60 + 39]].mean()
    # few enough draws that the chances are still close to the weights, exp(0) : exp(-2) at two sigma
    assert 3 < near / far < 8
    assert times[:60].sum().item() == pytest.approx(times[61:].sum().item(), rel=0.05)


def test_gaussian2d_density_is_elliptic():
    times = torch.stack([make_mask("gaussian2d", (30, 90), 8, 0, s).samples for s in range(200)]).double().mean(0)
    block = times[15 - 2 : 15 + 3, 45 - 6 : 45 + 7].mean()
    above, beside = times[3:8, 45 - 6 : 45 + 7].mean(), times[13:18, 45 - 36 : 45 - 21].mean()
    assert block > 3 * above
    assert above.item() == pytest.approx(beside.item(), rel=0.2)


def test_draw_follows_the_weights():
    log_weights = torch.tensor([0.0, 1.0, 2.0], dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    counts = torch.bincount(torch.cat([draw(log_weights, 1, generator) for _ in range(4000)]), minlength=3)
    assert torch.allclose(counts / 4000, torch.softmax(log_weights, 0).float(), atol=0.03)


def test_poisson_discs_neither_overlap_nor_leave_room():
    ky, kx = 23, 31
    radius = 1.2 + 0.12 * np.abs(np.arange(ky * kx) % kx - 15)
    order = np.random.default_rng(3).permutation(ky * kx)[:600]  # the others are taken already
    chosen = _throw(order, radius, kx)
    places = np.stack(np.divmod(order, kx), 1)
    distance = np.linalg.norm(places[:, None] - places, axis=2)
    taken = np.isin(order, chosen)
    r = radius[order]
    earlier = taken & (np.arange(600) < np.arange(600)[:, None])
    covered = (earlier & (distance < r)).any(1)
    assert 60 < len(chosen) < 300
    assert (covered == ~taken).all()


@pytest.mark.parametrize("shape", [(128, 128), (96, 145)])
def test_poisson_distance_grows_towards_the_edge(shape):
    size = torch.tensor(shape)
    places = make_mask("poisson", shape, 8, 0.08, 3).samples.nonzero()
    d = ((places - size // 2) / (size / 2)).norm(dim=1)
    distance = torch.cdist(places.double(), places.double()).fill_diagonal_(torch.inf)
    r = 1 + 2.5 * d
    s = (distance / torch.minimum(r[:, None], r)).min(1).values
    assert s[d > 0.5].min() > 0.7 * s[d > 0.5].median()  # by chance alone it is below 0.4
    assert 0.9 < s[d > 1].mean() / s[(d > 0.35) & (d < 0.55)].mean() < 1.1


def test_poisson_is_random():
    one, two = (make_mask("poisson", (64, 64), 6, 0.0, seed).samples for seed in (0, 1))
    far = (torch.cartesian_prod(torch.arange(64), torch.arange(64)) - 32).double().norm(dim=1).view(64, 64) > 20
    assert (one & two & far).sum() < 0.3 * (one & far).sum()


def test_poisson_leaves_no_hole():
    samples = make_mask("poisson", (128, 128), 8, 0.08, 3).samples
    k = samples.nonzero().double()
    everywhere = torch.cartesian_prod(torch.arange(128), torch.arange(128)).double()
    assert torch.cdist(everywhere, k).min(1).values.max() < 6  # radius 4 in the corners, and 1 % dropped


@pytest.mark.parametrize(("kx", "acceleration", "n"), [(128, 1.5, 85), (217, 1.25, 174), (64, 1.0, 64), (65, 1.9, 34)])
def test_partial_is_one_run_past_the_centre(kx, acceleration, n):
    samples = columns("partial", kx, acceleration, 0, 0)
    assert samples[:n].all()
    assert not samples[n:].any()
    assert samples[kx // 2]


@pytest.mark.parametrize(
    ("acceleration", "center", "message"),
    [(2.0, 0.0, "1 to below 2"), (4.0, 0.08, "1 to below 2"), (1.9, 0.2, "reaches to 77")],
)
def test_partial_refuses(acceleration, center, message):
    with pytest.raises(ArgumentError, match=message):
        make_mask("partial", (8, 128), acceleration, center)


def test_full_is_everything():
    assert make_mask("full", (8, 31)).samples.all()


def test_the_block_of_plane_masks_is_a_fraction_of_each_side():
    rows, cols = calibration(make_mask("gaussian2d", (100, 50), 20, 0.2, 0).samples)
    assert rows.start + 3 >= 40
    assert rows.stop >= 60
    assert cols.start <= 20
    assert cols.stop >= 30
    assert (rows.stop - rows.start) * (cols.stop - cols.start) < 300


@pytest.mark.parametrize(("kind", "meant"), [("rndom", "random"), ("POISSON", "poisson"), ("fastmri-magik", "magic")])
def test_unknown_kind(kind, meant):
    with pytest.raises(ArgumentError, match=rf"unknown mask '{kind}'; did you mean '[a-z-]*{meant}'\?") as error:
        make_mask(kind, (8, 64))
    assert all(name in str(error.value) for name in MASKS)


def test_unknown_kind_like_nothing():
    with pytest.raises(ArgumentError, match="unknown mask 'zzz'; wanted one of random"):
        make_mask("zzz", (8, 64))


def test_budget_message_has_the_numbers():
    with pytest.raises(ArgumentError, match=r"center 0\.5 is 128 columns, but acceleration 4 acquires only 64 of"):
        make_mask("random", (8, 256), 4, 0.5)
    with pytest.raises(ArgumentError, match="block of 24 x 20 samples, but acceleration 8 acquires only 240 of"):
        make_mask("gaussian2d", (48, 40), 8, 0.5)
