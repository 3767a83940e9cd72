"""Muon: momentum whose matrices are made orthogonal."""

from __future__ import annotations

import torch
from torch import Tensor

from .adam import ADAM, adam
from .rule import Options, Rule, State, at_least_zero, fraction

_POLYNOMIAL = (3.4445, -4.7750, 2.0315)
_TIMES = 5
_SIZE = 0.2  # root mean square of a step, in units of gamma: about that of Adam's


def muon(
    w: Tensor,
    g: Tensor,
    state: State,
    *,
    lr: float,
    momentum: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> tuple[Tensor, State]:
    """All directions that a layer's momentum has get steps of about the same length, strong or weak as they are.

        m <- mu m + (1 - mu) g
        w <- (1 - gamma lambda) w - gamma 0.2 sqrt(max(rows, columns)) O(mu m + (1 - mu) g)

    from m = 0, where O(G) makes the singular values of a matrix about 1 (0.7 to 1.2) and leaves its singular vectors
    as they are: five times X <- a X + b X X^T X + c X X^T X X^T X, from X = G / ||G||. A convolution's weight is a
    matrix with a row for each of the channels that are its first axis. The factor makes a step as large as Adam's,
    so that Adam's rates serve; and what has no rows and columns, as biases and scales, takes a step of Adam, with the
    same decay.

    References: Muon: an optimizer for hidden layers in neural networks, Jordan et al., 2024; Muon is scalable for LLM
    training, Liu et al., 2025, arXiv:2502.16982 (the factor).

    Args:
        w: parameters of one layer, real, any shape.
        g: the gradient at w.
        state: t, steps so far, and m; v too for what Adam does.
        lr: gamma >= 0; 1e-3 by default.
        momentum: mu, at least 0 and below 1; 0.95 by default.
        betas: of Adam, for vectors and numbers.
        eps: of Adam.
        weight_decay: lambda >= 0; 0 by default.
    """
    w = (1 - lr * weight_decay) * w
    if w.ndim < 2 or not w.numel():
        return adam(w, g, state, lr=lr, betas=betas, eps=eps, weight_decay=0.0, bias_correction=True)
    m = momentum * state["m"] + (1 - momentum) * g
    direction = (momentum * m + (1 - momentum) * g).reshape(len(w), -1)
    step = _SIZE * max(direction.shape) ** 0.5 * orthogonalised(direction)
    return w - lr * step.reshape(w.shape), {"t": state["t"] + 1, "m": m}


def orthogonalised(G: Tensor) -> Tensor:
    """G with singular values of about 1, by Newton and Schulz; 0 stays 0."""
    a, b, c = _POLYNOMIAL
    tall = G.shape[0] > G.shape[1]
    size = torch.linalg.vector_norm(G)
    X = (G.mT if tall else G) / torch.where(size > 0, size, 1.0)
    for _ in range(_TIMES):
        S = X @ X.mT
        X = a * X + (b * S + c * S @ S) @ X
    return X.mT if tall else X


def begin(w: Tensor, options: Options) -> State:
    """No steps, and no momentum; a mean square for what Adam does."""
    state = {"t": 0, "m": torch.zeros_like(w)}
    return state if w.ndim > 1 and w.numel() else state | {"v": torch.zeros_like(w)}


MUON = Rule(
    muon,
    begin,
    {
        "lr": at_least_zero(1e-3),
        "momentum": fraction(0.95),
        "betas": ADAM.options["betas"],
        "eps": ADAM.options["eps"],
        "weight_decay": at_least_zero(0.0),
    },
    parts=False,
)
