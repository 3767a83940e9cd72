"""kolumn: accelerated MRI reconstruction, from a raw k-space file to an image, a score and a report.

Everything is imported on first use, so that ``import kolumn`` and ``kolumn --help`` stay fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from .acquisition import Acquisition as Acquisition
    from .acquisition import Geometry as Geometry
    from .acquisition import acquire as acquire
    from .errors import KolumnError as KolumnError
    from .io import read as read
    from .io import write as write
    from .recon import METHODS as METHODS
    from .recon import reconstruct as reconstruct

_HOME = {
    "Acquisition": "acquisition",
    "Geometry": "acquisition",
    "acquire": "acquisition",
    "KolumnError": "errors",
    "METHODS": "recon",
    "reconstruct": "recon",
    "read": "io",
    "write": "io",
}
__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'kolumn' has no attribute {name!r}")
    module = importlib.import_module(f".{_HOME[name]}", __name__)
    value = getattr(module, name)
    globals()[name] = value
    return value
