"""The loop: each update is what its equations say, and it stops, keeps and goes on as it should."""

from __future__ import annotations

import csv
import math
from dataclasses import replace

import pytest
import torch
from tiny import BRIGHTNESS, Batches, Gain

import kolumn.train.loop as train_loop
from kolumn.errors import ArgumentError, ConvergenceError, MissingExtraError
from kolumn.metrics import psnr, ssim
from kolumn.nn import Unrolled
from kolumn.recon.card import measure
from kolumn.recon.weights import load_network
from kolumn.train import BEST, LAST, Settings, Trainer, load_checkpoint, make_network
from kolumn.train.distributed import Group
from kolumn.train.log import CSV, Log
from kolumn.train.loss import log_error, relative_error
from kolumn.train.models import make_optimizer
from kolumn.train.simulated import Simulated
from kolumn.train.validate import Examination, validate
from kolumn.train.watch import Watch

OFTEN = {"report_every": 1e-9, "save_every": 1e-9, "workers": 0}
DESCRIPTION = {"method": "gain", "options": {}, "batch_size": 3}


def trainer(folder, model=None, steps=6, source=None, examinations=None, **settings):
    model = Gain() if model is None else model
    wanted = Settings(steps=steps, **{**OFTEN, "validate_every": 1e9, **settings})
    return Trainer(model, DESCRIPTION, wanted, source or Batches(), examinations or {}, folder)


def rows(folder):
    with (folder / CSV).open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("clip", [1e9, 0.3])
def test_two_updates_are_those_of_the_equations(tmp_path, clip):
    """Gradient descent on the loss, by hand: with the rate of the schedule, and a gradient that is cut to a norm."""
    trainer(tmp_path, steps=2, lr=0.7, rule="sgd", clip=clip).run()
    w = torch.tensor([0.5, 0.0], dtype=torch.float64, requires_grad=True)
    for step in range(2):
        sample = Batches()[step]
        image = torch.complex(w[0], w[0] * w[1]) * sample.target / (2 - 0.6j)
        (g,) = torch.autograd.grad(log_error(image, sample.target), w)
        assert float(g.norm()) > 0.3
        rate = (step + 1) / 200 * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / 2)))
        w = (w - 0.7 * rate * g * min(1, clip / (float(g.norm()) + 1e-6))).detach().requires_grad_()
    torch.testing.assert_close(load_checkpoint(tmp_path / LAST)["model"]["weight"], w.detach(), rtol=1e-9, atol=0)


def test_it_learns_and_says_so(tmp_path):
    lines = []
    one = trainer(tmp_path, steps=250, lr=0.1)
    one.say = lines.append
    one.run()
    g, h = one.model.weight.tolist()
    assert abs(complex(g, g * h) - (2 - 0.6j)) < 0.05
    assert len(rows(tmp_path)) == 250
    losses = [float(row["loss"]) for row in rows(tmp_path)]
    assert losses[-1] < 0.03 < losses[0]
    assert [int(row["step"]) for row in rows(tmp_path)] == list(range(1, 251))
    assert "step 250, loss 0.0" in lines[-1] and "images/s" in lines[-1] and "0 s left" in lines[-1]


def test_logarithms_take_larger_steps():
    network = make_network("unrolled", {"n_cascades": 2, "channels": 2, "levels": 1})
    weights, logarithms = make_optimizer(network, "sgd", 0.01).param_groups
    assert {id(p) for p in logarithms["params"]} == {id(network.alpha), id(network.beta)}
    assert len(weights["params"]) + 2 == len(list(network.parameters()))
    assert (weights["lr"], logarithms["lr"]) == (0.01, 0.1)
    assert [g["lr"] for g in make_optimizer(make_network("learned-cs", {}), "adam", 0.01).param_groups] == [0.1]


def test_they_do_so_in_training(tmp_path):
    class Two(Gain):
        def __init__(self):
            super().__init__()
            self.alpha = torch.nn.Parameter(torch.tensor(0.0))

        def forward(self, acquisition):
            return super().forward(acquisition) * self.alpha.exp()

    one = trainer(tmp_path, Two(), steps=3, lr=0.5)
    one.run()
    rate = one.settings.rate(2, 0.0)
    assert [group["lr"] for group in one.optimizer.param_groups] == pytest.approx([0.5 * rate, 5 * rate])


def test_networks_and_options_that_are_none():
    with pytest.raises(ArgumentError, match=r"no network 'unroled' to train; .* did you mean 'unrolled'"):
        make_network("unroled", {})
    with pytest.raises(ArgumentError, match="network 'unet' has no option 'width'; it has channels"):
        make_network("unet", {"width": 3})
    a, b = (make_network("unet", {"channels": 2}, seed=s).state_dict() for s in (0, 1))
    assert not all(torch.equal(x, y) for x, y in zip(a.values(), b.values(), strict=True))


