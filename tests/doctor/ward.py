"""Healthy files, and what makes them ill."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import h5py
import numpy as np

from kolumn.doctor import Finding, examine
from kolumn.io import open_scan
from kolumn.phantoms import phantom

DATA = Path(__file__).parents[3] / "shared" / "data"
ABSENT = f"the real scans are not at {DATA}"
HEALTHY = {
    "anatomy": {"kind": "anatomy", "snr": 50.0},
    "no noise": {"kind": "anatomy", "snr": None},
    "shepp-logan": {"kind": "shepp-logan", "snr": 30.0, "array": "birdcage"},
}


@lru_cache
def healthy(name: str = "anatomy", n_coils: int = 6, shape=(96, 80), n_slices: int = 3) -> np.ndarray:
    """K-space (slice, coil, ky, kx) of a scan that nothing is wrong with."""
    k = phantom(shape=shape, n_coils=n_coils, n_slices=n_slices, seed=1, **HEALTHY[name])[0].kspace.numpy()
    k.flags.writeable = False
    return k


def columns(n: int = 80, step: int = 4, width: int = 16) -> np.ndarray:
    """A mask of every ``step``-th column and ``width`` in the middle."""
    mask = np.arange(n) % step == 0
    mask[n // 2 - width // 2 : n // 2 - width // 2 + width] = True
    return mask


def store(path: Path, k: np.ndarray, **more: np.ndarray) -> Path:
    with h5py.File(path, "w") as file:
        file["kspace"] = k
        for name, value in more.items():
            file[name] = value
    return path


def names(findings: list[Finding], *severities: str) -> list[str]:
    return [f.check for f in findings if not severities or f.severity in severities]


@lru_cache
def real(name: str) -> np.ndarray:
    """K-space (slice, coil, ky, kx) of a real file."""
    return open_scan(DATA / name).volume().kspace.numpy()


Ill = Callable[[np.ndarray], np.ndarray]


def check(path: Path, k: np.ndarray, **more: np.ndarray) -> dict[str, Finding]:
    """Store, examine, and the findings by the name of their check."""
    return {f.check: f for f in examine(open_scan(store(path, k, **more)))}
