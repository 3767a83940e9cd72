"""The loss, and the decisions that do not need a network."""

from __future__ import annotations

import math

import pytest
import torch
from tiny import BRIGHTNESS, draw

from kolumn.errors import ArgumentError
from kolumn.train import Settings
from kolumn.train.loss import log_error, relative_error
from kolumn.train.meter import Every, Meter, duration
from kolumn.train.watch import Watch


def test_relative_error_is_its_equation():
    x, t = draw(3, 7, 9), draw(3, 7, 9, seed=1)
    scale = torch.tensor(BRIGHTNESS, dtype=torch.float64)[:, None, None]
    wanted = 0.0
    for a, b in zip(x, t, strict=True):
        two = float((a - b).abs().square().sum().sqrt() / b.abs().square().sum().sqrt())
        one = float((a - b).abs().sum() / b.abs().sum())
        wanted += (one + two) / 2 / 3
    assert float(relative_error(x, t)) == pytest.approx(wanted, rel=1e-12)
    assert float(relative_error(scale * x, scale * t)) == pytest.approx(wanted, rel=1e-12)
    assert float(relative_error(t, t)) == 0


def test_log_error_is_the_mean_over_images_of_the_logarithm():
    x, t = draw(3, 7, 9), draw(3, 7, 9, seed=1)
    x[1] = t[1] + 1e-3 * x[1]
    each = [float(relative_error(a[None], b[None])) for a, b in zip(x, t, strict=True)]
    assert float(log_error(x, t)) == pytest.approx(sum(math.log(e + 1e-4) for e in each) / 3, rel=1e-12)
    assert float(log_error(t, t)) == pytest.approx(math.log(1e-4))


def test_its_gradient_is_finite_where_the_error_is_zero():
    t = draw(2, 5, 4)
    x = t.clone()
    x[0, 2:] += 0.1
    x.requires_grad_()
    log_error(x, t).backward()
    assert torch.isfinite(torch.view_as_real(x.grad)).all() and x.grad[0].abs().sum() > 0
    blank = torch.zeros(1, 5, 4, dtype=torch.complex128)
    assert math.isfinite(float(relative_error(blank, blank)))


def test_gradient_against_differences():
    t = draw(2, 3, 4, seed=1)
    assert torch.autograd.gradcheck(lambda x: relative_error(x, t), draw(2, 3, 4).requires_grad_())


def test_rate_rises_and_falls():
    s = Settings(steps=1000)
    assert s.rate(0, 0) == pytest.approx(1 / 200)
    assert s.rate(99, 0) == pytest.approx(0.5 * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * 0.099))))
    assert s.rate(500, 1e9) == pytest.approx(0.505)
    assert s.rate(1000, 0) == pytest.approx(0.01)
    assert s.rate(999, 0, falling=False) == 1
    m = Settings(minutes=2)
    assert m.share(10**9, 30) == 0.25
    assert m.rate(10**6, 60) == pytest.approx(0.505)
    assert m.rate(10**6, 500) == pytest.approx(0.01)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "either steps or minutes"),
        ({"steps": 3, "minutes": 3}, "either steps or minutes"),
        ({"steps": 0}, "steps is 0"),
        ({"minutes": -1.0}, "minutes is -1"),
        ({"minutes": math.inf}, "minutes is inf"),
        ({"steps": 3, "lr": 0.0}, "lr is 0.0"),
        ({"steps": 3, "lr": math.nan}, "lr is nan"),
        ({"steps": 3, "clip": -1.0}, "clip is -1.0"),
        ({"steps": 3, "validate_every": 0.0}, "validate_every is 0.0"),
        ({"steps": 3, "workers": -1}, "workers is -1"),
    ],
)
def test_settings_that_make_no_sense(options, says):
    with pytest.raises(ArgumentError, match=says):
        Settings(**options)


def test_watch_sees_nan_and_growth_but_not_noise():
    watch = Watch()
    assert not Watch().goes_well(math.nan, 0) and not Watch().goes_well(math.inf, 500)
    assert watch.goes_well(1.0, 0) and watch.mean == 1.0
    assert watch.goes_well(0.0, 1) and watch.mean == pytest.approx(0.99)
    assert watch.lowest == math.inf  # the learning rate is still rising
    for step in range(2, 900):
        assert watch.goes_well(0.1 * (1 + 0.9 * (-1) ** step), step)
    assert watch.goes_well(2.0, 900)  # one bad batch
    steps = 0
    while watch.goes_well(1.0, 901 + steps):
        steps += 1
        assert steps < 100
    assert watch.mean > 3 * watch.lowest


def test_every():
    every = Every(10.0, 5.0)
    assert [every.due(t) for t in (5, 14.9, 15, 16, 24.9, 30, 39, 41)] == [
        False,
        False,
        True,
        False,
        False,
        True,
        False,
        True,
    ]


def test_meter_and_duration():
    meter = Meter(10.0)
    meter.add(1.0, 2)
    meter.add(4.0, 6)
    assert meter.means(14.0) == {"loss": 2.5, "images_per_second": 2.0}
    assert [duration(s) for s in (0.2, 29, 31, 3540, 3600, 7500)] == [
        "0 s",
        "29 s",
        "1 min",
        "59 min",
        "1 h 00 min",
        "2 h 05 min",
    ]
