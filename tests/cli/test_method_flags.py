"""Flags become options of methods by their type hints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Optional

import pytest
from kolumn_runs import bad, save, scan_of
from stub_methods import Steps

from kolumn.cli.options import _convert, _kinds, method_options
from kolumn.errors import ArgumentError
from kolumn.recon import METHODS


@dataclass(frozen=True)
class Everything:
    SERIES: ClassVar[bool] = True
    a: str | float = "auto"
    b: float | str = "auto"
    c: float | None = None
    d: Optional[int] = None  # noqa: UP045, as older code has it
    e: bool = True
    f: bool | None = None
    g: Literal["x", "y"] = "x"
    h: int = 1
    i: str = ""
    j: Any = None


def test_kinds():
    kinds = {"a": str, "b": str, "c": float, "d": int, "e": bool, "f": bool, "g": str, "h": int, "i": str, "j": str}
    assert _kinds(Everything) == kinds


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("Yes", True), ("1", True), ("false", False), ("no", False), ("0", False), ("FALSE", False)],
)
def test_bools(text, value):
    assert _convert("--spin", text, bool) is value


@pytest.mark.parametrize("text", ["2", "", "on", "maybe", "--lam", "None"])
def test_what_is_no_bool(text):
    with pytest.raises(ArgumentError, match=r"^--spin is .*; wanted yes or no$"):
        _convert("--spin", text, bool)
    with pytest.raises(ArgumentError, match=r"^option --spin needs a value: yes or no$"):
        _convert("--spin", None, bool)


@pytest.mark.usefixtures("stubs")
def test_each_method_gets_its_kind():
    flags = [("--lam", "0.002"), ("--max-iterations", "7"), ("--spin", "no")]
    assert method_options(flags, ["sense", "steps", "zero-filled"]) == {
        "sense": {"lam": 0.002, "max_iterations": 7},
        "steps": {"lam": "0.002", "max_iterations": 7, "spin": False},
        "zero-filled": {},
    }
    assert method_options([("--lam", "2sigma")], ["steps"]) == {"steps": {"lam": "2sigma"}}
    with pytest.raises(ArgumentError, match=r"^--lam is '2sigma'; wanted a number for sense$"):
        method_options([("--lam", "2sigma")], ["sense", "steps"])


@pytest.mark.usefixtures("stubs")
def test_what_the_command_shares_with_the_methods():
    assert method_options([], ["sense", "steps"], seed=3) == {"sense": {}, "steps": {"seed": 3}}
    assert method_options([("--seed", "4")], ["steps"], seed=3) == {"steps": {"seed": 4}}


def test_through_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(METHODS, "steps", Steps)
    file = save(tmp_path / "a.npz", scan_of())
    words = ["recon", file, "-o", tmp_path / "b.npy", "--method", "steps"]
    assert bad(capsys, *words, "--spin", "maybe") == "kolumn: --spin is 'maybe'; wanted yes or no\n"
    assert bad(capsys, *words, "--spin") == "kolumn: option --spin needs a value: yes or no\n"
    assert "unknown option --kind" in bad(capsys, *words, "--kind", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
