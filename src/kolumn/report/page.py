"""The page: one HTML file that opens offline, with the pictures inside."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader
from PIL import Image
from torch import Tensor

from .compare import Comparison
from .figure import grey_window, middle
from .table import HEADER, rows


def save_page(
    path: Path,
    comparison: Comparison,
    figure: Path,
    title: str,
    run: Mapping[str, Any],
    convergence: Path | None = None,
) -> None:
    """Write the report as a single HTML file.

    Args:
        path: target.
        comparison: what to show.
        figure: the PNG made by :func:`save_figure`, embedded.
        title: heading.
        run: the record of the run, printed at the end.
        convergence: the PNG made by :func:`save_convergence`, embedded; None: left out.
    """
    window = grey_window(comparison)
    pictures = {} if comparison.reference is None else {"full reference": comparison.reference}
    pictures |= {name: r.images for name, r in comparison.results.items() if r.images is not None}
    environment = Environment(loader=PackageLoader("kolumn.report"), autoescape=True)
    page = environment.get_template("report.html.j2").render(
        title=title,
        header=HEADER,
        rows=rows(comparison),
        notes=comparison.notes,
        mask=comparison.mask,
        pictures={name: _png(middle(images), window) for name, images in pictures.items()},
        figure=base64.b64encode(figure.read_bytes()).decode(),
        convergence=base64.b64encode(convergence.read_bytes()).decode() if convergence else "",
        iterative=any(r.account.iterations for r in comparison.results.values()),
        run=json.dumps(run, indent=2),
    )
    path.write_text(page, encoding="utf-8", errors="replace")


def _png(image: Tensor, window: float) -> str:
    grey = np.clip(image.numpy() / window * 255, 0, 255).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(grey).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()
