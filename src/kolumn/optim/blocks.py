"""A pure rule, written into tensors: block by block in the cache, and side by side on the cores."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from .layout import rows
from .rule import Options, Rule, State

SIZE = 131072  # elements: the tensors of a rule then stay in the cache of a core, and Python is seldom asked


class Item(NamedTuple):
    """A parameter as a real tensor, its gradient in the same layout, and its state, which is changed in place."""

    w: Tensor
    g: Tensor
    state: State


def apply(rule: Rule, items: list[Item], options: Options) -> None:
    """w, state <- rule(w, g, state), element by element: what ``rule.update`` returns replaces what it was given.

    Parameters of less than 32 bits are updated in float32, the precision of their state, and rounded once.
    """
    cuts = [cut(item) if rule.parts else [item] for item in items]
    share(lambda batch: _update(rule, batch, options), list(chain.from_iterable(cuts)))
    for item, blocks in zip(items, cuts, strict=True):
        item.state.update({name: x for name, x in blocks[0].state.items() if not isinstance(x, Tensor)})


def cut(item: Item) -> list[Item]:
    """The item in blocks of at most SIZE elements that share its memory, if it is on the CPU; else as it is."""
    if item.w.numel() <= SIZE or not item.w.is_cpu:
        return [item]
    names = [name for name, x in item.state.items() if isinstance(x, Tensor)]
    flat = rows([item.w, item.g, *(item.state[name] for name in names)])
    if flat is None:
        return [item]
    ends = list(range(SIZE, item.w.numel(), SIZE))
    pieces = zip(*(x.tensor_split(ends) for x in flat), strict=True)
    return [Item(w, g, item.state | dict(zip(names, rest, strict=True))) for w, g, *rest in pieces]


def share(work: Callable[[list[Item]], None], blocks: list[Item]) -> None:
    """Do all the blocks, a batch of about SIZE elements at a time.

    There are as many threads at it as torch has, each with one thread of its own. Few elements, and those that are
    not on the CPU, are done here.
    """
    threads = torch.get_num_threads()
    waiting = deque(_batches(blocks))
    n = min(threads, len(waiting)) if all(block.w.is_cpu for block in blocks) else 1
    if n < 2:
        for batch in waiting:
            work(batch)
        return

    def worker() -> None:
        torch.set_num_threads(1)
        with torch.no_grad():
            while True:
                try:
                    batch = waiting.popleft()
                except IndexError:
                    return
                work(batch)

    try:
        with ThreadPoolExecutor(n) as pool:
            for done in [pool.submit(worker) for _ in range(n)]:
                done.result()
    finally:
        torch.set_num_threads(threads)  # threads that start later take the last number that was set anywhere


def _batches(blocks: list[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    room = SIZE
    for block in blocks:
        if batch and block.w.numel() > room:
            yield batch
            batch, room = [], SIZE
        batch.append(block)
        room -= block.w.numel()
    if batch:
        yield batch


def _update(rule: Rule, batch: list[Item], options: Options) -> None:
    for block in batch:
        dtype = torch.promote_types(block.w.dtype, torch.float32)
        w, state = rule.update(block.w.to(dtype), block.g.to(dtype), block.state, **options)
        block.w.copy_(w)
        for name, x in state.items():
            if isinstance(x, Tensor):
                block.state[name].copy_(x)
            else:
                block.state[name] = x
