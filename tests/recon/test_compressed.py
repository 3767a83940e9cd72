"""Compressed sensing in the hands of a user: strengths, stops, the account, and what it must be good at."""

import functools
import itertools
import math
import time
from dataclasses import replace

import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.coils import soft_support
from kolumn.errors import ArgumentError, ConvergenceError
from kolumn.fourier import fft2
from kolumn.masks import make_mask
from kolumn.operators import Condensed, Wavelet, encoding
from kolumn.operators.uncentred import Uncentred
from kolumn.phantoms import ARRAYS, anatomy, phantom, shepp_logan, simulate, smooth_phase
from kolumn.prox import total_variation, wavelet_norm
from kolumn.recon import METHODS, CompressedSensing, TotalVariation, encoded, make_method, reconstruct
from kolumn.recon.choose import _floor as floor
from kolumn.recon.holdout import hide
from kolumn.recon.penalty import ProximalPenalty
from kolumn.recon.strength import Strength, parse_strength
from kolumn.recon.task import Task

NAMES = ["tv", "tgv", "wavelet"]


@functools.cache
def scan(n_coils=4, shape=(61, 54), snr=40.0, seed=0):
    """An undersampled acquisition with its maps, and the image behind it."""
    generator = torch.Generator().manual_seed(seed)
    image = anatomy(shape, generator) * smooth_phase(shape, generator)
    maps = ARRAYS["birdcage"](n_coils, shape) if n_coils > 1 else torch.ones(1, *shape, dtype=torch.complex64)
    full = simulate(image, maps, snr=snr, generator=generator)
    mask = make_mask("random", shape, 3.0, 0.15, seed).samples
    return acquire(full.kspace, mask, maps), image


def error(image, truth):
    return float((image - truth).norm() / truth.norm())


def objective(name, acq, image, lam, w):
    x = image[None].to(torch.complex128)
    A = encoding(acquire(acq.kspace.to(torch.complex128), acq.mask, acq.maps))
    if name == "tv":
        d = torch.stack([x.roll(-1, -2) - x, x.roll(-1, -1) - x])
        value = (d.abs().square().sum(0).sqrt() / w).sum()
    else:
        value = wavelet_norm(x / w, Wavelet("db4")).sum()
    return float((A.forward(x) - acq.kspace).abs().square().sum() / 2 + lam * value)


@pytest.mark.parametrize("n_coils", [1, 4])
@pytest.mark.parametrize("name", NAMES)
def test_lambda_by_itself_beats_zero_filling_and_is_near_the_best(name, n_coils):
    acq, truth = scan(n_coils)
    auto = error(reconstruct(acq, method=name), truth)
    zero = error(reconstruct(acq, method="zero-filled"), truth)
    best = min(error(reconstruct(acq, method=name, lam=f"{lam}max"), truth) for lam in (3e-4, 1e-3, 3e-3, 1e-2, 3e-2))
    assert auto < zero
    assert 20 * math.log10(auto / best) < 0.7  # dB


@pytest.mark.parametrize("air", [1.0, 0.2])
@pytest.mark.parametrize("name", ["tv", "wavelet"])
def test_the_account_is_true(name, air):
    acq, _ = scan()
    w = soft_support(acq, air)
    assert air == 1 or 0.1 < (w < 1).float().mean() < 0.9
    options = {"air": air} | ({"spin": False, "wavelet": "db4"} if name == "wavelet" else {})
    found = make_method(name, lam="0.002max", tolerance=0, max_iterations=7, **options).solve(acq, history=True)
    assert found.iterations == (7,)
    assert found.stopped == ("iterations",)
    assert found.unit == "max"
    assert found.lam == pytest.approx((0.002,))
    in_maps = w if name == "wavelet" else 1
    largest = float((in_maps * encoding(acq).adjoint(acq.kspace)).abs().max())
    z = found.image / torch.linalg.vector_norm(acq.maps, dim=0)
    assert found.objective[0] == pytest.approx(objective(name, acq, z, 0.002 * largest, w), rel=1e-4)
    (way,) = found.history
    assert [p.iteration for p in way] == list(range(1, 8))
    assert way[-1].objective == found.objective[0]
    assert way[-1].objective < way[0].objective
    assert all(a.seconds < b.seconds for a, b in itertools.pairwise(way))


