"""Batches made in worker processes, in an order that does not depend on how many there are."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from torch.utils.data import DataLoader, Dataset

from ..errors import ArgumentError, KolumnError
from .draw import pick, seeded
from .sample import Sample

_FOREVER = 1 << 40


class Source(Protocol):
    """Batch i, the same whenever it is asked for."""

    def __getitem__(self, i: int, /) -> Sample:
        """Batch i."""
        ...


@dataclass(frozen=True)
class Mixed:
    """Batch i from one of several sources, by chance.

    Attributes:
        sources: where from.
        weights: chance of each.
        seed: of the choice.
    """

    sources: tuple[Source, ...]
    weights: tuple[float, ...]
    seed: int = 0

    def __getitem__(self, i: int) -> Sample:
        """Batch i."""
        return pick(seeded(self.seed, i, 1 << 20), self.sources, self.weights)[i]


def batches(source: Source, workers: int, first: int = 0, step: int = 1) -> Iterator[Sample]:
    """Batches number first, first + step, first + 2 step, ... without end.

    Args:
        source: of the batches.
        workers: processes that make them; 0: this process does.
        first: number of the first.
        step: as many as there are processes that train.

    Raises:
        ArgumentError: a negative number of workers.
    """
    if workers < 0:
        raise ArgumentError(f"workers is {workers}; wanted 0 or more")
    numbers = range(first, _FOREVER, step)
    if workers == 0:
        return (source[i] for i in numbers)
    # Spawned: a fork of a process that computes with threads may hang.
    loader = DataLoader(
        cast(Dataset[Sample | KolumnError], _Posted(source)),
        batch_size=None,
        sampler=numbers,
        num_workers=workers,
        multiprocessing_context="spawn",
        prefetch_factor=4,
        generator=torch.Generator(),
        worker_init_fn=_leave_at_once,
    )
    return _opened(loader)


@dataclass(frozen=True)
class _Posted:
    """What goes wrong in a worker comes like a batch: raised there it would arrive with that process's traceback."""

    source: Source

    def __getitem__(self, i: int) -> Sample | KolumnError:
        try:
            return self.source[i]
        except KolumnError as error:
            return error


def _opened(posted: Iterable[Sample | KolumnError]) -> Iterator[Sample]:
    for batch in posted:
        if isinstance(batch, KolumnError):
            raise batch
        yield batch


def _leave_at_once(_: int) -> None:
    """End this worker without Python's clean-up, which aborts if a thread is just then handing a batch over."""
    atexit.register(os._exit, 0)
