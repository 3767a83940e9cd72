"""Every example runs as it stands, in an empty folder."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))
SAYS = {"undersampling": "PSNR", "exact_recovery": "least TV"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_example_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")
    assert SAYS[path.stem] in capsys.readouterr().out
    assert list(tmp_path.iterdir()), "an example leaves something to look at"


def test_exact_recovery_is_exact() -> None:
    example = runpy.run_path(str(EXAMPLES[0].with_name("exact_recovery.py")))
    truth, mask, zero, found = example["recover"]()
    assert float(mask.float().mean()) < 0.1
    assert example["relative_error"](zero, truth) > 0.3
    assert example["relative_error"](found, truth) < 1e-4
