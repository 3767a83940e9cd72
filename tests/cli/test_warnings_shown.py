"""What networks warn of is a line each on the command line, once however many slices it concerns."""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

import pytest
from kolumn_runs import good, save, scan_of

from kolumn.errors import OutsideTraining
from kolumn.recon import METHODS, ZeroFilled


@dataclass(frozen=True)
class Wary:
    """Zero-filled; it warns of the brightness of each slice, and of something else on the brightest."""

    def __call__(self, acquisition):
        brightness = float(acquisition.kspace.abs().max())
        warnings.warn(f"wary: trained on\n 1.5e-3, not on {brightness:.3g}", OutsideTraining, stacklevel=2)
        if brightness > 100:
            warnings.warn("wary: 4 coils", OutsideTraining, stacklevel=2)
            warnings.warn("not ours", RuntimeWarning, stacklevel=2)
        return ZeroFilled()(acquisition)


@pytest.mark.filterwarnings("always")
def test_each_is_said_once_in_one_line(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "wary", Wary)
    others = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *more: others.append(str(message)))
    path = save(tmp_path / "scan.h5", scan_of(n_slices=3))
    for out in ("a.nii.gz", "b.nii.gz"):  # another command says it again
        said = good(capsys, "recon", path, "--method", "wary", "-o", tmp_path / out).err.splitlines()
        lines = [line for line in said if "wary" in line][:-1]  # and what was written
        first, second = lines  # slices run side by side, and whose number is said is that of the soonest
        assert re.fullmatch(r"warning: wary: trained on 1\.5e-3, not on [\d.]+", first)
        assert second == "warning: wary: 4 coils"
    assert others == ["not ours"] * 2