# --- going on


def test_going_on_is_bit_for_bit(tmp_path):
    """Straight through, or stopped twice and gone on with from the file alone."""
    options = {"n_cascades": 2, "channels": 2, "levels": 1}
    source = Simulated(sizes=(24,), coils={2: 1}, batch_size=2)
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    trainer(tmp_path / "a", make_network("unrolled", options), 9, source).run()
    for steps in (4, 5, 9):
        one = trainer(tmp_path / "b", make_network("unrolled", options, seed=steps), 9, source)
        if steps > 4:
            one.resume()
        else:
            one.model = make_network("unrolled", options)
            one.optimizer = make_optimizer(one.model, "adam", 1e-3)
        one._ended = lambda one=one, steps=steps: one.step >= steps
        one.run()
    a, b = (load_checkpoint(tmp_path / name / LAST) for name in "ab")
    assert a["step"] == b["step"] == 9
    for name, x in a["model"].items():
        assert torch.equal(x, b["model"][name]), name
    for i, state in a["optimizer"]["state"].items():
        for name, x in state.items():
            assert torch.equal(torch.as_tensor(x), torch.as_tensor(b["optimizer"]["state"][i][name]))
    assert a["watch"]["mean"] == b["watch"]["mean"]
    assert [row["loss"] for row in rows(tmp_path / "a")] == [row["loss"] for row in rows(tmp_path / "b")]


def test_going_on_remembers_how_well_it_went(tmp_path):
    one = trainer(tmp_path, steps=2)
    one.watch = Watch(0.5, 0.25, 0.125)
    one.run()
    two = trainer(tmp_path, steps=2)
    two.resume()
    assert two.watch == one.watch and (two.watch.lowest, two.watch.best) == (0.25, 0.125)
    assert two.seen == one.seen and len(two.seen.values["noise"]) == 6


def test_the_log_forgets_what_the_checkpoint_does_not_know(tmp_path):
    log = Log(tmp_path, ["step", "loss"])
    for step in range(1, 6):
        log.write({"step": step, "loss": step / 10})
    with (tmp_path / CSV).open("a") as file:
        file.write("6,0.")  # killed while writing
    Log(tmp_path, ["step", "loss", "more"], step=3).write({"step": 4, "loss": 0.25, "more": 1})
    assert rows(tmp_path) == [
        {"step": "1", "loss": "0.1", "more": ""},
        {"step": "2", "loss": "0.2", "more": ""},
        {"step": "3", "loss": "0.3", "more": ""},
        {"step": "4", "loss": "0.25", "more": "1"},
    ]


def test_another_training_is_not_gone_on_with(tmp_path):
    trainer(tmp_path, steps=2).run()
    other = trainer(tmp_path)
    other.description = {**DESCRIPTION, "batch_size": 4}
    with pytest.raises(ArgumentError, match="trained with batch_size 3 and now it is 4; give the same options"):
        other.resume()


