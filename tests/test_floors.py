"""Imports only go down: what a floor may use, and that nothing goes round it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SRC = Path(__file__).parent.parent / "src" / "kolumn"

FLOORS = {
    "errors": 0,
    "shapes": 0,
    "acquisition": 1,
    "fourier": 1,
    "parallel": 1,
    "operators": 2,
    "masks": 2,
    "coils": 2,
    "prox": 2,
    "native": 2,
    "solvers": 2,
    "metrics": 2,
    "phantoms": 2,
    "nn": 2,
    "optim": 2,
    "recon": 3,
    "io": 3,
    "doctor": 3,
    "train": 3,
    "report": 3,
    "cli": 4,
    "stream": 4,
    "viewer": 4,
    "lecture": 4,
}
FILES = sorted(p for p in SRC.rglob("*.py") if p.parent != SRC or p.stem in FLOORS)
HEAVY = {"torch", "numpy", "h5py", "matplotlib", "nibabel", "scipy", "jinja2"}


def room(path: Path) -> str:
    """The name on the first level: a package, or a module of its own."""
    return path.relative_to(SRC).parts[0].removesuffix(".py")


def uses(path: Path) -> set[str]:
    """Rooms of the package that a file imports, wherever the import stands."""
    here = ["kolumn", *path.relative_to(SRC).with_suffix("").parts]
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: -node.level]
            names = [*base, *(node.module.split(".") if node.module else [])]
            found |= {names[1]} if len(names) > 1 else {a.name for a in node.names}
    return {name for name in found if (SRC / name).exists() or (SRC / f"{name}.py").exists()}


def top_level_imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found.add((node.module or "").split(".")[0])
    return found


def test_every_room_has_a_floor() -> None:
    rooms = {p.name for p in SRC.iterdir() if p.is_dir() and (p / "__init__.py").exists()}
    assert rooms <= set(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_only_go_down(path: Path) -> None:
    mine = room(path)
    for other in uses(path) - {mine}:
        assert FLOORS[other] <= FLOORS[mine], f"{mine} is on floor {FLOORS[mine]} and uses {other} above it"


def test_rooms_of_one_floor_do_not_go_in_circles() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        graph.setdefault(room(path), set()).update(uses(path) - {room(path)})

    def reach(name: str, seen: frozenset[str]) -> None:
        assert name not in seen, f"{name} reaches itself through {sorted(seen)}"
        for other in graph.get(name, ()):
            reach(other, seen | {name})

    for name in graph:
        reach(name, frozenset())


@pytest.mark.parametrize("path", sorted(SRC.rglob("*.py")), ids=lambda p: str(p.relative_to(SRC)))
def test_no_file_goes_round_the_floors_or_grows_past_400_lines(path: Path) -> None:
    assert "kolumn" not in top_level_imports(path), "imports inside the package are relative"
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", sorted((SRC / "cli").glob("*.py")), ids=lambda p: p.name)
def test_commands_import_what_is_heavy_only_when_they_run(path: Path) -> None:
    if path.name not in ("volume.py",):  # used by a command that runs
        assert not top_level_imports(path) & HEAVY


def test_solvers_know_neither_operators_nor_acquisitions() -> None:
    for path in (SRC / "solvers").glob("*.py"):
        assert uses(path) <= {"solvers", "errors"}
