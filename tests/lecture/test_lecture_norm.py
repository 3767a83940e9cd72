"""The experiments on normalisation: what they compute, and that their verdicts can be either."""

import copy
import importlib
import json
import math

import matplotlib
import pytest
import torch
from torch import Generator, nn

from kolumn.lecture import batch_noise, initialisation, larger_rates, normalised, statistics_gradient, stripes
from kolumn.lecture.style import STYLE
from kolumn.nn import BatchNorm, GroupNorm


def seeded(seed=0):
    return Generator().manual_seed(seed)


def checked(module, numbers, *drawn):
    """The words and the figure of numbers of any kind can be made, and JSON can hold them."""
    json.dumps(numbers, allow_nan=False)
    assert module.words(numbers).endswith(".")
    with matplotlib.rc_context(STYLE):
        module.draw(numbers, *drawn).draw_without_rendering()


# The task


def test_stripes_are_waves_of_each_direction_and_the_same_for_a_seed():
    data = stripes.stripes(400, 12, 0.0, seeded())
    assert data.x.shape == (400, 1, 12, 12)
    assert set(data.label.tolist()) == set(range(stripes.CLASSES))
    assert torch.equal(data.x, stripes.stripes(400, 12, 0.0, seeded()).x)
    along_x = data.x[data.label == 0]  # waves along x: every row is alike
    torch.testing.assert_close(along_x, along_x[:, :, :1].expand_as(along_x), rtol=0, atol=1e-5)
    along_y = data.x[data.label == stripes.CLASSES // 2]
    torch.testing.assert_close(along_y, along_y[..., :1].expand_as(along_y), rtol=0, atol=1e-5)
    doubtful = stripes.stripes(400, 12, 0.0, seeded(), wrong=0.4)
    assert torch.equal(doubtful.x, data.x)
    assert float((doubtful.label != data.label).float().mean()) == pytest.approx(0.4 * 7 / 8, abs=0.06)
    noisy = stripes.stripes(400, 12, 0.7, seeded())
    assert float((noisy.x - data.x).std()) == pytest.approx(0.7, rel=0.02)


def test_the_network_starts_from_its_generator_alone():
    before = torch.get_rng_state()
    nets = [stripes.network(4, 6, stripes.LAYERS["batch"], seeded(3), gain) for gain in (1.0, 1.0, 5.0)]
    assert torch.equal(before, torch.get_rng_state())
    first, again, larger = (net[0].weight for net in nets)
    assert torch.equal(first, again)
    torch.testing.assert_close(larger, 5 * first)
    deep = nets[0][3].weight
    assert float(deep.detach().std()) == pytest.approx(math.sqrt(2 / (6 * 9)), rel=0.15)
    assert sum(isinstance(layer, BatchNorm) for layer in nets[0]) == 3, (
        "all but the last convolution are followed by one"
    )
    assert isinstance(stripes.network(2, 8, stripes.LAYERS["group"], seeded())[1], GroupNorm)


def test_training_is_gradient_descent_on_the_cross_entropy():
    data = stripes.stripes(16, 8, 0.3, seeded())
    net = stripes.network(2, 4, stripes.LAYERS["group"], seeded(1))
    other = copy.deepcopy(net)
    losses = stripes.train(net, data, 0.2, 2, 8, seeded(2))
    generator = seeded(2)
    for step in range(2):
        drawn = torch.randint(16, (8,), generator=generator)
        loss = nn.functional.cross_entropy(other(data.x[drawn]), data.label[drawn])
        assert losses[step] == pytest.approx(loss.item(), rel=1e-5)
        gradients = torch.autograd.grad(loss, list(other.parameters()))
        with torch.no_grad():
            for p, g in zip(other.parameters(), gradients, strict=True):
                p -= 0.2 * g
    torch.testing.assert_close(list(net.parameters()), list(other.parameters()))


def test_divergence_ends_training():
    data = stripes.stripes(16, 8, 0.3, seeded())
    losses = stripes.train(stripes.network(3, 4, stripes.LAYERS["none"], seeded()), data, 1e6, 50, 8, seeded())
    assert losses[-1] == stripes.DIVERGED
    assert len(losses) < 50
    assert stripes.last(losses) == stripes.DIVERGED
    assert stripes.last([9.0, *range(20)]) == 9.5


# normalised


@pytest.fixture(scope="module")
def normal():
    return normalised.measure((24, 20), seeded())


def test_layers_normalise_and_batch_norm_alone_can_be_undone(normal):
    assert normalised.failures(normal) == {"power": ["layer", "instance", "group"]}
    assert not normalised.verdict(normal)
    for found in normal["layers"].values():
        assert found["undo_error"][0] < 1e-3, "images that are alike can be undone"
        assert found["output_std"][-1] == pytest.approx(1, abs=1e-3)
        eps_rules = 1e-5 / math.sqrt(1e-10 + 1e-5)
        assert found["output_std"][0] == pytest.approx(eps_rules, rel=0.01)
    checked(normalised, normal)
    assert "batch norm alone" in normalised.words(normal)


def test_the_verdict_on_normalised_can_be_either(normal):
    good = copy.deepcopy(normal)
    for found in good["layers"].values():
        found["undo_error"] = [1e-6 for _ in found["undo_error"]]
    assert normalised.verdict(good)
    checked(normalised, good)
    for key in ("mean_deviation", "std_deviation", "range_deviation"):
        bad = copy.deepcopy(good)
        bad["layers"]["group"][key] = 0.01
        assert not normalised.verdict(bad)


def test_the_best_a_and_b_are_those_of_least_squares():
    x = torch.randn(3, normalised.CHANNELS, 5, 4, dtype=torch.float64, generator=seeded())
    x = x * torch.tensor([1.0, 5.0, 0.2], dtype=torch.float64).reshape(3, 1, 1, 1)
    norm = normalised.layer(normalised.LAYERS["layer"][0], False)
    y, total, left = norm(x), 0.0, 0.0
    for c in range(normalised.CHANNELS):
        columns = torch.stack([y[:, c].flatten(), torch.ones(60, dtype=torch.float64)], 1)
        fit = torch.linalg.lstsq(columns, x[:, c].flatten()[:, None]).solution
        left += float((columns @ fit - x[:, c].flatten()[:, None]).square().sum())
        total += float((x[:, c] - x[:, c].mean()).square().sum())
    assert normalised.undo_error(norm, x) == pytest.approx(math.sqrt(left / total))


# statistics-gradient


@pytest.mark.parametrize("mean", [False, True])
@pytest.mark.parametrize("deviation", [False, True])
def test_detached_statistics_are_constants(mean, deviation):
    x = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=seeded()).requires_grad_()
    dy = torch.randn(2, 3, 4, 5, dtype=torch.float64, generator=seeded(1))
    (got,) = torch.autograd.grad(statistics_gradient.normalise_detached(x, mean, deviation), x, dy)
    dim = (0, 2, 3)
    mu = x.detach().mean(dim, keepdim=True)
    sigma = (x.detach().var(dim, keepdim=True, correction=0) + statistics_gradient.EPS).sqrt()
    xhat = (x.detach() - mu) / sigma
    want = dy - (0 if mean else dy.mean(dim, keepdim=True))
    if not deviation:
        shifted = xhat if mean else xhat - xhat.mean(dim, keepdim=True)
        want = want - shifted * (dy * xhat).mean(dim, keepdim=True)
    torch.testing.assert_close(got, want / sigma)


