"""What compressed sensing is made of, each part against its equation: lambda by itself, the clock, averages, shifts."""

import functools
import itertools
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.errors import ArgumentError
from kolumn.masks import make_mask
from kolumn.masks.measure import calibration
from kolumn.operators import Wavelet, encoding
from kolumn.phantoms import ARRAYS, anatomy, simulate, smooth_phase
from kolumn.prox import nuclear_norm, prox_low_rank, prox_wavelet, wavelet_norm
from kolumn.recon import clock as clock_module
from kolumn.recon import compressed as compressed_module
from kolumn.recon import make_method
from kolumn.recon.choose import _lowest as lowest
from kolumn.recon.choose import choose_lam
from kolumn.recon.clock import Clock
from kolumn.recon.holdout import hide
from kolumn.recon.llr import NuclearNorm
from kolumn.recon.solution import SEARCHING
from kolumn.recon.task import Task
from kolumn.recon.tgv import TGV
from kolumn.recon.tv import TV
from kolumn.recon.wavelet import WaveletL1, random_shift

SHAPE = (33, 40)


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def scan(n_coils=3, snr=15.0):
    generator = torch.Generator().manual_seed(1)
    image = anatomy(SHAPE, generator) * smooth_phase(SHAPE, generator)
    maps = ARRAYS["birdcage"](n_coils, SHAPE) if n_coils > 1 else torch.ones(1, *SHAPE, dtype=torch.complex64)
    maps = maps / torch.linalg.vector_norm(maps, dim=0)
    full = simulate(image, maps, snr=snr, generator=generator)
    return acquire(300 * full.kspace, make_mask("random", SHAPE, 2.5, 0.15, 0).samples, maps)


