"""The experiment on a trained network: what it computes, and its verdict."""

from __future__ import annotations

import copy
import json

import matplotlib
import pytest
import torch

from kolumn.lecture import mri_network as net
from kolumn.lecture import slices
from kolumn.lecture.style import STYLE
from kolumn.nn import UNet, Unrolled
from kolumn.recon import make_method

SMALL = (72, 88)


@pytest.fixture
def untrained(monkeypatch):
    """Networks of the same kind as the trained ones, which here only have to run."""
    with torch.random.fork_rng(devices=[]):
        networks = {"unet": UNet(2, 1).eval(), "unrolled": Unrolled(1, 2, 1).eval()}

    def one_coil(network):
        def reconstruct(scan):
            with torch.no_grad():
                return network(scan) if scan.kspace.shape[0] == 1 else make_method("zero-filled")(scan)

        return reconstruct

    made = {name: one_coil(network) for name, network in networks.items()}
    monkeypatch.setattr(net, "make_method", lambda name: made.get(name) or make_method(name))


def test_scans_differ_in_head_noise_and_columns():
    (one, head), (two, other) = (net.noisy_scan(SMALL, 3, seed) for seed in range(2))
    assert one.kspace.shape == (3, *SMALL) and head.shape == (1, *SMALL)
    assert not torch.allclose(head.abs(), other.abs())
    assert not torch.equal(one.mask, two.mask)
    assert not torch.allclose(one.noise, two.noise)
    columns = int(one.mask.expand(1, 1, SMALL[1])[0, 0].sum())
    assert columns == pytest.approx(SMALL[1] / 4, abs=4)
    again, _ = net.noisy_scan(SMALL, 3, 0)
    assert torch.equal(again.kspace, one.kspace)


def test_a_case_scores_every_head_by_every_method(untrained):
    case = net.reconstruct_case(SMALL, 1, 2)
    assert list(case.scores) == ["zero-filled", "tv", "wavelet", "unet", "unrolled"]
    assert list(net.reconstruct_case(SMALL, 2, 1).scores) == list(net.METHODS)
    heads = [net.noisy_scan(SMALL, 1, seed)[1][0].abs() for seed in range(2)]
    for i, head in enumerate(heads):
        inside = head > slices.BODY * head.max()
        torch.testing.assert_close(case.truth[i], head * inside)
        scan, _ = net.noisy_scan(SMALL, 1, i)
        image = make_method("tv")(scan).abs() * inside
        torch.testing.assert_close(case.images["tv"][i], image, rtol=1e-4, atol=1e-5)
        error = float((image - head * inside).norm() / (head * inside).norm())
        assert case.scores["tv"]["error"][i] == pytest.approx(error, rel=1e-4)
    for s in case.scores.values():
        assert {len(of) for of in s.values()} == {2}


def test_timing_leaves_out_the_first_call(monkeypatch):
    clock = iter([0.0, 1.0, 5.0, 8.0])
    monkeypatch.setattr(slices.time, "perf_counter", lambda: next(clock))
    seen = []

    def method(scan):
        seen.append(scan)
        return torch.full((2, 3), float(scan))

    images, seconds = slices.timed(method, [7, 9])
    assert seen == [7, 7, 9] and seconds == [1.0, 3.0]
    assert images[:, 0, 0].tolist() == [7, 9]


def scores(**changes):
    """Two heads, the U-Net better and sooner, but for what is given."""
    errors = {"zero-filled": 0.3, "sense": 0.25, "tv": 0.2, "wavelet": 0.22, "unet": 0.1, "unrolled": 0.05}
    seconds = {"zero-filled": 0.001, "sense": 0.2, "tv": 0.5, "wavelet": 1.0, "unet": 0.1, "unrolled": 0.3}
    found = {
        name: {"error": [errors[name]] * 2, "seconds": [seconds[name]] * 2, "psnr_db": [20.0, 21.0], "ssim": [0.9, 0.8]}
        for name in errors
    }
    for name, change in changes.items():
        found[name] |= change
    return found


@pytest.mark.parametrize(
    "changes, expected",
    [
        ({}, (True, True)),
        ({"unet": {"error": [0.1, 0.21]}}, (False, True)),
        ({"wavelet": {"error": [0.09, 0.3]}}, (False, True)),
        ({"tv": {"error": [0.3, 0.09]}}, (False, True)),
        ({"wavelet": {"error": [0.04, 0.3]}}, (False, True)),
        ({"unet": {"seconds": [0.6, 0.7]}}, (True, False)),
        ({"wavelet": {"seconds": [0.05, 0.05]}}, (True, False)),
        ({"unrolled": {"error": [0.9, 0.9], "seconds": [9.0, 9.0]}}, (True, True)),
    ],
)
def test_each_part_of_the_claim(changes, expected):
    parts = net.holds(scores(**changes))
    assert (parts["better"], parts["sooner"]) == expected
    good = net.holds(scores())
    for pair in ((good, parts), (parts, good)):
        assert net.verdict({"holds": dict(zip(("one", "eight"), copy.deepcopy(pair), strict=True))}) is all(expected)
    text = net.words({"heads": 2, "cases": {"one coil": scores(**changes)}, "holds": {"one coil": parts}})
    assert ("the U-Net is better in every head" in text, "and sooner" in text) == expected
    worse = changes.get("unrolled", {}).get("error") or changes.get("wavelet", {}).get("error") == [0.04, 0.3]
    assert ("the unrolled network is not better in every head" in text) is bool(worse)


def test_a_run_in_small(untrained, monkeypatch):
    for name, value in {"SHAPE": SMALL, "SEEDS": 1, "DETAIL": (slice(10, 40), slice(12, 50))}.items():
        monkeypatch.setattr(net, name, value)
    state = torch.get_rng_state()
    with matplotlib.rc_context(STYLE):
        result = net.run()
        result.figure.draw_without_rendering()
    assert torch.equal(state, torch.get_rng_state())
    json.dumps(result.numbers, allow_nan=False)
    assert result.verdict is net.verdict(result.numbers) and result.words.endswith(".")
