"""Killed without warning, training goes on as if nothing had happened: to the bit."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from kolumn.train import LAST, load_checkpoint

STEPS = 40
SCRIPT = """
import sys
from pathlib import Path
from kolumn.train import Settings, Trainer, make_network
from kolumn.train.simulated import Simulated

def train(folder, steps, workers, resume):
    often = {"report_every": 1e-9, "save_every": 1e-9, "validate_every": 1e9}
    options = {"n_cascades": 1, "channels": 2, "levels": 1}
    source = Simulated(sizes=(24, 32), coils={1: 1, 3: 1}, batch_size=2)
    settings = Settings(steps=steps, workers=workers, **often)
    network = make_network("unrolled", options)
    description = {"method": "unrolled", "options": options, "batch_size": 2}
    trainer = Trainer(network, description, settings, source, {}, folder)
    if resume:
        trainer.resume()
    trainer.run()

if __name__ == "__main__":  # the worker imports this file too
    train(Path(sys.argv[1]), int(sys.argv[2]), 1, len(sys.argv) > 3)
"""


def start(script: Path, folder: Path, *more: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, script, folder, str(STEPS), *more], env=environment, stderr=subprocess.PIPE
    )


def train_here(folder: Path) -> None:
    """The same in this process, without stopping and without a worker; threads decide on the last bit of a sum."""
    scope: dict[str, Any] = {"__name__": "here"}
    exec(SCRIPT, scope)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        scope["train"](folder, STEPS, 0, False)
    finally:
        torch.set_num_threads(threads)


def losses(folder: Path) -> list[tuple[str, str]]:
    with (folder / "log.csv").open(newline="") as file:
        return [(row["step"], row["loss"]) for row in csv.DictReader(file)]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_kill_and_resume_is_bit_for_bit(tmp_path):
    script, straight, killed = tmp_path / "go.py", tmp_path / "straight", tmp_path / "killed"
    script.write_text(SCRIPT)
    straight.mkdir(), killed.mkdir()
    train_here(straight)
    process = start(script, killed)
    for wanted in (8, 22):  # killed twice, at whatever it was doing
        patience = time.monotonic() + 300
        while not (killed / "log.csv").is_file() or len(losses(killed)) < wanted:
            assert process.poll() is None and time.monotonic() < patience
            time.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        assert 0 < load_checkpoint(killed / LAST)["step"] < STEPS
        process = start(script, killed, "--resume")
    _, words = process.communicate(timeout=500)
    assert process.returncode == 0, words.decode()
    a, b = load_checkpoint(straight / LAST), load_checkpoint(killed / LAST)
    assert a["step"] == b["step"] == STEPS
    for name, x in a["model"].items():
        assert torch.equal(x, b["model"][name]), name
    for i, state in a["optimizer"]["state"].items():
        for name, x in state.items():
            assert torch.equal(torch.as_tensor(x), torch.as_tensor(b["optimizer"]["state"][i][name])), name
    assert a["watch"]["mean"] == b["watch"]["mean"]
    assert a["seen"] == b["seen"] and len(a["seen"]["noise"]) == 2 * STEPS
    assert losses(straight) == losses(killed)
