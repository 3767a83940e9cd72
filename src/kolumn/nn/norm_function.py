"""Normalisation as one function of which axes are averaged, with its backward pass written out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from ..errors import ArgumentError
from . import norm_batch, norm_elements, norm_group, norm_instance, norm_plain
from .norm_kernels import Shape, shape_beside

_KERNELS = (norm_batch, norm_instance, norm_elements, norm_group)  # the first that fits is the fastest


def normalise(
    x: Tensor, dim: Sequence[int], a: Tensor | None = None, b: Tensor | None = None, eps: float = 1e-5
) -> Tensor:
    """Subtract the mean, divide by the standard deviation, then scale and shift.

        y = a xhat + b,    xhat = (x - mu) / sigma,    mu = mean(x),    sigma^2 = mean((x - mu)^2) + eps

    with means over the axes ``dim``: batch, layer, instance and group normalisation differ in nothing else.

    The backward pass goes through mu and sigma. Let g = a dL/dy be the gradient for xhat, and n the number of values
    in a mean. A change of x moves each of the three:

        d mu = mean(dx),    d sigma = mean(xhat dx),    d xhat = (dx - d mu - xhat d sigma) / sigma

    (the second since 2 sigma d sigma = 2 mean((x - mu) (dx - d mu)), where d mu drops out because mean(x - mu) = 0).
    Then dL = sum(g d xhat) = sum((g dx - g mean(dx) - g xhat mean(xhat dx)) / sigma), and with
    sum(u mean(v)) = sum(mean(u) v) what stands before each dx is

        dL/dx = (g - mean(g) - xhat mean(g xhat)) / sigma,    dL/da = sum(xhat dL/dy),    dL/db = sum(dL/dy).

    Without the two means, statistics would be constants: the steps then ignore that normalisation undoes part of them.
    The second derivative differentiates these equations as they stand.

    Reference: Batch normalization: accelerating deep network training by reducing internal covariate shift, Ioffe and
    Szegedy, 2015, arXiv:1502.03167.

    Args:
        x: real, any shape and order in memory, which y has as well.
        dim: the axes that are averaged. Statistics are in single precision or better.
        a: scale, broadcasts against x; None: 1.
        b: shift, broadcasts against x; None: 0.
        eps: added to the variance, in the unit of x squared, >= 0; a constant x gives y = b where it is > 0.

    Raises:
        ArgumentError: x is not of a real floating type, or has no such axes.
    """
    return normalise_and_measure(x, dim, a, b, eps)[0]


def normalise_and_measure(
    x: Tensor, dim: Sequence[int], a: Tensor | None = None, b: Tensor | None = None, eps: float = 1e-5
) -> tuple[Tensor, Tensor, Tensor]:
    """The output of :func:`normalise`, mu, and the variance mean((x - mu)^2), with length 1 for each axis of ``dim``.

    No gradient goes through the latter two, which are there for running statistics.
    """
    if not x.is_floating_point():
        raise ArgumentError(f"x is of type {x.dtype}; wanted real floating-point numbers")
    if not dim or not all(-x.ndim <= d < x.ndim for d in dim):
        raise ArgumentError(f"dim is {tuple(dim)}; wanted one or more axes of x, which has {x.ndim}")
    y, mu, var = _Normalise.apply(x, tuple(sorted({d % x.ndim for d in dim})), a, b, eps)  # type: ignore[no-untyped-call]
    return y, mu, var


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, dim: Shape, a: Tensor | None, b: Tensor | None, eps: float
    ) -> tuple[Tensor, Tensor, Tensor]:
        engine = norm_plain if torch.compiler.is_compiling() else _engine(x, dim, a, b)
        y, mu, var = engine.forward(x, dim, a, b, eps)
        ctx.save_for_backward(x, a, b, mu, var)
        ctx.dim, ctx.eps, ctx.engine = dim, eps, engine
        ctx.mark_non_differentiable(mu, var)
        return y, mu, var

    @staticmethod
    def backward(ctx: Any, dy: Tensor, *_: Tensor) -> tuple[Tensor | None, ...]:
        x, a, b, mu, var = ctx.saved_tensors
        engine = norm_plain if torch.is_grad_enabled() else ctx.engine  # enabled: a second derivative may follow
        dx, da, db = engine.backward(dy, x, ctx.dim, a, b, ctx.eps, mu, var)
        return dx, None, _summed(da, a), _summed(db, b), None


def _engine(x: Tensor, dim: Shape, a: Tensor | None, b: Tensor | None) -> ModuleType:
    shapes = tuple(shape_beside(x, p) for p in (a, b) if p is not None)
    return next((kernel for kernel in _fitting(tuple(x.shape), dim, shapes) if kernel.takes(x)), norm_plain)


@lru_cache(maxsize=256)
def _fitting(shape: Shape, dim: Shape, affine: tuple[Shape, ...]) -> tuple[ModuleType, ...]:
    return tuple(kernel for kernel in _KERNELS if kernel.fits(shape, dim, affine))


def _summed(gradient: Tensor, p: Tensor | None) -> Tensor | None:
    """The gradient for what was broadcast."""
    return None if p is None else gradient.sum_to_size(p.shape).to(p.dtype)