@pytest.mark.parametrize("name", NAMES)
def test_what_ends_it(name):
    acq, _ = scan()
    loose = make_method(name, lam="0.002max", tolerance=0.05).solve(acq)
    tight = make_method(name, lam="0.002max", tolerance=0.002).solve(acq)
    assert loose.stopped == tight.stopped == ("tolerance",)
    assert loose.iterations[0] < tight.iterations[0] < 200
    start = time.perf_counter()
    timed = make_method(name, tolerance=0, max_iterations=10**6, seconds=0.2).solve(acq)
    assert timed.stopped[0].startswith("seconds")  # whether lambda was found before is the machine's matter
    assert time.perf_counter() - start < 20  # and not hours
    assert error(timed.image, tight.image) < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_bits(name):
    acq, _ = scan()
    one, two = (make_method(name, max_iterations=15, seed=3).solve(acq) for _ in range(2))
    assert torch.equal(one.image, two.image)
    assert one.lam == two.lam


def test_units_of_lambda():
    acq, _ = scan()
    largest = float(encoding(acq).adjoint(acq.kspace).abs().max())
    noisy = acquire(acq.kspace, acq.mask, acq.maps, noise=4e-6 * torch.eye(4))
    plain = make_method("tv", lam=0.003).solve(acq)
    assert plain.unit == "max"
    assert torch.equal(plain.image, make_method("tv", lam="0.003max").solve(acq).image)
    in_sigma = make_method("tv", lam=0.003 * largest / 2e-3).solve(noisy)
    assert in_sigma.unit == "sigma"
    assert error(in_sigma.image, plain.image) < 1e-4
    assert error(make_method("tv", lam="0.003 max").solve(noisy).image, plain.image) < 1e-4
    with pytest.raises(ArgumentError, match="lam is in units of sigma and the noise is not known"):
        make_method("tv", lam="1.5sigma")(acq)


def test_maps_of_any_unit_give_the_same_image():
    acq, _ = scan()
    options = {"lam": 0.002, "max_iterations": 30, "tolerance": 0}
    want = make_method("tv", **options)(acq)
    for factor in (30.0, 1e-3):
        other = acquire(acq.kspace, acq.mask, acq.maps * factor)
        assert error(make_method("tv", **options)(other), want) < 1e-3


@pytest.mark.parametrize(
    ("text", "want"),
    [(0.002, Strength(0.002)), ("0", Strength(0.0)), ("1.5sigma", Strength(1.5, "sigma")), ("auto", None)],
)
def test_strengths(text, want):
    assert parse_strength(text) == want


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lam": -1}, 'lam is -1; wanted "auto", or a number >= 0'),
        ({"lam": "much"}, "lam is 'much'; wanted"),
        ({"lam": float("nan")}, "lam is nan; wanted"),
        ({"lam": "infmax"}, "lam is 'infmax'; wanted"),
        ({"tolerance": -0.1}, "tolerance is -0.1; wanted a number from 0 to 1"),
        ({"max_iterations": 0}, "max_iterations is 0; wanted at least 1"),
        ({"seconds": 0.0}, "seconds is 0.0; wanted a number above 0"),
        ({"maps": "magic"}, "maps is 'magic'; wanted espirit or walsh"),
        ({"air": 0.0}, "air is 0.0; wanted a number above 0, up to 1"),
        ({"air": float("nan")}, "air is nan; wanted a number above 0, up to 1"),
    ],
)
@pytest.mark.parametrize("name", [*NAMES, "llr"])
def test_wrong_options(name, options, text):
    with pytest.raises(ArgumentError, match=text) as found:
        make_method(name, **options)
    assert "\n" not in str(found.value)


def test_wrong_options_of_one_method():
    with pytest.raises(ArgumentError, match="norm is 'l3'; wanted isotropic or anisotropic"):
        METHODS["tv"](norm="l3")
    with pytest.raises(ArgumentError, match="wavelet is 'db99'; wanted one of haar"):
        METHODS["wavelet"](wavelet="db99")
    with pytest.raises(ArgumentError, match="block is 0; wanted at least 1"):
        METHODS["llr"](block=0)


class Exploding(ProximalPenalty):
    """Each step is far larger than the one before."""

    def value(self, u):
        return u.abs().sum()

    def prox(self, x, t):
        return 1e9 * x


class Diverging(CompressedSensing):
    def penalty(self, x):
        return Exploding()


@pytest.mark.parametrize("lam", ["auto", 0.1])
def test_divergence_is_an_error_with_advice(lam):
    acq, _ = scan()
    with pytest.raises(ConvergenceError, match=r"gave NaN or infinity with lam .*; give lam a number near") as found:
        Diverging(lam=lam, tolerance=0)(acq)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("factor", [1e-20, 1e15])
def test_data_of_any_size(factor):
    acq, _ = scan()
    one, other = (make_method("tv").solve(acquire(acq.kspace * f, acq.mask, acq.maps)) for f in (1.0, factor))
    assert error(other.image / factor, one.image) < 1e-3
    assert other.lam == pytest.approx(one.lam, rel=1e-2)
    assert other.objective[0] == pytest.approx(one.objective[0] * factor**2, rel=1e-3)