def test_without_detaching_it_is_batch_norm():
    x = torch.randn(2, 3, 4, 5, generator=seeded())
    torch.testing.assert_close(statistics_gradient.DetachedNorm(3, True, True)(x), BatchNorm(3)(x))
    assert isinstance(statistics_gradient.norm(False, False)(3), BatchNorm)


def test_a_unit_drifts_where_the_gradient_does_not_know():
    found = {
        name: statistics_gradient.unit(*which, 50, seeded()) for name, which in statistics_gradient.DETACHED.items()
    }
    assert abs(found["neither"]["b"][-1]) < 1e-9
    assert found["neither"]["w"][-1] == pytest.approx(1, abs=1e-3)
    assert found["the mean"]["b"][-1] == pytest.approx(49 * statistics_gradient.UNIT_RATE, rel=0.01)
    assert found["the deviation"]["w"][-1] > 2
    for of in found.values():
        assert of["loss"][-1] == pytest.approx(of["loss"][0], rel=1e-3), "the output does not change"


def test_statistics_gradient_in_small():
    numbers, curves = statistics_gradient.measure((0.1, 0.3), 3, 20, 2)
    assert statistics_gradient.outcome(numbers, "neither")[0] == 0
    assert max(b for at in numbers["largest_bias"]["neither"] for b in at) < 1e-5
    assert max(b for at in numbers["largest_bias"]["the mean"] for b in at) > 1e-3
    checked(statistics_gradient, numbers, curves)


