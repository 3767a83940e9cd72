"""The processes that train together: one, or as many as torchrun started."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn

from ..errors import ArgumentError


@dataclass(frozen=True)
class Group:
    """Which of how many processes this one is.

    Attributes:
        rank: number of this process.
        size: how many there are.
        device: where this one computes.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks."""
        return self.rank == 0

    def total(self, x: Tensor) -> Tensor:
        """The sum of x over all processes, on each of them."""
        if self.size > 1:
            x = x.to(self.device)
            distributed.all_reduce(x)
        return x.cpu()

    def wrap(self, model: nn.Module) -> nn.Module:
        """The network, on its device already; its gradients are means over all processes."""
        return nn.parallel.DistributedDataParallel(model) if self.size > 1 else model

    def close(self) -> None:
        """Part from the others, once no wrapped network is in use any more.

        gloo's threads end with the last reference to its group. One that lets go of a tensor while the interpreter
        shuts down aborts the process, so none may be left by then.
        """
        if self.size > 1:
            distributed.destroy_process_group()


def join_group(device: str = "cpu") -> Group:
    """The group that torchrun made, or a group of one.

    Args:
        device: "cpu", or "cuda", of which each process on a machine takes one.

    Raises:
        ArgumentError: more processes than GPUs.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        return Group(device=device)
    rank, local = int(os.environ["RANK"]), int(os.environ["LOCAL_RANK"])
    if device.startswith("cuda"):
        if local >= torch.cuda.device_count():
            raise ArgumentError(
                f"process {local} finds {torch.cuda.device_count()} GPUs here; give torchrun that many processes"
            )
        device = f"cuda:{local}"
        torch.cuda.set_device(local)
    # Imported later, as DistributedDataParallel does, this module keeps the group in its default arguments for good.
    importlib.import_module("torch.distributed.nn.functional")
    distributed.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Group(rank, size, device)
