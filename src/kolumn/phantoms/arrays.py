"""Sensitivity maps of coil arrays from the laws of magnetism."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .checks import Shape, require_count, require_shape

DISTANCE = 1.3  # of the loops from the centre, in half fields of view: a hand's breadth from the head
WIRE = 0.15  # thickness of a conductor, same unit; keeps the field finite where a wire touches a corner


def birdcage(n_coils: int, shape: Shape, distance: float = 1.5) -> Tensor:
    """Straight infinitely long wires along z around the object, the rungs of a birdcage, received one by one.

        B_x - i B_y  ~  1 / (w_c - w),   w = x + i y

    References:
        The NMR phased array, P. B. Roemer et al., 1990, doi:10.1002/mrm.1910160203. An efficient, highly
        homogeneous radiofrequency coil for whole-body NMR imaging at 1.5 T, C. E. Hayes et al., 1985,
        doi:10.1016/0022-2364(85)90257-4.

    Args:
        n_coils: number of rungs.
        shape: (y, x), pixels.
        distance: of the rungs from the centre, in half fields of view; above sqrt(2) they are outside of it.

    Returns:
        Tensor: complex64 (coil, y, x) of unit root sum of squares; ones for one coil.

    Raises:
        ArgumentError: n_coils below 1 or a shape below 16 pixels.
    """
    require_count("n_coils", n_coils)
    require_shape(shape)
    y, x = _plane(shape)
    angle = _angles(n_coils)[:, None, None]
    wire = torch.complex(distance * _half(shape, 1) * angle.cos(), distance * _half(shape, 0) * angle.sin())
    # The constant phase of each rung makes its own centre line real.
    return _normalised(torch.polar(torch.ones_like(angle), angle) / (wire - torch.complex(x, y)))


def biot_savart(n_coils: int, shape: Shape, distance: float = DISTANCE, radius: float | None = None) -> Tensor:
    """Circular loops on an ellipse around the object, facing its centre.

        s_c = B_x - i B_y,   B(p) = (mu_0 I / 4 pi) closed integral of dl x (p - l) / |p - l|^3

    References:
        The NMR phased array, P. B. Roemer et al., 1990, doi:10.1002/mrm.1910160203. The principle of reciprocity
        in signal strength calculations, D. I. Hoult, 2000, doi:10.1002/1099-0534(2000)12:4<173::AID-CMR1>3.0.CO;2-Q.

    Args:
        n_coils: number of loops.
        shape: (y, x), pixels.
        distance: of the loops from the centre, in half fields of view.
        radius: of a loop, in halves of the larger field of view; None lets neighbours overlap a little.

    Returns:
        Tensor: complex64 (coil, y, x) of unit root sum of squares; ones for one coil.

    Raises:
        ArgumentError: n_coils below 1 or a shape below 16 pixels.
    """
    require_count("n_coils", n_coils)
    require_shape(shape)
    y, x = _plane(shape)
    points = torch.stack((x.expand(shape), y.expand(shape), torch.zeros(shape)), -1).reshape(-1, 3)
    a, b = distance * _half(shape, 1), distance * _half(shape, 0)
    radius = radius or min(max(0.6 * 2 * math.pi * math.sqrt(a * b) / n_coils, 0.3), 0.6)
    maps = []
    for angle in _angles(n_coils).tolist():
        centre = torch.tensor((a * math.cos(angle), b * math.sin(angle), 0.0))
        inwards = -torch.tensor((math.cos(angle) / a, math.sin(angle) / b, 0.0))
        field = loop_field(points, centre, inwards / inwards.norm(), radius, WIRE)
        maps.append(torch.complex(field[:, 0], -field[:, 1]).reshape(shape))
    return _normalised(torch.stack(maps))


def loop_field(
    points: Tensor, centre: Tensor, normal: Tensor, radius: float, wire: float = 0.0, n_segments: int = 48
) -> Tensor:
    """Magnetic field of a circular loop of current, for mu_0 I / 4 pi = 1.

        B(p) = sum_j dl_j x (p - l_j) / (|p - l_j|^2 + wire^2)^(3/2)

    which is the trapezoidal rule, exact to machine precision some segment lengths away from the wire.

    Args:
        points: p, (point, 3).
        centre: of the loop, (3,).
        normal: unit vector (3,); the current runs round it right-handed.
        radius: in the unit of the points.
        wire: thickness that keeps the field finite on the wire.
        n_segments: number of points l_j around the loop.

    Returns:
        Tensor: B, (point, 3).
    """
    e1 = torch.linalg.cross(normal, torch.eye(3, dtype=normal.dtype)[int(normal.abs().argmin())])
    e1 = e1 / e1.norm()
    e2 = torch.linalg.cross(normal, e1)
    t = torch.arange(n_segments, dtype=normal.dtype)[:, None] * (2 * math.pi / n_segments)
    l = centre + radius * (t.cos() * e1 + t.sin() * e2)  # noqa: E741
    dl = (2 * math.pi / n_segments) * radius * (t.cos() * e2 - t.sin() * e1)
    square = sum((points[:, i, None] - l[:, i]) ** 2 for i in range(3)) + wire**2
    weight = square.rsqrt() / square
    # sum_j w_j dl_j x (p - l_j) = (sum_j w_j dl_j) x p - sum_j w_j dl_j x l_j
    field: Tensor = torch.linalg.cross(weight @ dl, points) - weight @ torch.linalg.cross(dl, l)
    return field


ARRAYS: dict[str, Callable[[int, Shape], Tensor]] = {"birdcage": birdcage, "biot-savart": biot_savart}


def _half(shape: Shape, axis: int) -> float:
    """Half a field of view, in halves of the larger one: pixels are square."""
    return shape[axis] / max(shape)


def _plane(shape: Shape) -> tuple[Tensor, Tensor]:
    y, x = ((torch.arange(n) - n // 2) * (2 / max(shape)) for n in shape)
    return -y[:, None], x[None, :]


def _angles(n_coils: int) -> Tensor:
    return torch.arange(n_coils) * (2 * math.pi / n_coils)


def _normalised(maps: Tensor) -> Tensor:
    if len(maps) == 1:
        return torch.ones_like(maps)
    rss: Tensor = torch.linalg.vector_norm(maps, dim=0).clamp_min(1e-12)
    return maps / rss
