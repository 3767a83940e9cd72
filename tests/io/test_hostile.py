"""Damaged files: each reader reads or refuses in one line; it never crashes, hangs or fills the memory."""

from __future__ import annotations

import collections
import json
import random
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from io_files import make

from kolumn.errors import FormatError, KolumnError
from kolumn.io import open_scan, read, read_maps

READERS = ("fastmri", "ismrmrd", "npy", "npz", "cfl", "twix")


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> dict[str, Path]:
    return make(tmp_path_factory.mktemp("good"))


def damage(data: bytes, seed: int) -> bytes:
    """Cut off, bytes flipped, sizes made absurd, or a block lost: by turns."""
    r = random.Random(seed)
    b = bytearray(data)
    kind = seed % 5
    if kind == 0:
        return bytes(b[: len(b) * (seed // 5) // 16 + r.randrange(8)])
    if kind in (1, 2):
        head = len(b) if kind == 1 else min(len(b), 4096)
        for _ in range(r.choice([1, 2, 5, 20])):
            b[r.randrange(head)] = r.randrange(256)
    elif kind == 3:
        at = r.randrange(min(len(b), 8192))
        n = r.choice([1, 4, 8])
        b[at : at + n] = b"\xff" * n
    else:
        at = r.randrange(len(b))
        b[at : at + 64] = bytes(len(b[at : at + 64]))
    return bytes(b)


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused(name, good, tmp_path):
    source = good[name]
    data = source.read_bytes()
    header = source.with_suffix(".hdr")
    paths = []
    for seed in range(80):
        path = tmp_path / f"{seed}{source.suffix}"
        spoilt_header = name == "cfl" and seed % 2
        path.write_bytes(data if spoilt_header else damage(data, seed))
        if name == "cfl":
            text = header.read_bytes()
            path.with_suffix(".hdr").write_bytes(damage(text, seed) if spoilt_header else text)
        paths.append(str(path))
    worker = Path(__file__).with_name("fuzz_worker.py")
    done = subprocess.run([sys.executable, str(worker), *paths], capture_output=True, text=True, timeout=120)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, (done.returncode, done.stderr[-2000:], results[-1:])
    bad = [r for r in results if r[1] not in ("read", "refused")]
    assert not bad, bad[:5]
    assert len(results) == len(paths)
    assert max(r[2] for r in results) < 30
    counts = collections.Counter(r[1] for r in results)
    assert counts["refused"] >= 15, counts  # the damage reached the reader


def test_missing_directory_and_empty(tmp_path):
    with pytest.raises(FormatError, match="does not exist"):
        open_scan(tmp_path / "no.h5")
    with pytest.raises(FormatError, match="directory"):
        open_scan(tmp_path)
    (tmp_path / "empty.h5").touch()
    with pytest.raises(FormatError, match="empty"):
        open_scan(tmp_path / "empty.h5")
    (tmp_path / "words.h5").write_text("hello")
    with pytest.raises(FormatError, match="no format"):
        open_scan(tmp_path / "words.h5")


@pytest.mark.parametrize(
    ("xml", "says"),
    [
        (b'<!DOCTYPE a [<!ENTITY b "bb">]><ismrmrdHeader>&b;</ismrmrdHeader>', "document type"),
        (b"<ismrmrdHeader><encoding>", "well-formed"),
        (b"", "well-formed"),
        ("<ismrmrdHeader/>".encode("utf-16"), "UTF-8"),
        (b"<e><encoding><encodedSpace><matrixSize><x>1e99</x></matrixSize></encodedSpace></encoding></e>", "cannot be"),
        (b"<e><encoding><encodedSpace><matrixSize><x>ten</x></matrixSize></encodedSpace></encoding></e>", "a number"),
    ],
)
def test_hostile_headers(xml, says, tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as f:
        f["kspace"] = np.ones((1, 2, 4, 4), np.complex64)
        f["ismrmrd_header"] = np.void(xml) if b"\0" in xml else xml
    with pytest.raises(FormatError, match=says if b"\0" not in xml else "text"):
        open_scan(path)


def test_header_that_claims_a_huge_matrix(good, tmp_path):
    path = tmp_path / "a.mrd"
    path.write_bytes(good["ismrmrd"].read_bytes())
    with h5py.File(path, "r+") as f:
        xml = f["dataset/xml"][0]
        f["dataset/xml"][0] = xml.replace(b"<x>12</x>", b"<x>999999</x>", 1).replace(b"<y>7</y>", b"<y>999999</y>", 1)
    with pytest.raises(FormatError, match="asks for a k-space"):
        open_scan(path)


def test_vlen_shorter_than_its_head(good, tmp_path):
    path = tmp_path / "a.mrd"
    path.write_bytes(good["ismrmrd"].read_bytes())
    with h5py.File(path, "r+") as f:
        row = f["dataset/data"][3]
        row["data"] = row["data"][:5]
        f["dataset/data"][3] = row
    with pytest.raises(FormatError, match="holds 5 numbers where its head says 72"):
        read(path)


@pytest.mark.parametrize("written", [False, True])
def test_dataset_claiming_more_than_the_file(written, tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as f:
        d = f.create_dataset("kspace", (10**6, 2, 64, 64), np.complex64, chunks=(1, 2, 64, 64), compression="gzip")
        if written:
            d[0] = 1
    with pytest.raises(FormatError, match="claims"):
        open_scan(path)


def test_wrong_dtypes_and_pickles(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f["kspace"] = np.ones((2, 4, 4))
    with pytest.raises(FormatError, match="wanted complex"):
        open_scan(tmp_path / "a.h5")
    np.save(tmp_path / "a.npy", np.array([{}, 1], dtype=object), allow_pickle=True)
    with pytest.raises(FormatError, match="pickled"):
        open_scan(tmp_path / "a.npy")
    np.savez(tmp_path / "b.npz", image=np.ones(3))
    with pytest.raises(FormatError, match="it has: image"):
        open_scan(tmp_path / "b.npz")


def test_values_in_other_files_are_refused(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(8 * 2 * 16))
    with h5py.File(tmp_path / "a.h5", "w") as f:
        f.create_dataset("kspace", (2, 4, 4), np.complex64, external=[(str(tmp_path / "secret"), 0, 256)])
    with pytest.raises(FormatError, match="other files"):
        open_scan(tmp_path / "a.h5")


def test_every_truncation_of_maps_is_refused(good):
    path = good["npy"]
    data = path.read_bytes()
    short = path.with_name("short.npy")
    for n in range(1, len(data), 97):
        short.write_bytes(data[:n])
        with pytest.raises(KolumnError):
            read_maps(short)


def test_helper_survives_a_crash(good, monkeypatch):
    from kolumn.io import hdf5

    hdf5.contents(good["fastmri"])
    hdf5._HELPER.process.kill()
    hdf5._HELPER.process.wait()
    assert read(good["fastmri"]).kspace.shape == (2, 3, 12, 7)


def test_helper_that_hangs_is_stopped(good, monkeypatch):
    from kolumn.io import hdf5

    hdf5.contents(good["fastmri"])
    monkeypatch.setattr(hdf5, "TIME_LIMIT", 0.0)
    monkeypatch.setattr(hdf5, "SLOWEST", 1e30)
    monkeypatch.setattr(hdf5._HELPER, "start", lambda: _asleep(hdf5))
    with pytest.raises(FormatError, match="crashed or hung"):
        hdf5.contents(good["fastmri"])


def _asleep(hdf5):
    pipe = subprocess.PIPE
    if not getattr(hdf5._HELPER, "sleeper", None):
        hdf5._HELPER.stop()
        command = [sys.executable, "-c", "import time; time.sleep(60)"]
        hdf5._HELPER.process = subprocess.Popen(command, stdin=pipe, stdout=pipe)
    return hdf5._HELPER.process
