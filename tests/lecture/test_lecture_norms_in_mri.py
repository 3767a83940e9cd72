"""The experiment that trains the same U-Net with each layer and each rule: what it computes, and its verdict."""

from __future__ import annotations

import copy
import json
import math

import matplotlib
import pytest
import torch

from kolumn.lecture import mri_norms as norms
from kolumn.lecture.style import STYLE
from kolumn.metrics import psnr
from kolumn.nn import NORMS, UNet
from kolumn.operators import encoding
from kolumn.train.loss import relative_error

RATES = {"sgd": (0.01, 0.1), "rmsprop": (1e-3,), "adam": (1e-3, 1e-2)}


@pytest.fixture(scope="module")
def data():
    return norms.scans(24, 2, 1)


@pytest.fixture(scope="module")
def found(data):
    state = torch.get_rng_state()
    numbers, curves = norms.measure(data, norms.PAIRS, RATES, 2, (2, 1))
    assert torch.equal(state, torch.get_rng_state())
    return numbers, curves


def moved(net):
    """Off its start, where the last layer is 0."""
    with torch.no_grad():
        for p in net.parameters():
            p += 0.1 * torch.randn(p.shape, generator=torch.Generator().manual_seed(p.numel()))
    return net


def shown(numbers, curves):
    assert norms.words(json.loads(json.dumps(numbers, allow_nan=False))).endswith(".")
    with matplotlib.rc_context(STYLE):
        norms.draw(numbers, curves).draw_without_rendering()


def test_scans_are_undersampled_fourfold_and_never_shown_twice(data):
    everything = [*data.train, *data.test]
    assert (len(data.train), len(data.test)) == (2, 1)
    flat = torch.cat([sample.target for sample in everything])
    assert flat.shape == (3 * norms.BATCH, 24, 24)
    assert len({float(image.abs().sum()) for image in flat}) == len(flat)
    for sample in everything:
        columns = sample.acquisition.mask.expand(norms.BATCH, 1, 24, 24)[:, 0, 0].sum(-1)
        assert sample.acquisition.n_coils == 1
        assert ((columns >= 4) & (columns <= 8)).all()
    for sample, linear in zip(data.train, data.linear, strict=True):
        with torch.no_grad():
            loss = relative_error(encoding(sample.acquisition).adjoint(sample.acquisition.kspace)[0], sample.target)
        assert linear == pytest.approx(float(loss), rel=1e-5)
    again = norms.scans(24, 2, 1)
    assert torch.equal(again.test[0].acquisition.kspace, data.test[0].acquisition.kspace)


def test_every_layer_and_every_rule_takes_part():
    assert len(set(norms.PAIRS)) == len(norms.PAIRS)
    assert {norm for norm, rule in norms.PAIRS if rule == "adam"} == set(NORMS)
    for norm in ("group", "none"):
        assert {rule for n, rule in norms.PAIRS if n == norm} == {"sgd", "rmsprop", "adam"}


def test_training_is_what_its_equations_say(data):
    rate, net = 0.1, moved(UNet(2, 1, "group"))
    other = copy.deepcopy(net)
    end = norms.train(net, data, "sgd", rate, 3)
    order = torch.randperm(2, generator=torch.Generator().manual_seed(3)).tolist()
    speed = [torch.zeros_like(p) for p in other.parameters()]
    for step, i in enumerate(order):
        loss = relative_error(other(data.train[i].acquisition), data.train[i].target)
        assert end.losses[step] == pytest.approx(loss.item() / data.linear[i], rel=1e-5)
        gradients = torch.autograd.grad(loss, list(other.parameters()))
        with torch.no_grad():
            for p, g, m in zip(other.parameters(), gradients, speed, strict=True):
                m.mul_(0.9).add_(g)
                p -= rate * (1 + math.cos(math.pi * step / 2)) / 2 * m
    torch.testing.assert_close(list(net.parameters()), list(other.parameters()), rtol=1e-4, atol=1e-6)
    assert not net.training, "scored as it is used"
    assert (end.loss, end.psnr_db) == norms.score(net, data.test)


def test_scores_are_means_over_the_scans(data):
    net = moved(UNet(2, 1, "batch")).eval()
    before = copy.deepcopy(net.state_dict())
    loss, ratio = norms.score(net, data.test)
    torch.testing.assert_close(net.state_dict(), before, rtol=0, atol=0)
    sample = data.test[0]
    with torch.no_grad():
        image = net(sample.acquisition)
    assert loss == pytest.approx(float(relative_error(image, sample.target)), rel=1e-6)
    each = [psnr(t.abs(), x.abs()) for t, x in zip(sample.target, image, strict=True)]
    assert len(each) == norms.BATCH
    assert ratio == pytest.approx(sum(each) / len(each))