def test_the_verdict_on_statistics_gradient_can_be_either():
    numbers, curves = statistics_gradient.measure((0.1, 0.3), 2, 2, 2)
    numbers["final_loss"] = {
        "neither": [[0.1, 0.2], [0.1, 2.0]],
        "the mean": [[0.2, 0.3], [0.4, 0.5]],
        "the deviation": [[0.2, 0.3], [0.4, 0.5]],
        "both": [[2.1, 1e3], [0.3, 0.1]],
    }
    assert statistics_gradient.outcome(numbers, "both") == (2, 3)
    assert statistics_gradient.verdict(numbers)
    checked(statistics_gradient, numbers, curves)
    numbers["final_loss"]["both"][0][0] = 1.5
    assert not statistics_gradient.verdict(numbers)
    numbers["final_loss"]["neither"] = [[2.0, 2.0], [2.0, 2.0]]
    assert not statistics_gradient.verdict(numbers)


# larger-rates and initialisation


def test_larger_rates_in_small():
    numbers, curves = larger_rates.measure((0.03, larger_rates.SHOWN), 3, 6, 1)
    assert set(curves) == set(stripes.LAYERS)
    assert all(len(losses) == 6 for losses in curves.values())
    checked(larger_rates, numbers, curves)


def test_the_verdict_on_larger_rates_can_be_either():
    numbers, curves = larger_rates.measure((0.1, 0.3, 1.0), 2, 2, 1)
    learnt = {"none": [[0.5], [2.0], [1e3]], "batch": [[0.5], [0.4], [0.3]], "layer": [[0.5], [0.4], [2.0]]}
    numbers["final_loss"] = {name: learnt.get(name, learnt["batch"]) for name in stripes.LAYERS}
    numbers["largest_rate"] = {
        name: larger_rates.largest(numbers["rates"], losses) for name, losses in numbers["final_loss"].items()
    }
    assert numbers["largest_rate"] == {"batch": [1.0], "layer": [0.3], "instance": [1.0], "group": [1.0], "none": [0.1]}
    assert larger_rates.verdict(numbers)
    checked(larger_rates, numbers, curves)
    numbers["largest_rate"]["layer"] = [0.1]
    assert not larger_rates.verdict(numbers)
    numbers["largest_rate"]["layer"] = [0.0]
    assert not larger_rates.verdict(numbers)
    checked(larger_rates, numbers, curves)
    numbers["largest_rate"] = {name: [0.0 if name == "none" else 1.0] for name in stripes.LAYERS}
    assert not larger_rates.verdict(numbers), "there is nothing to compare with"
    checked(larger_rates, numbers, curves)


def test_initialisation_in_small():
    numbers = initialisation.measure((0.3, 1.0, 3.0), (0.1,), 4, 4, 1)
    shrunk, kept = (numbers["signals"][name]["0.3"]["activation_rms"] for name in ("none", "batch"))
    assert shrunk[-1] < 0.1 * shrunk[0]
    assert kept[-1] == pytest.approx(kept[1], rel=0.5)
    checked(initialisation, numbers)


def test_signals_are_those_of_the_convolutions():
    data = stripes.stripes(4, 8, 0.5, seeded())
    net = stripes.network(2, 4, stripes.LAYERS["none"], seeded(1))
    found = initialisation.signals(net, data)
    first = net[0](data.x)
    second = net[3](first.relu())
    want = [float(t.detach().square().mean().sqrt()) for t in (first, second)]
    assert found["activation_rms"] == pytest.approx(want)
    assert len(found["gradient_rms"]) == 2
    assert min(found["gradient_rms"]) > 0


def test_the_verdict_on_initialisation_can_be_either():
    numbers = initialisation.measure((0.1, 1.0, 10.0), (0.1,), 2, 2, 1)
    wide, narrow = [[0.5], [0.4], [0.5]], [[2.0], [0.4], [1e3]]
    numbers["final_loss"] = {name: narrow if name == "none" else wide for name in stripes.LAYERS}

    def judged():
        numbers["gains_that_learn"] = {
            name: initialisation.learning(numbers["gains"], losses) for name, losses in numbers["final_loss"].items()
        }
        checked(initialisation, numbers)
        return initialisation.verdict(numbers)

    assert judged()
    assert initialisation.widths(numbers)["batch"] == pytest.approx(100)
    numbers["final_loss"]["group"] = narrow
    assert not judged()
    numbers["final_loss"]["group"] = [[2.0], [2.0], [2.0]]
    assert not judged()


# batch-noise


def test_noise_falls_with_the_batch_and_is_none_in_groups():
    found = batch_noise.noise((2, 32), 40, seeded())["output_noise"]
    assert found["batch"][0] > 2.5 * found["batch"][1] > 0.01
    assert max(found["group"]) < batch_noise.EXACT