def test_a_blank_slice_of_a_volume_is_blank():
    acq, _ = scan()
    k = torch.stack([acq.kspace, torch.zeros_like(acq.kspace)])
    found = make_method("tv", lam=0.002, max_iterations=5).solve(acquire(k, acq.mask))
    assert found.image[0].abs().max() > 0
    assert torch.equal(found.image[1], torch.zeros_like(found.image[1]))
    nothing = acquire(acq.kspace, acq.mask, torch.zeros_like(acq.maps))
    assert torch.equal(make_method("tv")(nothing), torch.zeros_like(found.image[1]))


def test_isotropic_and_anisotropic_differ_as_they_should():
    acq, _ = scan(1)
    largest = float(encoding(acq).adjoint(acq.kspace).abs().max())
    kinds = ("isotropic", "anisotropic")
    images = {kind: make_method("tv", lam="0.01max", norm=kind, tolerance=1e-5)(acq) for kind in kinds}

    def total(image, kind):
        misfit = encoding(acq).forward(image[None]) - acq.kspace
        value = total_variation(image, isotropic=kind == "isotropic")
        return float(misfit.abs().square().sum() / 2 + 0.01 * largest * value)

    for kind, other in (kinds, kinds[::-1]):
        assert total(images[kind], kind) < total(images[other], kind) * (1 - 1e-3)


