"""Buffers and bytes, against what the lecture says."""

import pytest
import torch

from kolumn.optim import Optimizer, memory


def after_a_step(rule, shape=(30, 7), dtype=torch.float32, **options):
    params = [torch.nn.Parameter(torch.ones(shape, dtype=dtype)), torch.nn.Parameter(torch.ones(3, dtype=dtype))]
    optimizer = Optimizer(params, rule, **options)
    for p in params:
        p.grad = torch.ones_like(p)
    optimizer.step()
    return memory(optimizer)


def test_muon_keeps_a_mean_square_of_vectors_alone():
    assert after_a_step("muon").buffers == pytest.approx((2 * 210 + 3 * 3) / 213)


@pytest.mark.parametrize(
    ("rule", "options", "buffers"),
    [
        ("sgd", {}, 1),
        ("sgd", {"momentum": 0.9}, 2),
        ("rmsprop", {}, 2),
        ("rmsprop", {"momentum": 0.9}, 3),
        ("rmsprop", {"momentum": 0.9, "centered": True}, 4),
        ("adam", {}, 3),
        ("adamw", {}, 3),
        ("amsgrad", {}, 4),
        ("schedule-free-sgd", {}, 2),
        ("schedule-free-adamw", {}, 3),
        ("lamb", {}, 3),
    ],
)
def test_buffers(rule, options, buffers):
    assert after_a_step(rule, **options) == (buffers, 4 * buffers)
    assert after_a_step(rule, dtype=torch.float64, **options) == (buffers, 8 * buffers)
    assert after_a_step(rule, dtype=torch.bfloat16, **options) == (buffers, 4 * buffers - 2)


def test_optimizers_of_torch_and_parameters_without_a_gradient():
    p, q = torch.nn.Parameter(torch.ones(10)), torch.nn.Parameter(torch.ones(10))
    optimizer = torch.optim.Adam([p, q])
    p.grad = torch.ones(10)
    optimizer.step()
    assert memory(optimizer) == ((20 + 20 + 1) / 20, (20 + 20 + 1) * 4 / 20)  # torch counts its steps in a tensor
