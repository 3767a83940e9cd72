"""The geometry of a head: which tissue is where, as a function of continuous coordinates in millimetres.

Everything is a signed distance, positive inside; tissues are painted one over another, the later on top. The
axes are those of a radiological axial slice: x to the viewer's right, y towards the nose, z along the spine.
The cortex is what makes a slice look like a brain: sulci are the zero lines of random waves that run around the
head, and grey matter is whatever lies within three millimetres of the fluid.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from .fields import Waves, plane_waves, ring_waves

Layer = tuple[str, Tensor]  # tissue, signed distance in mm

HALF_WIDTH, HALF_LENGTH, HALF_HEIGHT = 73.0, 94.0, 95.0  # of the head, mm
SKULL = 13.0  # depth of the inner table below the skin, mm

# Deep grey matter, right and left: tissue, centre (x, y), radii (x, y), tilt in degrees
NUCLEI = (
    ("deep", (13.0, 19.0), (4.6, 9.5), -18.0),  # head of the caudate
    ("deep", (9.5, -9.0), (7.5, 12.5), 22.0),  # thalamus
    ("deep", (25.5, 5.0), (5.6, 15.0), 14.0),  # putamen
    ("pallidum", (20.0, 3.0), (4.2, 8.5), 22.0),
)
# Fluid: from (x, y) to (x, y), radius at each end
VENTRICLES = (
    ((3.0, 9.0), (3.6, 19.0), 1.8, 2.4),  # frontal horn
    ((3.6, 19.0), (6.5, 26.0), 2.4, 2.2),
    ((6.5, 26.0), (13.0, 31.5), 2.2, 0.8),
    ((15.5, -24.0), (20.5, -31.0), 1.2, 3.0),  # atrium
    ((20.5, -31.0), (22.5, -38.0), 3.0, 2.6),
    ((22.5, -38.0), (19.5, -51.0), 2.6, 0.5),  # occipital horn
    ((0.0, -17.0), (0.0, 3.0), 1.4, 0.7),  # third ventricle
    ((0.0, -29.0), (3.8, -31.5), 1.5, 0.4),  # quadrigeminal cistern
)
SYLVIAN = (
    ((37.0, 23.0), (40.0, 6.0), 0.2, 0.8),
    ((40.0, 6.0), (37.5, -12.0), 0.8, 0.2),
    ((40.0, 7.0), (66.0, 14.0), 0.9, 2.0),
)


@dataclass(frozen=True)
class Head:
    """One person: the random functions and numbers that tell this head from another."""

    outline: Waves
    warp: tuple[Waves, Waves]
    scalp: Waves
    folds: Waves
    twist: Waves
    reach: Waves
    texture: Waves
    shading: Waves
    size: Tensor
    vessels: Tensor
    lesions: Tensor


def draw_head(generator: Generator) -> Head:
    """A new head; the number of random draws does not depend on anything else."""
    return Head(
        outline=ring_waves(generator, 2, 4, 400.0, 6),
        warp=(plane_waves(generator, 45, 110, 16, 150), plane_waves(generator, 45, 110, 16, 150)),
        scalp=ring_waves(generator, 1, 9, 200.0, 12),
        folds=ring_waves(generator, 13, 20, 60.0, 20),
        twist=plane_waves(generator, 17, 30, 28, 60),
        reach=ring_waves(generator, 2, 9, 200.0, 12),
        texture=plane_waves(generator, 3.5, 14, 40, 12),
        shading=plane_waves(generator, 60, 160, 10, 200),
        size=torch.rand(6, generator=generator),
        vessels=torch.rand(14, 3, generator=generator),
        lesions=torch.rand(5, 4, generator=generator),
    )


def ellipse(y: Tensor, x: Tensor, centre: tuple[float, float], radii: tuple[float, float], tilt: float) -> Tensor:
    """Distance to an ellipse to first order, (1 - F) / |grad F|, positive inside; centre and radii as (x, y)."""
    c, s = math.cos(math.radians(tilt)), math.sin(math.radians(tilt))
    u, v = x - centre[0], y - centre[1]
    u, v = (c * u + s * v) / radii[0], (c * v - s * u) / radii[1]
    f = torch.hypot(u, v)
    return (1 - f) * f.clamp_min(0.1) / torch.hypot(u / radii[0], v / radii[1]).clamp_min(0.1 / max(radii))


def stroke(y: Tensor, x: Tensor, start: tuple[float, float], end: tuple[float, float], r0: float, r1: float) -> Tensor:
    """Distance to a line drawn with a round pen whose radius goes from r0 to r1, positive inside."""
    dx, dy = end[0] - start[0], end[1] - start[1]
    t = (((x - start[0]) * dx + (y - start[1]) * dy) / (dx * dx + dy * dy)).clamp(0, 1)
    return r0 + (r1 - r0) * t - torch.hypot(x - start[0] - t * dx, y - start[1] - t * dy)


def smooth_min(a: Tensor, b: Tensor, width: float) -> Tensor:
    """Minimum of two distances with a rounded corner of that width."""
    return -width * torch.logaddexp(-a / width, -b / width)


def step(x: Tensor) -> Tensor:
    """0 below 0, 1 above 1, smooth in between: 3 x^2 - 2 x^3."""
    x = x.clamp(0, 1)
    return x * x * (3 - 2 * x)


def tissues(head: Head, y: Tensor, x: Tensor, z: float, pixel: float) -> list[Layer]:
    """What to paint, in order, in the slice at height z: tissue and signed distance (mm), positive inside.

    Args:
        head: from :func:`draw_head`.
        y: height of each pixel, mm, towards the nose; (y, x).
        x: mm to the viewer's right; (y, x).
        z: mm.
        pixel: distance of neighbouring pixels, mm.
    """
    scale = math.sqrt(max(1 - (z / HALF_HEIGHT) ** 2, 0.1))
    half_x = HALF_WIDTH * scale * (0.97 + 0.05 * head.size[0]) * (1 - 0.055 * y / HALF_LENGTH)
    half_y = HALF_LENGTH * scale * (0.96 + 0.05 * head.size[1])
    theta = torch.atan2(y / half_y, x / half_x)
    depth = _depth(y, x, half_y, half_x) + 0.9 * head.outline(theta, 0.0, z)
    scalp = head.scalp(theta, 0.0, z)
    inner = depth - SKULL - 0.5 * scalp
    return [
        *_shell(depth, scalp, theta),
        *_cortex(head, y, x, z, inner, theta, pixel),
        *_centre(head, y + 1.6 * head.warp[0](y, x, z), x + 1.6 * head.warp[1](y, x, z), z),
        *_small(head, y, x, z, inner),
    ]


def _depth(y: Tensor, x: Tensor, half_y: Tensor, half_x: Tensor) -> Tensor:
    """Depth below an ellipse whose half axes change slowly from place to place, to first order, mm."""
    f = torch.hypot(x / half_x, y / half_y)
    return (1 - f) * f.clamp_min(0.1) / torch.hypot(x / half_x**2, y / half_y**2).clamp_min(1e-3)


def _shell(depth: Tensor, scalp: Tensor, theta: Tensor) -> list[Layer]:
    """Skin, fat, temporal muscle, and the two tables of the skull with marrow between them."""
    table = 5.2 + 0.9 * scalp - 0.7 * theta.sin()
    temple = 3.2 * step((theta.cos().abs() - 0.80) / 0.12) * step((theta.sin() + 0.15) / 0.3)
    marrow = 1.5 + 0.5 * scalp - (depth - 8.9 - 0.5 * scalp).abs()
    return [
        ("skin", depth),
        ("fat", depth - 1.7),
        ("muscle", torch.minimum(depth - 3.0, temple - 0.8 - (depth - 4.6).abs())),
        ("bone", depth - table - 0.5 * temple),
        ("marrow", marrow - 0.5 * temple),
        ("csf", depth - SKULL + 0.8 - 0.5 * scalp),
    ]


def _cortex(head: Head, y: Tensor, x: Tensor, z: float, inner: Tensor, theta: Tensor, pixel: float) -> list[Layer]:
    """Grey and white matter, from the distance to the nearest fluid."""
    atrophy = 0.5 + 0.8 * head.size[2]
    hull = inner - atrophy
    fissure = _fissure(head, y, x, z)
    surface = smooth_min(hull, fissure, 2.0)
    buried = torch.minimum(hull, fissure + 7)
    bend = head.twist(y, x, z)
    sylvian = (z / 18) ** 2 - torch.stack([stroke(y + 2.5 * bend, x.abs() + 1.5 * bend, *s) for s in SYLVIAN]).amax(0)
    outer = step((torch.hypot(x, y) - 12) / 30)  # where the rays would meet
    folds = 0.8 * outer * head.folds(theta, hull, z) + bend
    sulci = _line_distance(folds, pixel) - _sulcus_width(head, buried, theta, z)
    pia = smooth_min(smooth_min(surface, sulci, 0.7), sylvian, 0.7)
    ribbon = 2.9 + 0.35 * head.warp[0](y, x, z)
    return [("grey", pia), ("white", pia - ribbon)]


def _fissure(head: Head, y: Tensor, x: Tensor, z: float) -> Tensor:
    """Distance to the fissure between the hemispheres, which the corpus callosum interrupts."""
    bridge = torch.minimum(37 - z * z / 30 - y, y + 42 - z * z / 30).clamp_min(0)
    return (x - 0.9 * head.warp[1](y, 0.0, z)).abs() - 0.6 + 0.6 * bridge


def _sulcus_width(head: Head, depth: Tensor, theta: Tensor, z: float) -> Tensor:
    """Half the width of a sulcus, mm: it narrows from the surface on and closes at a depth that varies."""
    reach = 14 + 5 * head.reach(theta, 0.0, z)
    open_ = 0.1 + 0.45 * head.size[2] + 0.7 * torch.exp(-depth.clamp_min(0) / 4.0)
    return open_ - 7.0 * step((depth - reach) / 14.0)


def _line_distance(f: Tensor, pixel: float) -> Tensor:
    """Distance to the zero line of a function to first order, |f| / |grad f|."""
    dy, dx = torch.gradient(f, spacing=pixel)
    return f.abs() / torch.sqrt(dy * dy + dx * dx + 0.05**2)


def _centre(head: Head, y: Tensor, x: Tensor, z: float) -> list[Layer]:
    """Deep nuclei and ventricles; they fade out a few slices above and below."""
    side = x.abs()
    layers = [(name, ellipse(y, side, centre, radii, tilt) - (z / 14) ** 2) for name, centre, radii, tilt in NUCLEI]
    grown = 1.4 * (head.size[3] - 0.4) - (z / 18) ** 2
    ventricle = 0.8 * torch.logsumexp(torch.stack([stroke(y, side, *s) for s in VENTRICLES]) / 0.8, 0) + grown
    return [*layers, ("csf", ventricle)]


def _small(head: Head, y: Tensor, x: Tensor, z: float, inner: Tensor) -> list[Layer]:
    """Sagittal sinus behind and in front, vessels in the fluid, lesions in the white matter."""
    back = torch.minimum(3.6 - (x - 0.5).abs() - 0.55 * inner.abs(), -y).minimum(inner + 2.5)
    front = torch.minimum(1.8 - x.abs() - 0.5 * inner.abs(), y)
    return [("blood", torch.maximum(back, front)), *_vessels(head, y, x, z, inner), *_lesions(head, y, x, z)]


def _vessels(head: Head, y: Tensor, x: Tensor, z: float, inner: Tensor) -> list[Layer]:
    """Arteries and veins that cross the slice just below the skull."""
    angle = 2 * math.pi * head.vessels[:, 0] + 0.02 * z * (head.vessels[:, 1] - 0.5)
    turn = torch.atan2(y / HALF_LENGTH, x / HALF_WIDTH)
    layers = []
    for a, u in zip(angle.tolist(), head.vessels[:, 2].tolist(), strict=True):
        along = 70 * torch.remainder(turn - a + math.pi, 2 * math.pi) - 70 * math.pi
        layers.append(0.4 + 0.8 * u - torch.hypot(inner - 1.2 - 2 * u, along))
    return [("blood", torch.stack(layers).amax(0))]


def _lesions(head: Head, y: Tensor, x: Tensor, z: float) -> list[Layer]:
    """Small spots in the white matter, from nearly invisible to several millimetres, as the person has it."""
    load = 0.2 + 0.9 * float(head.size[4])
    layers = []
    for u, v, height, size in head.lesions.tolist():
        centre = (math.copysign(22 + 9 * abs(2 * u - 1), u - 0.5), 50 * (2 * v - 1))
        radius = load * (1.2 + 2.2 * size * size)
        away = (z - 60 * (height - 0.5)) / 8
        layers.append(("lesion", ellipse(y, x, centre, (radius, 1.5 * radius), 40 * u) - away * away))
    return layers
