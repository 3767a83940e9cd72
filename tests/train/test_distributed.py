"""Several processes train one network: as torchrun starts them, on CPU by gloo."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import pytest
import torch

from kolumn.errors import ArgumentError
from kolumn.train import LAST, load_checkpoint, make_network
from kolumn.train.distributed import Group, join_group
from kolumn.train.loss import log_error, relative_error
from kolumn.train.models import make_optimizer
from kolumn.train.settings import Settings
from kolumn.train.simulated import Simulated
from kolumn.train.validate import Examination, validate

SCRIPT = """
import sys
import time
from pathlib import Path
import torch
from kolumn.train import Settings, Trainer, join_group, make_network
from kolumn.train.simulated import Simulated
from kolumn.train.validate import Examination

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    group = join_group()
    often = {"report_every": 1e-9, "save_every": 1e-9, "validate_every": 1e9, "workers": 0}
    options = {"n_cascades": 1, "channels": 2, "levels": 1}
    source = Simulated(sizes=(24, 32), coils={1: 1, 3: 1})
    network = make_network("unrolled", options)
    description = {"method": "unrolled", "options": options, "batch_size": 1}
    examinations = {"x": Examination(Simulated(9, sizes=(24, 32), coils={2: 1}), 3)}
    trainer = Trainer(network, description, Settings(steps=4, **often), source, examinations, folder, group)
    clocks, start = [], time.monotonic()
    trainer.say = lambda line: clocks.append((trainer.seconds, time.monotonic() - start))
    trainer.run()
    assert all(seconds <= passed for seconds, passed in clocks), clocks
    torch.save(network.state_dict(), folder / f"rank{group.rank}.pt")
    group.close()
    names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    assert not [name for name in names if "gloo" in name], names
"""
SOURCE = Simulated(sizes=(24, 32), coils={1: 1, 3: 1})


def test_two_processes_are_one_training(tmp_path):
    """Batches 2 i and 2 i + 1 side by side, the mean of their gradients, and all files from the first process."""
    (tmp_path / "go.py").write_text(SCRIPT)
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "go.py", "."]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=500)
    assert done.returncode == 0, done.stderr
    states = [torch.load(tmp_path / f"rank{i}.pt", weights_only=True) for i in range(2)]
    kept = load_checkpoint(tmp_path / LAST)
    wanted, losses = by_hand(4)
    for name, x in wanted.state_dict().items():
        assert torch.equal(states[0][name], states[1][name])
        assert torch.equal(states[0][name], kept["model"][name])
        torch.testing.assert_close(states[0][name], x, rtol=1e-4, atol=1e-6)
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    assert [float(row["loss"]) for row in rows] == pytest.approx(losses, rel=1e-4)
    assert float(rows[0]["images_per_second"]) * float(rows[0]["seconds"]) == pytest.approx(2, rel=1e-3)
    assert json.loads((tmp_path / "weights.json").read_text())["scores"]["images seen"] == 8
    alone = validate(wanted, {"x": Examination(Simulated(9, sizes=(24, 32), coils={2: 1}), 3)}, Group())
    for name, score in alone.items():
        assert float(rows[-1][name]) == pytest.approx(score, rel=1e-4)


def by_hand(steps: int) -> tuple[torch.nn.Module, list[float]]:
    """The network after so many steps, and the loss before each."""
    losses = []
    network = make_network("unrolled", {"n_cascades": 1, "channels": 2, "levels": 1})
    optimizer, settings = make_optimizer(network, "adam", 1e-3), Settings(steps=steps)
    rates = [group["lr"] for group in optimizer.param_groups]
    for step in range(steps):
        optimizer.zero_grad()
        losses.append(0.0)
        for i in (2 * step, 2 * step + 1):
            sample = SOURCE[i]
            image = network(sample.acquisition)
            (log_error(image, sample.target) / 2).backward()
            losses[-1] += relative_error(image, sample.target).item() / 2
        torch.nn.utils.clip_grad_norm_(network.parameters(), settings.clip)
        for group, lr in zip(optimizer.param_groups, rates, strict=True):
            group["lr"] = lr * settings.rate(step, 0)
        optimizer.step()
    return network, losses


def test_alone_there_is_no_group(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    group = join_group("cpu")
    assert group == Group(0, 1, "cpu") and group.leads
    x = torch.tensor([1.0, 2.0])
    assert torch.equal(group.total(x), x)
    network = torch.nn.Linear(1, 1)
    assert group.wrap(network) is network
    group.close()


def test_more_processes_than_gpus(monkeypatch):
    for name, value in {"WORLD_SIZE": "64", "RANK": "63", "LOCAL_RANK": "63"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ArgumentError, match="process 63 finds"):
        join_group("cuda")
