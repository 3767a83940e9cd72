"""Time spent on one entry."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Clock:
    """A stopwatch with a limit.

    Attributes:
        limit: seconds, or None.
    """

    def __init__(self, limit: float | None = None) -> None:
        self.limit = limit
        self._began = time.perf_counter()

    def seconds(self) -> float:
        """Since it was made, without what was :meth:`stopped`."""
        return time.perf_counter() - self._began

    def passed(self, fraction: float = 1.0) -> bool:
        """Whether that fraction of the limit is over."""
        return self.limit is not None and self.seconds() > fraction * self.limit

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Time in here does not count."""
        start = time.perf_counter()
        yield
        self._began += time.perf_counter() - start
