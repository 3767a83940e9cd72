"""What holds where nothing is said: the values of torch, or else of the paper or its authors' program."""

import inspect

import pytest
import torch

from kolumn.optim import RULES

OF_TORCH = {
    "sgd": torch.optim.SGD,
    "rmsprop": torch.optim.RMSprop,
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "amsgrad": torch.optim.Adam,
}
OF_THE_PAPER = {
    "lamb": {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-6, "weight_decay": 0.01, "bias_correction": True},
    "schedule-free-sgd": {"lr": 1.0, "momentum": 0.9, "weight_decay": 0.0},
    "schedule-free-adamw": {"lr": 2.5e-3, "betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.0},
}


def defaults(rule):
    return {name: option.default for name, option in RULES[rule].options.items()}


@pytest.mark.parametrize("rule", OF_TORCH)
def test_defaults_are_those_of_torch(rule):
    theirs = {name: p.default for name, p in inspect.signature(OF_TORCH[rule]).parameters.items()}
    theirs |= {"bias_correction": True}
    assert defaults(rule) == {name: theirs[name] for name in defaults(rule)}


@pytest.mark.parametrize("rule", OF_THE_PAPER)
def test_defaults_are_those_of_the_paper(rule):
    assert defaults(rule) == OF_THE_PAPER[rule]
