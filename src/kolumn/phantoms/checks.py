"""What every phantom checks of its arguments."""

from __future__ import annotations

from ..errors import ArgumentError

SMALLEST = 16
Shape = tuple[int, int]


def require_shape(shape: Shape) -> None:
    """Raise ArgumentError unless ``shape`` is (y, x) with at least 16 pixels on each side."""
    if len(shape) != 2 or min(shape) < SMALLEST:
        raise ArgumentError(f"shape is {tuple(shape)}; wanted (y, x), each at least {SMALLEST} pixels")


def require_count(name: str, n: int) -> None:
    """Raise ArgumentError unless ``n`` is at least 1."""
    if n < 1:
        raise ArgumentError(f"{name} is {n}; wanted at least 1")


def require_name(what: str, name: str, table: dict[str, object]) -> None:
    """Raise ArgumentError unless ``name`` is in the table."""
    if name not in table:
        raise ArgumentError(f"unknown {what} {name!r}; wanted one of: {', '.join(table)}")