def test_exact_statistics_are_those_of_all_pictures():
    data = stripes.stripes(12, 8, 0.5, seeded())
    nets = [stripes.network(2, 4, BatchNorm, seeded(1)) for _ in range(2)]
    for net, exact in zip(nets, (False, True), strict=True):
        batch_noise.fit(net, data, 0.1, 1, 4, seeded(2), exact)
    assert not torch.allclose(nets[0][0].weight, nets[1][0].weight)
    fresh = stripes.network(2, 4, BatchNorm, seeded(1))
    order = torch.randperm(12, generator=seeded(2))
    loss = nn.functional.cross_entropy(fresh(data.x[order])[:4], data.label[order[:4]])
    (gradient,) = torch.autograd.grad(loss, fresh[0].weight)
    torch.testing.assert_close(nets[1][0].weight, fresh[0].weight - 0.1 * gradient)
    batch_noise.settle(nets[1], data)
    want = nets[1][0](data.x).mean((0, 2, 3))
    torch.testing.assert_close(nets[1][1].running_mean, want, rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def small_noise():
    return {
        "noise": batch_noise.noise((2, 4, 16), 8, seeded()),
        "right_labels": batch_noise.regularises(16, 32, 0.0, 2, 3, 2),
        "wrong_labels": batch_noise.regularises(16, 32, 0.5, 2, 3, 2),
        "sizes": batch_noise.sizes((2, 4), 4, 32, 2, 2),
    }


def test_batch_noise_in_small(small_noise):
    checked(batch_noise, small_noise)
    right, wrong = small_noise["right_labels"], small_noise["wrong_labels"]
    assert right["of the batch"]["train_loss"] != wrong["of the batch"]["train_loss"]
    assert right["of the batch"]["test_loss"] != right["of all pictures"]["test_loss"]


def test_the_verdict_on_batch_noise_can_be_either(small_noise):
    numbers = copy.deepcopy(small_noise)
    numbers["noise"]["output_noise"] = {"batch": [0.5, 0.2, 0.1], "group": [1e-7, 1e-7, 1e-7]}
    numbers["wrong_labels"]["of the batch"]["test_loss"] = [1.0, 1.1]
    numbers["wrong_labels"]["of all pictures"]["test_loss"] = [1.2, 1.3]
    numbers["sizes"]["test_error"] = {"batch": [[0.4, 0.4], [0.2, 0.2]], "group": [[0.3, 0.3], [0.2, 0.2]]}
    assert batch_noise.verdict(numbers)
    assert "what does not hold: nothing." in batch_noise.words(numbers)
    spoilt = {
        "batch statistics are noisy": ("noise", "output_noise", {"batch": [0.2, 0.1, 0.1], "group": [0.0, 0.0, 0.0]}),
        "group norm is independent": ("noise", "output_noise", {"batch": [0.5, 0.2, 0.1], "group": [0.1, 0.0, 0.0]}),
        "noise regularises": ("wrong_labels", "of the batch", {"test_loss": [1.0, 1.4]}),
        "group norm suffers less from small batches": (
            "sizes",
            "test_error",
            {"batch": [[0.2, 0.2], [0.2, 0.2]], "group": [[0.3, 0.3], [0.2, 0.2]]},
        ),
    }
    for part, (where, key, value) in spoilt.items():
        bad = copy.deepcopy(numbers)
        bad[where][key] = bad[where][key] | value
        assert [name for name, holds in batch_noise.holds(bad).items() if not holds] == [part]
        assert not batch_noise.verdict(bad)
        assert f"what does not hold: {part}." in batch_noise.words(bad)
        checked(batch_noise, bad)


@pytest.mark.parametrize("name", ["normalised", "statistics_gradient", "larger_rates", "initialisation", "batch_noise"])
def test_verdicts_are_plain_booleans(name):
    assert importlib.import_module(f"kolumn.lecture.{name}").verdict.__annotations__["return"] == "bool"


def test_words_where_nothing_is_learnt_without_a_layer():
    layers = {name: [0.3] * 3 for name in larger_rates.LAYERS} | {"none": [0.0, 0.0, 0.1]}
    losses = {name: [[0.5] * 3, [1.2, 1.5, 1.9]] for name in larger_rates.LAYERS}
    losses["none"] = [[1.2, 1.5, 1.9], [2.0] * 3]
    numbers = {"rates": [0.01, 1.0], "depth": 2, "steps": 3, "seeds": 3, "loss_of_chance": larger_rates.CHANCE}
    words = larger_rates.words(numbers | {"largest_rate": layers, "final_loss": losses})
    assert "at none of the rates 0.01 to 1 " in words
    assert "nothing to compare with. The largest with a layer: batch norm 0.3, layer norm 0.3" in words
    assert "below three quarters of it the largest rates are batch norm 1, " in words and "no layer 0.01." in words