def errors(acq, method, seed):
    """Log lambda, in units of A^H y, and E from its definition, down to where that has risen; the image there."""
    hidden = hide(acq, seed)
    kept = acq.mask & ~hidden
    task, fit = (Task(replace(acq, kspace=acq.kspace * m, mask=m), method.penalty) for m in (acq.mask, kept))
    A = encoding(replace(acq, mask=torch.ones_like(acq.mask)))
    unseen = float((~kept).sum() / hidden.sum())
    one = acq.kspace.shape[0] == 1  # which is tried for less long, and drawn to what is usual
    state, found = fit.begin(), []
    for i in range(7):
        lam = 0.03 * 10 ** (-0.4 * i)
        way = fit.iterates(lam * task.scale / fit.scale, state)
        state = next(itertools.islice(way, (fit.penalty.trial * 2 // 3 if one else fit.penalty.trial) - 1, None))
        r = (A.forward(fit.image(state.u)[None]) - acq.kspace).abs().square()
        e = float((r * kept).sum() + unseen * (r * hidden).sum())
        found.append((math.log(lam), e * math.exp(0.05 * math.log10(lam / 0.002) ** 2) if one else e))
        if found[-1][1] > 1.3 * min(e for _, e in found):
            break
    return found, fit.image(state.u)


@pytest.mark.parametrize(
    ("name", "n_coils", "snr", "tried"),
    [("tv", 3, 15.0, (1, 4)), ("tgv", 3, 4.0, (0, 3)), ("tv", 1, 15.0, (3, 7)), ("wavelet", 3, 15.0, (0, 4))],
)
def test_lambda_is_the_one_that_predicts_best(name, n_coils, snr, tried):
    acq = replace(scan(n_coils, snr), noise=None)
    method = make_method(name, **({"spin": False} if name == "wavelet" else {}))
    task = Task(acq, method.penalty)
    lam, state, _ = choose_lam(acq, task, method.penalty, 3, Clock())
    found, image = errors(acq, method, 3)
    torch.testing.assert_close(task.image(state.u), image, rtol=1e-3, atol=1e-3 * float(image.abs().max()))
    logs, e = zip(*found, strict=True)
    best = int(np.argmin(e))
    want = logs[best]
    if 0 < best < len(e) - 1:
        a, b, _ = np.polyfit(logs[best - 1 : best + 2], e[best - 1 : best + 2], 2)
        want = -b / (2 * a)
    assert lam == pytest.approx(math.exp(want), rel=2e-3)
    assert (best, len(e)) == tried


@pytest.mark.parametrize(
    ("errors", "want"),
    [
        ([3, 5, 9], 0),
        ([9, 5, 3], 2),
        ([5, 1, 5], 1),
        ([5, 1, 3], 1 + 1 / 6),
        ([9, 3, 3, 9], 1.5),
        ([2, 2, 2], 0),
        ([7], 0),
    ],
)
def test_the_lowest_point_of_a_parabola(errors, want):
    assert lowest([(-0.4 * i, float(e)) for i, e in enumerate(errors)]) == pytest.approx(-0.4 * want)


def test_lambda_is_no_less_than_a_part_of_the_noise():
    acq = replace(scan(), noise=1e8 * torch.eye(3, dtype=torch.complex64))
    method = make_method("tv")
    task = Task(acq, method.penalty)
    lam, _, _ = choose_lam(acq, task, method.penalty, 3, Clock())
    assert lam == pytest.approx(0.07 * 1e4 / task.scale)


def test_singular_values_are_larger_than_differences_and_so_is_their_lambda(monkeypatch):
    tried = []
    real = Task.iterates
    monkeypatch.setattr(
        Task, "iterates", lambda self, lam, state: tried.append((lam, state.lam)) or real(self, lam, state)
    )
    one = scan()
    frames = acquire(torch.stack([one.kspace, 30 * one.kspace]), one.mask, one.maps)
    for name, acq, size in (("wavelet", one, 0.03), ("llr", frames, 0.3)):
        make_method(name, max_iterations=1).solve(acq)
        assert tried.pop(0) == pytest.approx((size, size), rel=0.2)  # another unit, without the hidden lines
        tried.clear()


def test_the_seed_is_that_of_the_hidden_lines():
    acq = scan()
    found = [make_method("tv", seed=seed, max_iterations=1).solve(acq).lam[0] for seed in range(4)]
    assert len(set(found)) > 1


@pytest.mark.parametrize("rows", [1, 32])
def test_one_of_each_group_by_distance_is_hidden(rows):
    generator = torch.Generator().manual_seed(0)
    mask = torch.rand(rows, 64, generator=generator) < 0.4
    mask[rows // 2 - rows // 8 : rows // 2 + rows // 8 + 1, 28:36] = True
    hidden = hide(acquire(draw(2, 32, 64), mask), 1)
    y, x = (((torch.arange(n) - n // 2) / n) ** 2 for n in (rows, 64))
    outside = mask.clone()
    outside[calibration(mask)] = False
    ordered = hidden[outside][(y[:, None] + x)[outside].argsort(stable=True)].long()
    n = round(0.08 * int(mask.sum()))
    edges = [i * len(ordered) // n for i in range(n + 1)]
    assert [int(ordered[a:b].sum()) for a, b in itertools.pairwise(edges)] == [1] * n
    assert int(hidden.sum()) == n > 1


@pytest.mark.parametrize(("more", "want"), [(1, 0), (3, 1), (5, 2), (9, 2)])
def test_of_few_lines_two_are_hidden_and_never_more_than_half(more, want):
    mask = torch.zeros(40, dtype=torch.bool)
    mask[18:23] = True
    mask[: 2 * more : 2] = True
    assert int(hide(acquire(draw(1, 6, 40), mask), 0).sum()) == want


def test_frames_hide_lines_of_their_own():
    mask = (torch.rand(1, 64, generator=torch.Generator().manual_seed(0)) < 0.5).expand(5, 1, 1, 64)
    assert len({tuple(frame.flatten().tolist()) for frame in hide(acquire(draw(5, 2, 6, 64), mask), 0)}) > 1


def test_what_the_choice_of_lambda_leaves_to_go_on_from():
    """Other data, and so another unit: all that the state holds is in that of the new task."""
    acq = scan()
    task = Task(acq, make_method("tv").penalty)
    state = next(itertools.islice(task.iterates(0.01, task.begin()), 4, None))
    new = task.carry_on(state._replace(lam=0.004), 1.7)
    u = 1.7 * state.u
    torch.testing.assert_close(new.u, u)
    torch.testing.assert_close(new.split.h, 1.7 * state.split.h)
    torch.testing.assert_close(new.split.V, task.A.normal(u))
    torch.testing.assert_close(new.split.U, u - task.A.normal(u))
    assert new.lam == 0.004


@pytest.fixture
def ticks(monkeypatch):
    """Time that goes on by a second whenever someone looks."""
    count = itertools.count()
    monkeypatch.setattr(clock_module, "time", SimpleNamespace(perf_counter=lambda: float(next(count))))


def test_a_clock(ticks):
    clock = Clock(4.0)
    assert [clock.passed(0.5) for _ in range(3)] == [False, False, True]  # after 1, 2 and 3 seconds
    assert [clock.passed() for _ in range(2)] == [False, True]
    with clock.stopped():
        clock.passed()
    assert clock.seconds() == 7  # and not 9
    assert not Clock().passed()


def test_the_whole_time_is_used_and_no_more(ticks):
    """One look at the clock where it begins to descend, and one an iteration."""
    method = make_method("tv", lam="0.001max", tolerance=0, max_iterations=99, seconds=10)
    solution = method.solve(scan())
    assert solution.stopped == ("seconds",)
    assert solution.iterations == (10,)


def test_half_of_the_time_is_for_lambda(ticks, monkeypatch):
    tried = []
    real = Task.iterates
    monkeypatch.setattr(Task, "iterates", lambda self, lam, state: tried.append(lam) or real(self, lam, state))
    solution = make_method("tv", tolerance=0, seconds=4).solve(scan(1))
    assert len(tried) == 4  # three that were tried, until 3 seconds, and the solution
    assert solution.stopped == (SEARCHING,)
    assert solution.iterations == (1,)
    enough = make_method("tv", tolerance=0, seconds=30).solve(scan(1))
    assert enough.stopped == ("seconds",)
    assert enough.lam[0] < solution.lam[0]


def test_the_way_begins_where_lambda_is_known(ticks):
    method, auto = (make_method("tv", lam=lam, tolerance=0, max_iterations=3) for lam in ("0.001max", "auto"))
    one, other = ([p.seconds for p in m.solve(scan(), history=True).history[0]] for m in (method, auto))
    assert one == other


def test_lambda_is_told_in_the_unit_of_the_noise():
    acq = scan()
    noisy = replace(acq, noise=4 * torch.eye(3, dtype=torch.complex64))
    largest = float(encoding(acq).adjoint(acq.kspace).abs().max())
    assert make_method("tv", lam="1.5sigma", max_iterations=1).solve(noisy).lam == pytest.approx((1.5,))
    in_max = make_method("tv", lam=f"{1.5 * 2 / largest}max", max_iterations=1).solve(noisy)
    assert in_max.lam == pytest.approx((3 / largest,))
    torch.testing.assert_close(in_max.image, make_method("tv", lam=1.5, max_iterations=1)(noisy), rtol=1e-4, atol=1e-3)


def test_a_noise_of_nothing_is_no_unit():
    acq = replace(scan(), noise=torch.zeros(3, 3, dtype=torch.complex64))
    assert make_method("tv", lam=0.001, max_iterations=1).solve(acq).unit == "max"
    with pytest.raises(ArgumentError, match="lam is in units of sigma and the noise is not known"):
        make_method("tv", lam="1sigma")(acq)


def test_where_the_map_is_random_the_image_is_the_average_of_the_last_fifth():
    acq = scan()

    def way(random):
        task = Task(acq, make_method("wavelet", seed=2).penalty)
        task.penalty.random = random
        return task.begin(), list(itertools.islice(task.iterates(1e-3, task.begin()), 6))

    (start, steps), (_, found) = way(False), way(True)
    mean = start.u
    for n, (step, state) in enumerate(zip(steps, found, strict=True)):
        before, mean = mean, mean + (step.u - mean) / (1 + n / 5)
        torch.testing.assert_close(state.u, mean)
        torch.testing.assert_close(state.residual, (mean - before).norm() / mean.norm())


def test_shifts_are_all_that_there_are():
    generator = torch.Generator().manual_seed(0)
    assert {random_shift(generator, 3) for _ in range(200)} == set(itertools.product(range(3), repeat=2))
    assert random_shift(None, 3) == (0, 0)


@pytest.mark.parametrize("seed", [0, 5])
def test_grids_are_shifted_anew_each_time(seed):
    x, W = draw(1, 24, 40), Wavelet("haar", 3)
    frames = draw(4, 24, 40)
    wavelet, low_rank = WaveletL1(W, seed), NuclearNorm(6, seed)
    g, h = (torch.Generator().manual_seed(seed) for _ in range(2))
    for _ in range(3):
        torch.testing.assert_close(wavelet.prox(x, 0.7), prox_wavelet(x, 0.7, W, random_shift(g, 8)))
        torch.testing.assert_close(low_rank.prox(frames, 2.0), prox_low_rank(frames, 2.0, 6, random_shift(h, 6)))
    assert wavelet.random
    assert low_rank.random


def test_values_are_those_at_rest_and_of_the_right_norm():
    x, w = draw(1, 9, 8), draw(2, 1, 9, 8, seed=1)
    d = torch.stack([x.roll(-1, -2) - x, x.roll(-1, -1) - x])
    e = torch.stack([w[0] - w[0].roll(1, -2), w[1] - w[1].roll(1, -1)])
    mixed = (w[1] - w[1].roll(1, -2) + w[0] - w[0].roll(1, -1)) / 2**0.5
    length = functools.partial(torch.linalg.vector_norm, dim=0)
    torch.testing.assert_close(TV(x).value(x), length(d).sum())
    torch.testing.assert_close(TV(x, dim=None).value(x), d.abs().sum())
    second = length(torch.cat([e, mixed[None]]))
    u = torch.cat([x[None], w])
    torch.testing.assert_close(TGV(x).value(u), (length(d - w) + 2 * second).sum())
    c = torch.rand(9, 8, generator=torch.Generator().manual_seed(2)) + 0.1
    torch.testing.assert_close(TV(x, c).value(x), (c * length(d)).sum())
    torch.testing.assert_close(TV(x, c, None).value(x), (c * d.abs()).sum())
    torch.testing.assert_close(TGV(x, c).value(u), (c * (length(d - w) + 2 * second)).sum())
    frames, W = draw(4, 9, 8, seed=2), Wavelet("db2", 1)
    torch.testing.assert_close(NuclearNorm(3, 0).value(frames), nuclear_norm(frames, 3))
    torch.testing.assert_close(WaveletL1(W, 0).value(x), wavelet_norm(x, W).sum())


@pytest.mark.parametrize("name", ["wavelet", "llr"])
def test_grids_at_rest(name):
    penalty = make_method(name, spin=False).penalty(draw(4, 24, 40))
    assert not penalty.random
    x = draw(4, 24, 40, seed=1)
    assert torch.equal(penalty.prox(x, 0.7), penalty.prox(x, 0.7))


def test_maps_of_a_series_are_those_of_the_mean_of_what_was_sampled(monkeypatch):
    seen = []
    monkeypatch.setattr(
        compressed_module, "estimate_maps", lambda acq, *_, **__: seen.append(acq) or torch.ones(3, 7, 5)
    )
    mask = torch.tensor([[1, 1, 0, 0, 1], [1, 0, 0, 1, 1]], dtype=torch.bool)[:, None, None]
    frames, block = draw(2, 3, 7, 5) * mask, draw(2, 3, 4, 4, seed=1)
    make_method("llr").estimate(replace(acquire(frames, mask), calibration=block))
    (mean,) = seen
    torch.testing.assert_close(
        mean.kspace,
        torch.stack(
            [
                frames[:, ..., 0].mean(0),
                frames[0, ..., 1],
                0 * frames[0, ..., 2],
                frames[1, ..., 3],
                frames[..., 4].mean(0),
            ],
            -1,
        ),
    )
    assert mean.mask.flatten().tolist() == [True, True, False, True, True]
    torch.testing.assert_close(mean.calibration, block.mean(0))


@pytest.mark.parametrize("name", ["tv", "tgv"])
def test_a_mean_that_nothing_determines_is_zero(name):
    acq = scan(1)
    mask = acq.mask.clone()
    mask[..., SHAPE[1] // 2] = False
    image = make_method(name, lam="0.01max", max_iterations=5)(acquire(acq.kspace * mask, mask, acq.maps))
    assert image.abs().max() > 1
    assert image.mean().abs() < 1e-4 * image.abs().max()


@pytest.mark.parametrize("turns", [0.0, 3.0], ids=["the same everywhere", "a phase that varies"])
def test_two_coils_that_see_the_same_are_as_good_as_one(turns):
    acq = scan(1)
    maps = torch.polar(torch.ones(1, *SHAPE), turns * torch.linspace(0, 1, SHAPE[1]).square().expand(1, *SHAPE))
    one = acquire(acq.kspace, acq.mask, maps)
    two = acquire(acq.kspace.expand(2, -1, -1) / 2**0.5, acq.mask, maps.expand(2, -1, -1) / 2**0.5)
    found = [make_method("tv", lam="0.01max", tolerance=0, max_iterations=150).solve(a) for a in (one, two)]
    torch.testing.assert_close(found[0].image, found[1].image, rtol=0, atol=2e-3 * float(found[0].image.abs().max()))
    assert found[0].objective[0] == pytest.approx(found[1].objective[0], rel=1e-4)


def test_each_pixel_is_shrunk_by_its_own_weight():
    h, c = draw(5, 1, 9, 8), torch.rand(9, 8, generator=torch.Generator().manual_seed(2)) + 0.1
    length = functools.partial(torch.linalg.vector_norm, dim=0, keepdim=True)

    def by_hand(z, size, t):
        return (1 - t * c / size(z)).clamp_min(0)

    x = draw(1, 9, 8)
    torch.testing.assert_close(TV(x, c).shrinkage(h[:2], 0.7), by_hand(h[:2], length, 0.7))
    torch.testing.assert_close(TV(x, c, None).shrinkage(h[:2], 0.7), by_hand(h[:2], torch.abs, 0.7))
    found = TGV(x, c).shrinkage(h, 0.7)
    torch.testing.assert_close(found[:1], by_hand(h[:2], length, 0.7))
    torch.testing.assert_close(found[2:3], by_hand(h[2:], length, 1.4))
