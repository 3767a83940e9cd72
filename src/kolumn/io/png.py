"""PNG pictures: 8-bit grey magnitude, several slices as one montage, all in one window."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..acquisition import Geometry
from .atomic import atomic

WINDOW = 0.999  # quantile of the magnitude that is white


def save_image(
    path: Path, image: Tensor, geometry: Geometry | None, overwrite: bool, attributes: Mapping[str, Any]
) -> None:
    """Magnitude (slice, y, x), white at the 99.9th percentile."""
    from PIL import Image

    with atomic(path, overwrite) as beside:
        Image.fromarray(picture(image.abs()).numpy()).save(beside)


def picture(magnitude: Tensor) -> Tensor:
    """Grey values, uint8 (rows, columns), of a magnitude (slice, y, x)."""
    n, y, x = magnitude.shape
    white = float(np.quantile(magnitude.numpy(), WINDOW)) or float(magnitude.max())
    grey = (magnitude.double() / white if white > 0 else magnitude.double()).clamp(0, 1) * 255
    across = ceil(sqrt(n * y / x)) if n > 1 else 1
    across = min(across, n)
    down = ceil(n / across)
    tiles = torch.zeros(down * across, y, x, dtype=torch.uint8)
    tiles[:n] = grey.round().to(torch.uint8)
    return tiles.reshape(down, across, y, x).permute(0, 2, 1, 3).reshape(down * y, across * x)
