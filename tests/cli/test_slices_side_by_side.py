"""A volume in `kolumn recon`: slices on several cores at once, in order, in bounded memory, errors in one line."""

from __future__ import annotations

import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from kolumn_runs import bad, good, save, scan_of

from kolumn.cli.volume import Settings, reconstruct_slices
from kolumn.errors import ArgumentError, FormatError
from kolumn.io import open_scan
from kolumn.recon import METHODS, ZeroFilled
from kolumn.report.account import Account

N = 9


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return save(tmp_path_factory.mktemp("volume") / "a.npz", scan_of(N))


def watched(scan):
    """The scan, and the threads that loaded its slices."""
    threads = []
    load = scan.load
    return replace(scan, load=lambda i: (threads.append(threading.get_ident()), load(i))[1]), threads


def test_side_by_side_and_in_order(file, two_threads):
    """Each slice waits until another is at work too, and the even ones take longer."""
    scan, loads = watched(open_scan(file))
    meet, workers = threading.Barrier(2, timeout=20), set()

    def solve(acquisition):
        i = meet.wait()
        workers.add(threading.get_ident())
        time.sleep(0.05 * i)
        return ZeroFilled()(acquisition), Account()

    chosen = list(range(8))
    got = torch.stack([image for image, _ in reconstruct_slices(scan, chosen, solve, Settings())])
    torch.testing.assert_close(got, ZeroFilled()(open_scan(file).volume())[chosen])
    assert len(workers) == 2 and threading.get_ident() not in workers
    assert set(loads) == {threading.get_ident()} and len(loads) == 8


def test_memory_is_bounded(file, two_threads):
    """Slices are not read ahead of the work by more than one for each core."""
    scan, loads = watched(open_scan(file))
    done, ahead = 0, []

    def solve(acquisition):
        nonlocal done
        time.sleep(0.01)
        ahead.append(len(loads) - done)
        done += 1
        return ZeroFilled()(acquisition), Account()

    for i, _ in enumerate(reconstruct_slices(scan, range(N), solve, Settings())):
        assert len(loads) <= i + 1 + 2
    assert max(ahead) <= 4 and done == N


def test_no_threads_for_a_gpu(file, two_threads):
    """What is no CPU has one queue of work and one memory."""
    workers = set()

    def solve(acquisition):
        workers.add(threading.get_ident())
        return torch.ones(4, 4), Account()

    assert len(list(reconstruct_slices(open_scan(file), range(3), solve, Settings(device="meta")))) == 3
    assert workers == {threading.get_ident()}


def test_errors_come_through(file, two_threads):
    def solve(acquisition):
        if float(acquisition.kspace.abs().max()) == brightest:
            raise ArgumentError("this one cannot be done")
        return ZeroFilled()(acquisition), Account()

    scan = open_scan(file)
    brightest = float(scan.load(4).kspace.abs().max())
    results = reconstruct_slices(scan, range(N), solve, Settings())
    assert len([next(results) for _ in range(4)]) == 4
    with pytest.raises(ArgumentError, match="this one cannot be done"):
        next(results)

    def load(i):
        if i == 2:
            raise FormatError("slice 2 is damaged")
        return scan.load(i)

    with pytest.raises(FormatError, match="slice 2 is damaged"):
        list(reconstruct_slices(replace(scan, load=load), range(N), solve, Settings()))


def test_errors_are_one_line(file, two_threads, tmp_path, capsys, monkeypatch):
    class Fails:
        def __call__(self, acquisition):
            raise ArgumentError("not this one")

    monkeypatch.setitem(METHODS, "fails", Fails)
    assert bad(capsys, "recon", file, "-o", tmp_path / "a.npy", "--method", "fails") == "kolumn: not this one\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("method", ["zero-filled", "sense"])
def test_as_one_by_one(method, file, two_threads, tmp_path, capsys):
    words = ["recon", file, "--method", method, "-o"]
    good(capsys, *words, tmp_path / "two.npy")
    torch.set_num_threads(1)
    good(capsys, *words, tmp_path / "one.npy")
    one, two = np.load(tmp_path / "one.npy"), np.load(tmp_path / "two.npy")
    assert one.shape == (N, 48, 40)
    np.testing.assert_allclose(one, two, atol=1e-5 * np.abs(one).max())
