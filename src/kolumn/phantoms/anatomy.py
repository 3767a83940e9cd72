"""A head slice that looks like one, different for every seed and the same at every matrix size."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Generator, Tensor

from .checks import Shape, require_count, require_name, require_shape
from .head import Head, draw_head, tissues

FOV_Y, FOV_X = 220.0, 180.0  # mm: the least that holds a head
THICKNESS = 5.0  # mm
FINEST = 1.2  # mm: coarser pixels are averaged from several

# Brightness of each tissue, fat at 3 T being the brightest of T1 and fluid of T2 weighting
CONTRASTS: dict[str, dict[str, float]] = {
    "t1": {
        "skin": 0.45, "fat": 0.90, "muscle": 0.36, "bone": 0.05, "marrow": 0.52, "csf": 0.13, "grey": 0.46,
        "white": 0.70, "deep": 0.53, "pallidum": 0.60, "blood": 0.10, "lesion": 0.36,
    },
    "t2": {
        "skin": 0.30, "fat": 0.60, "muscle": 0.20, "bone": 0.04, "marrow": 0.35, "csf": 0.95, "grey": 0.54,
        "white": 0.37, "deep": 0.46, "pallidum": 0.32, "blood": 0.06, "lesion": 0.75,
    },
}  # fmt: skip
# Where one tissue turns into another over more than a pixel, mm
SOFT = {"white": 1.6, "deep": 1.6, "pallidum": 2.0, "lesion": 1.6}


def field_of_view(shape: Shape) -> tuple[float, float]:
    """(y, x) in mm of square pixels that hold the head: 220 mm, more along x or y where ``shape`` asks for it."""
    pixel = max(FOV_Y / shape[0], FOV_X / shape[1])
    return shape[0] * pixel, shape[1] * pixel


def anatomy(shape: Shape, generator: Generator, contrast: str = "t1", z: float = 0.0) -> Tensor:
    """An axial slice of a head with skin, fat, skull, folded cortex, ventricles, deep nuclei, vessels and lesions.

        I(r) = mean over the slice of [layers painted in order: I <- I + clamp(d / w + 1/2, 0, 1) (value - I)]

    with d the signed distance to the edge of each tissue and w the width of a pixel, so that edges are
    anti-aliased. No measured data is in it: it is drawn from random waves, and no two seeds give the same folds.

    Args:
        shape: (y, x), pixels; the nose is up. The same generator state gives the same head at every shape.
        generator: where the random numbers come from.
        contrast: ``"t1"`` or ``"t2"``, a key of CONTRASTS.
        z: height above the basal ganglia, mm.

    Returns:
        Tensor: float32 (y, x), about 0 to 1, exactly 0 in the air.

    Raises:
        ArgumentError: a shape below 16 pixels or an unknown contrast.
    """
    require_shape(shape)
    require_name("contrast", contrast, {**CONTRASTS})
    return _slice(draw_head(generator), shape, CONTRASTS[contrast], z, THICKNESS)


def anatomy_volume(
    n_slices: int, shape: Shape, generator: Generator, contrast: str = "t1", thickness: float = THICKNESS
) -> Tensor:
    """Neighbouring axial slices of one head, from top to bottom, the middle one at the basal ganglia.

    Args:
        n_slices: number of slices.
        shape: (y, x), pixels.
        generator: where the random numbers come from.
        contrast: ``"t1"`` or ``"t2"``.
        thickness: distance of the slices, mm.

    Returns:
        Tensor: float32 (slice, y, x).

    Raises:
        ArgumentError: no slice, a shape below 16 pixels or an unknown contrast.
    """
    require_count("n_slices", n_slices)
    require_shape(shape)
    require_name("contrast", contrast, {**CONTRASTS})
    head = draw_head(generator)
    heights = [((n_slices - 1) / 2 - i) * thickness for i in range(n_slices)]
    return torch.stack([_slice(head, shape, CONTRASTS[contrast], z, thickness) for z in heights])


def _slice(head: Head, shape: Shape, values: Mapping[str, float], z: float, thickness: float) -> Tensor:
    """Mean of three thin slices, as a thick slice sees it: it blurs what runs obliquely."""
    pixel = field_of_view(shape)[0] / shape[0]
    finer = max(1, math.ceil(pixel / FINEST))
    y, x = _grid(shape, pixel, finer)
    image = torch.zeros_like(y)
    for shift in (-0.3, 0.0, 0.3):
        image += _thin_slice(head, y, x, z + shift * thickness, pixel / finer, values) / 3
    return torch.nn.functional.avg_pool2d(image[None], finer)[0]


def _grid(shape: Shape, pixel: float, finer: int) -> tuple[Tensor, Tensor]:
    """Coordinates in mm of every pixel, each split into ``finer`` x ``finer``; index N // 2 is the origin."""
    axes = []
    for n in shape:
        i = (torch.arange(n * finer) + 0.5) / finer - 0.5
        axes.append((i - n // 2) * pixel)
    y, x = torch.meshgrid(-axes[0], axes[1], indexing="ij")
    return y, x


def _thin_slice(head: Head, y: Tensor, x: Tensor, z: float, pixel: float, values: Mapping[str, float]) -> Tensor:
    image = torch.zeros_like(y)
    for tissue, distance in tissues(head, y, x, z, pixel):
        cover = (distance / max(pixel, SOFT.get(tissue, 0.0)) + 0.5).clamp(0, 1)
        image += cover * (values[tissue] - image)
    return image * (1 + 0.03 * head.texture(y, x, z) + 0.03 * head.shading(y, x, z))