@pytest.mark.parametrize("shape", [(40, 60), (41, 57)])
def test_what_is_hidden(shape):
    mask = make_mask("random", shape, 3.0, 0.12, 1)
    acq = acquire(torch.ones(2, *shape, dtype=torch.complex64), mask.samples)
    hidden = hide(acq, 5)
    n = int(mask.samples.sum())
    assert hidden.shape == acq.mask.shape
    assert not bool((hidden & ~acq.mask).any())
    assert int(hidden.sum()) == max(2, round(0.08 * n))
    width = mask.to_dict()["calibration_width"]
    centre = slice(shape[1] // 2 - width // 2, shape[1] // 2 + width // 2)
    assert not bool(hidden[..., centre].any())
    assert torch.equal(hidden, hide(acq, 5))
    assert any(not torch.equal(hidden, hide(acq, seed)) for seed in range(6, 12))
    plane = acquire(acq.kspace, torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.4)
    assert int(hide(plane, 0).sum()) == round(0.08 * int(plane.mask.sum()))
    whole = acquire(torch.ones(2, *shape, dtype=torch.complex64))
    assert not bool(hide(whole, 0).any())  # nothing is left out, so nothing has to be predicted


def series(n_frames=6, shape=(40, 36), n_coils=3):
    """Two fixed images whose mixture changes: rank two; a mask of its own for each frame."""
    generator = torch.Generator().manual_seed(0)
    a, b = (anatomy(shape, generator, contrast) + 0j for contrast in ("t1", "t2"))
    t = torch.linspace(0, 1, n_frames)[:, None, None]
    frames = (1 - t) * a + t * b
    maps = ARRAYS["birdcage"](n_coils, shape)
    full = simulate(frames, maps, snr=60.0, generator=generator)
    masks = torch.stack([make_mask("random", shape, 3.0, 0.2, seed).samples for seed in range(n_frames)])
    return acquire(full.kspace, masks[:, None], maps), frames


def test_a_series_of_low_rank():
    acq, frames = series()
    llr = error(reconstruct(acq, method="llr"), frames)
    apart = error(reconstruct(acq, method="tv"), frames)
    assert llr < 0.8 * apart
    estimated = acquire(acq.kspace, acq.mask)
    assert error(reconstruct(estimated, method="llr").abs(), frames.abs()) < apart


def test_series_in_a_batch_are_as_if_alone():
    acq, _ = series()
    k = torch.stack([acq.kspace, 30 * acq.kspace.flip(-1).roll(1, -1)])
    mask = torch.stack([acq.mask, acq.mask.flip(-1).roll(1, -1)])
    method = make_method("llr", lam=0.02, max_iterations=8, maps="walsh")
    together = method.solve(acquire(k, mask))
    assert together.image.shape == (2, *acq.kspace.shape[:1], *acq.kspace.shape[-2:])
    assert len(together.iterations) == 2
    for i in range(2):
        assert error(method(acquire(k[i], mask[i])), together.image[i]) < 1e-4


def test_one_image_is_no_series():
    acq, _ = scan()
    with pytest.raises(ArgumentError, match=r"kspace is 4 x 61 x 54; wanted a series .* try tv"):
        make_method("llr")(acq)


def test_two_dimensional_masks():
    full, image = phantom("anatomy", (64, 60), n_coils=4, snr=60.0, seed=2)
    mask = make_mask("poisson", (64, 60), 3.0, 0.15, 0).samples
    for name in ("tv", "wavelet"):
        found = reconstruct(full.kspace[0], mask, ARRAYS["biot-savart"](4, (64, 60)), name)
        assert error(found.abs(), image[0].abs()) < 0.6 * error(
            reconstruct(full.kspace[0], mask, None, "zero-filled").abs(), image[0].abs()
        )


@pytest.mark.parametrize(("n_coils", "noise", "want"), [(4, 1.0, 0.07), (4, 9.0, 0.21), (1, 1.0, 0.0)])
def test_the_least_lambda_that_is_chosen_is_a_part_of_the_noise(n_coils, noise, want):
    acq, _ = scan(n_coils)
    acq = replace(acq, noise=noise * torch.eye(n_coils, dtype=torch.complex64))
    task = Task(replace(acq, maps=torch.ones_like(acq.kspace) if n_coils == 1 else acq.maps), TotalVariation().penalty)
    assert floor(acq, task) * task.scale == pytest.approx(want)


def test_no_smaller_lambda_is_tried_once_the_error_has_risen(monkeypatch):
    tried = []
    real = Task.iterates
    monkeypatch.setattr(Task, "iterates", lambda self, lam, state: tried.append(lam) or real(self, lam, state))
    make_method("tv", max_iterations=1).solve(scan(4, snr=5.0)[0])
    assert tried[0] > 2 * tried[1] > 4 * tried[2]
    assert len(tried) == 5  # and not eight; the last is the solution


def test_lambda_falls_to_its_own_where_the_proximal_map_is_known():
    task = Task(scan(4)[0], make_method("wavelet").penalty)
    path = [state.lam for state in itertools.islice(task.iterates(1e-3, task.begin()), 60)]
    assert path[0] > 10 * path[-1]
    assert path[-1] == pytest.approx(1e-3)
    assert all(b == pytest.approx(max(0.9 * a, 1e-3)) for a, b in itertools.pairwise(path))


@pytest.mark.parametrize("name", ["tv", "wavelet"])
def test_the_image_is_zero_where_no_coil_sees_anything(name):
    acq, _ = scan(4)
    maps = acq.maps.clone()
    maps[:, 20:30, 10:40] = 0
    image = make_method(name, lam="0.05max", max_iterations=10)(replace(acq, maps=maps))
    assert not image[20:30, 10:40].any()
    assert image[19].abs().min() > 0


def test_without_a_penalty_the_data_are_met():
    acq, _ = scan(4)
    solution = make_method("tv", lam=0, tolerance=0, max_iterations=60).solve(acq)
    nothing = float(acq.kspace.abs().square().sum()) / 2  # the objective of an image of zeros
    assert 0 < solution.objective[0] < 1.45e-3 * nothing


def test_what_is_noted_of_the_way_costs_no_time_of_the_limit(monkeypatch):
    real = Task.objective

    def slow(self, u, lam):
        time.sleep(0.2)
        return real(self, u, lam)

    monkeypatch.setattr(Task, "objective", slow)
    method = make_method("tv", lam="0.01max", tolerance=0, max_iterations=6, seconds=1.0)
    solution = method.solve(scan(1)[0], history=True)
    assert solution.stopped == ("iterations",)
    assert solution.history[0][-1].seconds < 1.0


def test_dark_parts_of_the_body_come_back_exactly_too():
    truth = shepp_logan((96, 96), supersample=1).to(torch.complex128)
    mask = make_mask("random", (96, 96), 2.0, 0.16, 0).samples
    acq = acquire(fft2(truth) * mask, mask)
    dark = (soft_support(acq)[0] < 1) & (truth.abs() > 0)
    assert dark.float().sum() > 0.2 * (truth.abs() > 0).float().sum()
    method = make_method("tv", lam="1e-6max", tolerance=1e-7, max_iterations=600)
    assert error(method(acq), truth) < 1e-4


@pytest.mark.parametrize("name", ["tv", "tgv", "wavelet"])
def test_fewer_coils_reach_the_same_minimum(name, monkeypatch):
    acq, _ = scan(n_coils=12)
    method = make_method(name, lam="0.003max", tolerance=0, max_iterations=200)
    assert isinstance(Task(*method.problem(acq)).G, Condensed)
    found = method.solve(acq)
    monkeypatch.setattr(encoded, "condensed", lambda A: A)
    assert isinstance(Task(*method.problem(acq)).G, Uncentred)
    wanted = method.solve(acq)
    assert found.objective[0] == pytest.approx(wanted.objective[0], rel=1e-6)
    assert (found.image - wanted.image).norm() < 3e-4 * wanted.image.norm()