def test_seconds_go_on_where_they_stopped(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(train_loop.time, "monotonic", lambda: now[0])

    class Slow(Batches):
        def __getitem__(self, i):
            now[0] += 10
            return super().__getitem__(i)

    source, validated = Slow(), []
    monkeypatch.setattr(train_loop, "validate", lambda *a: validated.append(now[0]) or {})
    minute = {**OFTEN, "minutes": 1.0, "validate_every": 35.0}
    one = Trainer(Gain(), DESCRIPTION, Settings(**minute), source, {}, tmp_path)
    one.run()
    assert (one.step, one.seconds) == (6, 60.0)
    now[0] = 5000.0
    two = Trainer(Gain(), DESCRIPTION, Settings(**{**minute, "minutes": 1.5}), source, {}, tmp_path)
    two.resume()
    two.run()
    assert (two.step, two.seconds) == (9, 90.0)
    assert [float(row["images_per_second"]) for row in rows(tmp_path)] == pytest.approx([0.3] * 9)
    assert validated == [140.0, 160.0, 5030.0]  # 35 seconds after the last time, and in the end


# --- stopping


def test_nan_stops_with_one_line_and_keeps_what_was_good(tmp_path):
    with pytest.raises(ConvergenceError, match="diverged at step 5: the loss is nan") as error:
        trainer(tmp_path, steps=9, source=Batches(bad=4)).run()
    assert "\n" not in str(error.value) and "--resume" in str(error.value)
    state = load_checkpoint(tmp_path / LAST)
    assert state["step"] == 4
    assert torch.isfinite(state["model"]["weight"]).all()
    assert len(rows(tmp_path)) == 4


def test_a_gradient_that_is_nan_stops_too(tmp_path):
    class Edge(Gain):
        def forward(self, acquisition):
            return super().forward(acquisition) + 0 * (self.weight[1] * 0).sqrt()

    with pytest.raises(ConvergenceError, match=r"diverged at step 1: .* norm nan"):
        trainer(tmp_path, Edge()).run()
    state = load_checkpoint(tmp_path / LAST)
    assert state["step"] == 0 and torch.equal(state["model"]["weight"], Gain().weight)


def test_growth_stops(tmp_path, monkeypatch):
    monkeypatch.setattr("kolumn.train.watch.WARMUP", 5)
    monkeypatch.setattr("kolumn.train.settings.WARMUP", 1)
    with pytest.raises(ConvergenceError, match="diverged at step"):
        trainer(tmp_path, steps=10**6, lr=-math.log(0.5) * 1e3, rule="sgd", clip=1e9).run()


# --- validation


class Twice(torch.nn.Module):
    def forward(self, acquisition):
        return Gain(2.0)(acquisition)


def test_validation_is_the_mean_over_all_images():
    source = [Batches(n, shape=(9, 8))[i] for i, n in enumerate((3, 1, 2, 3))]
    found = validate(Twice(), {"a": Examination(source, 3), "b": Examination(source, 1)}, Group())
    scores = []
    for sample in source[:3]:
        for image, target in zip(Gain(2.0)(sample.acquisition).detach(), sample.target, strict=True):
            x, t = image.abs(), target.abs()
            scores.append([float(relative_error(image, target)), psnr(t[None], x[None]), ssim(t[None], x[None])])
    scores = torch.tensor(scores)
    assert found["a loss"] == pytest.approx(float(scores[:, 0].mean()))
    assert found["a psnr"] == pytest.approx(float(scores[:, 1].mean()))
    assert found["a ssim"] == pytest.approx(float(scores[:, 2].mean()))
    assert found["b psnr"] == pytest.approx(float(scores[:3, 1].mean()))


def test_processes_share_the_batches():
    class Part(Group):
        def total(self, x):
            parts.append(x)
            return x

    source = [Batches(n, shape=(9, 8))[i] for i, n in enumerate((3, 1, 2, 3))]
    parts = []
    for rank in range(2):
        validate(Twice(), {"a": Examination(source, 4)}, Part(rank, 2))
    validate(Twice(), {"a": Examination(source, 4)}, Part())
    assert parts[0][0] == 5 and parts[1][0] == 4
    torch.testing.assert_close(parts[0] + parts[1], parts[2])


def test_only_the_first_process_writes(tmp_path):
    often = Settings(steps=2, **{**OFTEN, "validate_every": 1e-9})
    examinations = {"x": Examination([Batches(shape=(9, 8))[i] for i in range(2)], 2)}
    one = Trainer(Gain(), DESCRIPTION, often, Batches(), examinations, tmp_path, Group(rank=1))
    one.run()
    assert one.step == 2 and one.watch.best < 1 and not list(tmp_path.iterdir())


SMALL = Simulated(sizes=(32,), coils={2: 1, 4: 1}, families={"plain": lambda shape, g: torch.rand(shape, generator=g)})


def test_the_best_is_kept_with_its_card(tmp_path, monkeypatch):
    scores = iter([0.5, 0.3, 0.4, 0.6])
    monkeypatch.setattr(train_loop, "validate", lambda *a: {"x loss": next(scores), "x psnr": 30.0})
    model = Unrolled(n_cascades=1, channels=2, levels=1)
    one = Trainer(
        model,
        {"method": "unrolled", "options": model.options, "batch_size": 1},
        Settings(steps=4, **{**OFTEN, "validate_every": 1e-9}),
        SMALL,
        {"x": Examination(SMALL, 2)},
        tmp_path,
        card={"data": ("plain noise",), "licences": ("none",)},
    )
    one.run()
    assert load_checkpoint(tmp_path / BEST)["step"] == 2
    assert load_checkpoint(tmp_path / BEST)["watch"]["best"] == 0.3
    assert [row["x loss"] for row in rows(tmp_path)] == ["0.5", "0.3", "0.4", "0.6"]
    network, card = load_network("unrolled", tmp_path / "weights.safetensors")
    for name, x in load_checkpoint(tmp_path / BEST)["model"].items():
        torch.testing.assert_close(network.state_dict()[name].float(), x, rtol=1e-3, atol=1e-6)
    assert card.scores["x loss"] == 0.3 and card.scores["images seen"] == 2
    assert card.data == ("plain noise",) and card.licences == ("none",)
    assert set(card.masks) == {*SMALL.masks.kinds, "gaussian2d", "poisson"}
    first, second = (measure(SMALL[i].acquisition) for i in range(2))
    assert set(card.trained) == set(first)
    for name, ends in card.trained.items():  # of the two images until then, not of the other two
        assert ends == (min(first[name] + second[name]), max(first[name] + second[name])), name


def test_each_validation_is_of_the_weights_as_they_are_then(tmp_path):
    """Of as many channels as the compiled denoiser takes, which must not go on with what it first saw."""
    options = {"n_cascades": 1, "channels": 8, "levels": 1, "n_again": 0}
    description = {"method": "unrolled", "options": options, "batch_size": 1}
    often, examinations = Settings(steps=3, lr=3.0, **{**OFTEN, "validate_every": 1e-9}), {"x": Examination(SMALL, 1)}
    Trainer(make_network("unrolled", options), description, often, SMALL, examinations, tmp_path).run()
    first, _, last = (float(row["x loss"]) for row in rows(tmp_path))
    fresh = make_network("unrolled", options).eval()
    fresh.load_state_dict(load_checkpoint(tmp_path / LAST)["model"])
    assert last == pytest.approx(validate(fresh, examinations, Group())["x loss"], rel=1e-5)
    assert abs(last - first) > 1e-3 * first


def test_validation_is_in_evaluation_mode_and_training_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(train_loop, "save_weights", lambda *a: None)
    modes = []

    class Moody(Gain):
        def forward(self, acquisition):
            modes.append((self.training, torch.is_grad_enabled()))
            return super().forward(acquisition)

    examination = Examination([Batches(shape=(9, 8))[0]], 1)
    trainer(tmp_path, Moody(), 3, examinations={"x": examination}, validate_every=1e-9).run()
    assert modes == [(True, True), (False, False)] * 3


def test_the_best_has_the_lowest_mean_of_all_losses(tmp_path, monkeypatch):
    scores = iter([(0.5, 0.5), (0.1, 1.2), (0.7, 0.1), (0.5, 0.6)])
    monkeypatch.setattr(train_loop, "save_weights", lambda *a: None)
    found = ({"x loss": a, "x psnr": -50 * a, "y loss": b} for a, b in scores)
    monkeypatch.setattr(train_loop, "validate", lambda *a: next(found))
    examinations = {name: Examination(Batches(), 1) for name in "xy"}
    trainer(tmp_path, steps=4, examinations=examinations, validate_every=1e-9).run()
    best = load_checkpoint(tmp_path / BEST)
    assert best["step"] == 3 and best["watch"]["best"] == pytest.approx(0.4)


def test_schedule_free_is_validated_and_kept_at_its_average(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(train_loop, "validate", lambda model, *a: seen.append(model.weight.tolist()) or {"x loss": 1.0})
    monkeypatch.setattr(train_loop, "save_weights", lambda *a: None)
    one = trainer(
        tmp_path, steps=30, rule="schedule-free-adamw", lr=0.05, examinations={"x": Examination(Batches(), 1)}
    )
    one.run()
    assert load_checkpoint(tmp_path / BEST)["model"]["weight"].tolist() == seen[-1] != one.model.weight.tolist()
    before = one.model.weight.tolist()
    (tmp_path / LAST).write_bytes((tmp_path / BEST).read_bytes())
    two = trainer(tmp_path, Gain(7.0), steps=30, rule="schedule-free-adamw", lr=0.05)
    two.resume()
    assert two.model.weight.tolist() == pytest.approx(before, rel=1e-9)


def test_tensorboard_is_an_extra(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(MissingExtraError, match=r'pip install "kolumn\[tensorboard\]"'):
        trainer(tmp_path, tensorboard=True).run()


def test_brightness_of_a_batch_has_no_say(tmp_path):
    """A batch of 1 : 30 : 0.1 gives the update of three images of one brightness."""

    class Even(Batches):
        def __getitem__(self, i):
            sample = super().__getitem__(i)
            scale = torch.tensor(BRIGHTNESS)[:, None, None]
            k = sample.acquisition.kspace / scale[..., None]
            return replace(sample, acquisition=replace(sample.acquisition, kspace=k), target=sample.target / scale)

    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    trainer(tmp_path / "a", rule="sgd").run()
    trainer(tmp_path / "b", rule="sgd", source=Even()).run()
    a, b = (load_checkpoint(tmp_path / name / LAST)["model"]["weight"] for name in "ab")
    torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-9)
