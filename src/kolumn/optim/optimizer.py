"""One optimizer of torch that applies any rule."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ..errors import ArgumentError
from . import blocks, fused
from .blocks import Item
from .check import check, find
from .layout import like, real
from .rule import Options, Rule, State

_NOT_OPTIONS = ("params", "param_names", "initial_lr")


class Optimizer(torch.optim.Optimizer):
    """w, state <- rule(w, gradient, state) for each parameter, in place.

    It works where an optimizer of torch does: learning-rate schedulers, parameter groups with options of their own,
    ``state_dict``, closures, gradient scalers. The rules are pure functions (``kolumn.optim.RULES``); this one
    applies them at the speed of the memory, by kernels of torch that pass over it once, or else in blocks that fit
    into the cache.

    The state has the precision of the parameter, and float32 where that has less. A complex parameter is a pair of
    real ones. Each parameter counts its own steps: one without a gradient is left alone.

    Args:
        params: parameters, or dicts with "params" and options of their own, or (name, parameter) pairs.
        rule: one of ``RULES``.
        lr: learning rate; None: the rule's default.
        options: of the rule; its docstring has them and their defaults.

    Raises:
        ArgumentError: an unknown rule or option, a value that it does not take, or a parameter that is not a number
            with a fraction.
    """

    def __init__(self, params: ParamsT, rule: str = "adam", lr: float | None = None, **options: Any) -> None:
        if lr is not None:
            options["lr"] = lr
        check(rule, options)
        defaults = {name: option.default for name, option in find(rule).options.items()}
        super().__init__(params, {"rule": rule, **defaults, **options})

    @property
    def rule(self) -> Rule:
        """The rule that is applied."""
        return find(self.defaults["rule"])

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters, with options of their own where the group has them.

        Raises:
            ArgumentError: an option that the rule does not have or take, or a parameter that cannot be optimized.
        """
        given = {name: value for name, value in param_group.items() if name not in _NOT_OPTIONS}
        check(self.defaults["rule"], given)
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for p in group["params"]:
            if not (p.is_floating_point() or p.is_complex()):
                raise ArgumentError(f"a parameter is of type {p.dtype}; wanted real or complex numbers")
        group["evaluating"] = False

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; returns what ``closure`` does, which is called first.

        Raises:
            ArgumentError: a sparse gradient; or the parameters are those for evaluation.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            if group["evaluating"]:
                raise ArgumentError("a step while the parameters are those for evaluation; call .train() before it")
            options = self._options(group)
            items = [self._item(p, p.grad, options) for p in group["params"] if p.grad is not None]
            rest = fused.take(self.defaults["rule"], items, options)
            blocks.apply(self.rule, rest, options)
        return loss

    def eval(self) -> None:
        """Make the parameters those to evaluate and to keep: the average, for Schedule-Free; else they stay."""
        if self.rule.evaluated is not None:
            self._move(self.rule.evaluated, True)

    def train(self) -> None:
        """Make the parameters those to train again; see :meth:`eval`."""
        if self.rule.trained is not None:
            self._move(self.rule.trained, False)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from what :meth:`state_dict` returned, bit for bit.

        Raises:
            ArgumentError: it is of another rule.
        """
        groups = state_dict["param_groups"]
        rules = {group.get("rule", "another optimizer") for group in groups}
        if rules != {self.defaults["rule"]}:
            raise ArgumentError(f"the state is of {', '.join(sorted(rules))}; wanted one of {self.defaults['rule']}")
        super().load_state_dict(state_dict)
        numbers = [i for group in groups for i in group["params"]]
        params = [p for group in self.param_groups for p in group["params"]]
        for i, p in zip(numbers, params, strict=True):  # torch has rounded it to the precision of the parameter
            for name, x in state_dict["state"].get(i, {}).items():
                self.state[p][name] = x.to(p.device, copy=True) if isinstance(x, Tensor) else x

    def _item(self, p: Tensor, g: Tensor, options: Options) -> Item:
        if g.is_sparse:
            raise ArgumentError("a gradient is sparse; wanted a dense one, as from Embedding(sparse=False)")
        w, g = (real(p), real(g)) if p.is_complex() else (p, g)
        return Item(w, like(g, w), self.state[p] or self._state(p, w, options))

    def _state(self, p: Tensor, w: Tensor, options: Options) -> State:
        state: State = self.state[p]
        state.update(self.rule.begin(w.to(torch.promote_types(w.dtype, torch.float32)), options))
        return state

    def _options(self, group: dict[str, Any]) -> Options:
        return {name: group[name] for name in self.rule.options}

    @torch.no_grad()
    def _move(self, to: Callable[..., Tensor], evaluating: bool) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                if self.state.get(p) and group["evaluating"] != evaluating:
                    w = real(p)
                    w.copy_(to(w, self.state[p], **self._options(group)))
            group["evaluating"] = evaluating
