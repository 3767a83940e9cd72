"""Independent pieces of work side by side on the cores."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

import torch

Item = TypeVar("Item")
Result = TypeVar("Result")


def parallel_map(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Results in order, with as many items at work as torch has threads, each on one thread of its own.

    A thread that works on a slice of its own needs not wait for others at every step, and its data stay in its core's
    cache. At most one more than that are held at a time; ``items`` is drawn from in the calling thread.
    A single item is left the threads of torch, as are items from within another parallel_map. Inference mode, and
    whether gradients are recorded, are as in the calling thread.
    """
    n = torch.get_num_threads()
    stream = iter(items)
    first = deque(islice(stream, 2))
    few = n == 1 or len(first) < 2
    stream = chain((first.popleft() for _ in range(len(first))), stream)  # without holding on to them
    if few:
        yield from map(function, stream)
        return
    inference, gradients = torch.is_inference_mode_enabled(), torch.is_grad_enabled()

    def work(item: Item) -> Result:
        with torch.inference_mode(inference), torch.set_grad_enabled(gradients):
            return function(item)

    with ThreadPoolExecutor(n, initializer=lambda: torch.set_num_threads(1)) as pool:
        running: deque[Future[Result]] = deque()
        try:
            for item in stream:
                running.append(pool.submit(work, item))
                if len(running) > n:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
