"""A network that learns from the very scan that it is about to reconstruct."""

from __future__ import annotations

import copy
from dataclasses import replace

import torch
from torch import Generator, Tensor, nn

from ..acquisition import Acquisition
from ..coils import root_sum_of_squares
from ..nn.level import or_one
from ..nn.logarithms import weights_and_logarithms
from ..operators import encoding
from ..optim import Optimizer

_RATE, _LOGARITHMIC_RATE = 1e-4, 3e-2  # of Adam, for weights and for logarithms of penalties and thresholds
_FRACTION = 0.25  # of what may be hidden that is hidden in each step
_PARTS = 4
_MIDDLE = 1  # columns on either side of the centre that are never hidden, or samples in each direction


def adapt(network: nn.Module, entry: Acquisition, steps: int, seed: int = 0) -> nn.Module:
    """A copy of the network after some steps of Adam on what it can predict of the scan from the rest of it.

    Each step hides another quarter h of the acquired columns, or of the samples where those are single ones, and
    compares what the network makes of the others, of mask m, with what was measured:

        x = f(m y, m, S),   e = h (F S x - y)
        loss = 1/2 |e|_2 / |h y|_2 + 1/2 |e|_1 / |h y|_1

    No other scan is needed, nor a reference.

    Reference: Zero-shot self-supervised learning for MRI reconstruction, Yaman, Hosseini and Akcakaya, 2022,
    arXiv:2102.07737.

    Args:
        network: acquisition to image (y, x), times the root sum of squares of its maps; it is left as it is.
        entry: k-space y (coil, ky, kx), with maps S unless it has a single coil.
        steps: of Adam.
        seed: of what is hidden.

    Returns:
        nn.Module: ready for use. It is the network that came where nothing is missing, where nothing can be hidden,
        where a loss was not finite, and where the loss, over four sets that hide everything once, has not fallen.
    """
    free = hideable(entry.mask)
    if bool(entry.mask.all()) or not bool(free.any()):
        return network
    before = _loss_of_parts(network, entry, free)
    adapted = copy.deepcopy(network).eval().requires_grad_(True)  # running statistics, if any, stay
    optimizer, generator = _optimizer(adapted), Generator().manual_seed(seed)
    for _ in range(steps):
        with torch.enable_grad():
            loss = hidden_loss(adapted, entry, draw(free, generator))
        if not bool(torch.isfinite(loss)):
            return network
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
    adapted.requires_grad_(False)
    return adapted if _loss_of_parts(adapted, entry, free) < before else network  # what is no number is not less


def hidden_loss(network: nn.Module, entry: Acquisition, hidden: Tensor) -> Tensor:
    """How far from the hidden samples is what the network makes of the others: the loss of :func:`adapt`.

    Args:
        network: acquisition to image (y, x), times the root sum of squares of its maps.
        entry: k-space y (coil, ky, kx), with maps unless it has a single coil.
        hidden: h, bool, of the shape of the mask and only where that is True.
    """
    seen = entry.mask & ~hidden
    x = network(replace(entry, kspace=entry.kspace * seen, mask=seen))
    A = encoding(replace(entry, mask=hidden))
    y = entry.kspace * hidden
    e = A.forward((x / or_one(root_sum_of_squares(A.coils.maps[0])))[None]) - y
    return (_ratio(e, y, 2) + _ratio(e, y, 1)) / 2


def hideable(mask: Tensor) -> Tensor:
    """Where samples may be hidden, bool (ky or 1, kx): all that any coil has acquired, but for the very middle."""
    free = mask.reshape(-1, *mask.shape[-2:]).any(0)
    near = [(torch.arange(n, device=mask.device) - n // 2).abs() <= _MIDDLE for n in free.shape]
    return free & ~(near[0][:, None] & near[1])  # a single row is the middle one


def draw(free: Tensor, generator: Generator) -> Tensor:
    """A random quarter of what is True, of the same shape, and one at least."""
    places = free.flatten().nonzero()[:, 0]
    chance = torch.rand(len(places), generator=generator)
    chosen = chance <= chance.min().clamp_min(_FRACTION)
    hidden = torch.zeros_like(free).flatten()
    hidden[places[chosen.to(places.device)]] = True
    return hidden.reshape(free.shape)


@torch.no_grad()
def _loss_of_parts(network: nn.Module, entry: Acquisition, free: Tensor) -> float:
    places = free.flatten().nonzero()[:, 0]
    losses = []
    for i in range(min(_PARTS, len(places))):
        hidden = torch.zeros_like(free).flatten()
        hidden[places[i::_PARTS]] = True
        losses.append(float(hidden_loss(network, entry, hidden.reshape(free.shape))))
    return sum(losses)


def _ratio(e: Tensor, y: Tensor, p: int) -> Tensor:
    return torch.linalg.vector_norm(e, p) / or_one(torch.linalg.vector_norm(y, p))


def _optimizer(network: nn.Module) -> Optimizer:
    weights, logarithms = weights_and_logarithms(network)
    groups = [{"params": weights, "lr": _RATE}, {"params": logarithms, "lr": _LOGARITHMIC_RATE}]
    return Optimizer([group for group in groups if group["params"]], rule="adam")