def test_divergence_ends_training_and_is_a_number(data):
    end = norms.train(UNet(2, 1, "none"), data, "sgd", 1e30, 0)
    assert end == norms.End([end.losses[0], norms.DIVERGED], norms.DIVERGED, 0.0)
    assert norms.late(end.losses) == norms.DIVERGED
    net = UNet(2, 1, "none").eval()
    torch.nn.init.constant_(net.body.last.bias, math.nan)
    assert norms.score(net, data.test) == (norms.DIVERGED, 0.0)


def test_the_rate_is_that_of_the_least_loss_in_training(found, data):
    numbers, curves = found
    assert list(numbers["pairs"]) == list(curves)
    assert numbers["linear_map"]["loss"] == norms.score(UNet(2, 1, seed=5).eval(), data.test)[0]
    for (norm, rule), pair in zip(norms.PAIRS, numbers["pairs"].values(), strict=True):
        assert tuple(pair["rates"]) == RATES[rule]
        tried = [norms.late(norms.train(UNet(2, 1, norm), data, rule, rate, 0).losses) for rate in RATES[rule]]
        assert pair["training_loss_over_linear_map"] == pytest.approx(tried, rel=1e-5)
        assert pair["best_rate"] == RATES[rule][tried.index(min(tried))]
        ends = [norms.train(UNet(2, 1, norm, seed=s), data, rule, pair["best_rate"], s) for s in range(2)]
        assert pair["loss"] == pytest.approx([end.loss for end in ends], rel=1e-5)
        assert pair["psnr_db"] == pytest.approx([end.psnr_db for end in ends], rel=1e-5)
    shown(numbers, curves)


def test_curves_are_means_as_far_as_all_runs_came():
    assert norms.mean_of([[1.0, 2.0, 3.0], [3.0, 10.0]]) == [2.0, 6.0]
    assert norms.late([9.0] * 5 + [1.0] * norms.SMOOTH) == 1.0


def judged(**losses):
    """Numbers in which a layer wins, and Adam does, but for what is given."""
    usual = {norm: [0.3, 0.31] for norm in ("batch", "layer", "instance", "group")}
    usual |= {"none": [0.35, 0.36], "sgd_group": [0.4, 0.41], "sgd_none": [0.42, 0.43]}
    usual |= losses
    pairs = {
        norms.name_of(norm, rule): {
            "rates": [0.1, 1.0],
            "training_loss_over_linear_map": [0.3, norms.DIVERGED],
            "best_rate": 0.1,
            "loss": usual[norm if rule == "adam" else f"sgd_{norm}"],
            "psnr_db": [25.0, 26.0],
        }
        for norm, rule in norms.PAIRS
    }
    numbers = {"steps": 2, "seeds": 2, "linear_map": {"psnr_db": 20.0}, "pairs": pairs}
    return numbers, {pair: [0.5, 0.4] for pair in pairs}


@pytest.mark.parametrize(
    "losses, failed",
    [
        ({}, []),
        ({"batch": [0.3, 0.37]}, ["batch norm beats no layer"]),
        ({"layer": [0.36, 0.3]}, ["layer norm beats no layer"]),
        ({"instance": [0.3, 0.36]}, ["instance norm beats no layer"]),
        ({"group": [0.34, 0.38]}, ["group norm beats no layer"]),
        ({"sgd_group": [0.2, 0.5]}, ["group norm, Adam beats SGD"]),
        ({"sgd_none": [0.5, 0.36]}, ["no layer, Adam beats SGD"]),
    ],
)
def test_the_verdict_needs_every_comparison_from_every_start(losses, failed):
    numbers, curves = judged(**losses)
    assert [part for part, held in norms.holds(numbers).items() if not held] == failed
    assert norms.verdict(numbers) is (not failed)
    assert all(part in norms.words(numbers) for part in failed)
    assert ("Each comparison holds" in norms.words(numbers)) is (not failed)
    shown(numbers, curves)


def test_words_say_where_the_best_rate_is_at_the_edge():
    numbers, _ = judged()
    for pair in numbers["pairs"].values():
        pair |= {"rates": [0.1, 1.0, 10.0], "best_rate": 1.0}
    assert "tried for" not in norms.words(numbers)
    numbers["pairs"]["group norm, SGD"]["best_rate"] = 10.0
    numbers["pairs"]["no layer, Adam"]["best_rate"] = 0.1
    assert norms.words(numbers).endswith("that was tried for: no layer, Adam; group norm, SGD.")


def test_pairs_can_be_told_apart():
    looks = [tuple(norms.look(norms.name_of(*pair)).values()) for pair in norms.PAIRS]
    assert len(set(looks)) == len(looks)


def test_a_run_in_small_is_repeatable(monkeypatch):
    for name, value in {"SIDE": 24, "STEPS": 2, "TEST": 1, "SEEDS": 1, "CHANNELS": 2, "LEVELS": 1}.items():
        monkeypatch.setattr(norms, name, value)
    monkeypatch.setattr(norms, "RATES", {rule: of[:1] for rule, of in RATES.items()})
    first, again = norms.run(), norms.run()
    assert first.numbers == again.numbers and first.words == again.words
    assert first.verdict == norms.verdict(first.numbers)
