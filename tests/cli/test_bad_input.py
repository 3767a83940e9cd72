"""Whatever is wrong: one line, exit code 2, no traceback, nothing left behind, nothing changed."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys

import h5py
import numpy as np
import pytest
import torch
from kolumn_runs import SHAPE, bad, good, run, save, scan_of, tree

from kolumn.cli import main
from kolumn.errors import OutputError

COMMANDS = {
    "info": [],
    "undersample": ["-o", "out.h5"],
    "recon": ["-o", "out.npy"],
    "compare": ["-o", "out"],
}


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    """A folder of files, each with one thing wrong."""
    folder = tmp_path_factory.mktemp("ward")
    k = scan_of(2).kspace.numpy()
    save(folder / "whole.h5", scan_of(2))
    whole = (folder / "whole.h5").read_bytes()
    (folder / "cut.h5").write_bytes(whole[: len(whole) // 2])
    (folder / "start.h5").write_bytes(whole[:100])
    (folder / "empty.h5").write_bytes(b"")
    (folder / "folder.h5").mkdir()
    (folder / "text.h5").write_text("k-space\n")
    with h5py.File(folder / "other.h5", "w") as f:
        f["data"] = k
    with h5py.File(folder / "bare.h5", "w"):
        pass
    with h5py.File(folder / "real.h5", "w") as f:
        f["kspace"] = np.abs(k)
    with h5py.File(folder / "nan.h5", "w") as f:
        f["kspace"] = np.where(np.arange(SHAPE[1]) == 3, np.nan, k).astype(np.complex64)
    with h5py.File(folder / "zero.h5", "w") as f:
        f["kspace"] = k * 0
    with h5py.File(folder / "mask.h5", "w") as f:
        f["kspace"], f["mask"] = k, np.ones(SHAPE[1] - 1)
    np.save(folder / "object.npy", np.array([{}], dtype=object), allow_pickle=True)
    return folder


SICK = {
    "missing.h5": "does not exist",
    "folder.h5": "is a directory",
    "empty.h5": "is empty",
    "cut.h5": "cut.h5",
    "start.h5": "start.h5",
    "text.h5": "in no format that kolumn reads",
    "other.h5": "no dataset 'kspace'; it has: data",
    "bare.h5": "no dataset 'kspace'; it has: none",
    "real.h5": "wanted complex",
    "nan.h5": "NaN",
    "zero.h5": "all zero",
    "mask.h5": "mask",
    "object.npy": "pickled",
}


@pytest.mark.parametrize("name", SICK)
@pytest.mark.parametrize("command", COMMANDS)
def test_sick_files(command, name, ward, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if command == "info" and name in ("nan.h5", "zero.h5", "mask.h5", "cut.h5"):
        return  # the doctor's business: see test_info.py
    assert SICK[name] in bad(capsys, command, ward / name, *COMMANDS[command])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["undersample", "recon", "compare"])
def test_wrong_dataset(command, ward, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = [command, ward / "other.h5", *COMMANDS[command]]
    assert "no dataset 'nosuch'; it has: data 2x4x48x40" in bad(capsys, *words, "--dataset", "nosuch")
    assert list(tmp_path.iterdir()) == []
    more = ["--methods", "zero-filled"] if command == "compare" else []
    good(capsys, *words, "--dataset", "data", *more)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("command", "words", "says"),
    [
        ("undersample", ["-o", "a.foo"], "cannot tell from the name 'a.foo'"),
        ("undersample", ["-o", "a.nii"], "cannot tell from the name 'a.nii' how to write k-space"),
        ("undersample", ["-o", "a.h5", "--mask", "rndom"], "unknown mask 'rndom'; did you mean 'random'?"),
        ("undersample", ["-o", "a.h5", "--acceleration", "0.9"], "acceleration is 0.9"),
        ("undersample", ["-o", "a.h5", "--acceleration", "nan"], "acceleration is nan"),
        ("undersample", ["-o", "a.h5", "--acceleration", "100"], "leaves none of the 40 columns"),
        ("undersample", ["-o", "a.h5", "--center", "2"], "center is 2.0"),
        ("undersample", ["-o", "a.h5", "--seed", "-1"], "seed is -1"),
        ("undersample", ["-o", "a.mrd", "--mask", "poisson"], "gaps along the readout"),
        ("undersample", ["-o", "no/a.h5"], "the folder no does not exist; create it first"),
        ("undersample", ["-o", "there.npy"], "there.npy exists already; choose another name or pass --overwrite"),
        ("undersample", ["-o", "."], "cannot tell from the name"),
        ("recon", ["-o", "a.foo"], "cannot tell from the name 'a.foo' how to write an image"),
        ("recon", ["-o", "a"], "cannot tell from the name 'a'"),
        ("recon", ["-o", "a.dat"], "cannot tell from the name 'a.dat'"),
        ("recon", ["-o", "no/a.npy"], "the folder no does not exist; create it first"),
        ("recon", ["-o", "there.npy/a.npy"], "create it first"),
        ("recon", ["-o", "there.npy"], "there.npy exists already; choose another name or pass --overwrite"),
        ("recon", ["-o", "/proc/a.npy"], "cannot write /proc/a.npy"),
        ("recon", ["-o", "folder.npy", "--overwrite"], "folder.npy is a directory"),
    ],
)
def test_wrong_options(command, words, says, ward, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.npy").write_bytes(b"mine")
    (tmp_path / "folder.npy").mkdir()
    before = tree(tmp_path)
    assert says in bad(capsys, command, ward / "whole.h5", *words)
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--size", "0"], "shape is (0, 0)"),
        (["--size", "8"], "at least 16 pixels"),
        (["--coils", "0"], "n_coils is 0"),
        (["--slices", "0"], "n_slices is 0"),
        (["--snr", "0"], "snr is 0.0"),
        (["--snr", "nan"], "snr is nan"),
        (["--phantom", "cat"], "unknown phantom 'cat'"),
        (["--array", "dish"], "unknown array 'dish'"),
        (["--seed", "-1"], "seed is -1; wanted a whole number from 0 to 4294967295"),
        (["--seed", "4294967296"], "seed is 4294967296"),
        (["--seed", "99999999999999999999999"], "seed is 99999999999999999999999"),
        (["--size", "3000000"], "out of memory"),
    ],
)
def test_wrong_phantoms(words, says, tmp_path, capsys):
    assert says in bad(capsys, "simulate", "-o", tmp_path / "a.h5", "--coils", "2", *words)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ["recon"],
        ["recon", "a.h5"],
        ["compare", "a.h5", "-o", "r", "--acceleration", "four"],
        ["undersample", "a.h5", "-o", "b.h5", "--center"],
        ["undersample", "a.h5", "-o", "b.h5", "--aceleration", "4"],
        ["simulate", "-o", "a.h5", "--size", "12.5"],
        ["simulate", "a.h5"],
        ["info", "a.h5", "b.h5"],
        ["nosuch"],
    ],
)
def test_usage(words, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(capsys, *words)
    assert result.code == 2 and result.out == ""
    assert "Error: " in result.err and "Traceback" not in result.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (OSError(28, "No space left on device"), 2, "the disk is full"),
        (OutputError("cannot write a.h5: No space left on device"), 2, "cannot write a.h5: the disk is full"),
        (
            OutputError(
                "cannot write a.h5: Can't synchronously write data (file write failed: time = Sun Nov 22 02:11:19 2026"
                " , filename = 'a.h5', errno = 28, error message = 'No space left on device', buf = 0x5, offset = 1)"
            ),
            2,
            "cannot write a.h5: the disk is full",
        ),
        (
            RuntimeError(
                "Can't decrement id ref count (unable to extend file properly, errno = 28, "
                "error message = 'No space left on device')"
            ),
            2,
            "cannot write the file: the disk is full",
        ),
        (PermissionError(13, "Permission denied", "a.h5"), 2, "[Errno 13] Permission denied: 'a.h5'"),
        (MemoryError(), 2, "out of memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried"), 2, "out of memory"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), 2, "out of memory"),
        (RuntimeError("two\nlines"), 1, "unexpected RuntimeError: two lines; this is a defect of kolumn, --debug"),
    ],
)
def test_errors_in_words(error, code, says, ward, tmp_path, capsys, monkeypatch):
    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr("kolumn.io.write", fail)
    result = run(capsys, "recon", ward / "whole.h5", "-o", tmp_path / "a.npy")
    assert result.code == code
    assert result.err.startswith(f"kolumn: {says}") and result.err.count("\n") == 1
    if "errno" in str(error):
        assert "buf" not in result.err
    with pytest.raises(type(error)):
        main(["recon", str(ward / "whole.h5"), "-o", str(tmp_path / "a.npy"), "--debug"])


def small_files():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))


def command(*words, cwd, **options):
    return subprocess.run(
        [sys.executable, "-m", "kolumn", *map(str, words)],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        **options,
    )


@pytest.mark.parametrize(
    "words",
    [
        ["simulate", "--size", "64", "-o", "old.mrd", "--overwrite"],
        ["simulate", "--size", "64", "-o", "a.h5"],
        ["compare", "whole.h5", "-o", "r", "--methods", "zero-filled"],
    ],
    ids=["mrd", "h5", "report"],
)
def test_no_room_for_the_file(words, ward, tmp_path):
    """A limit on the size of files, which is refused as a full disk is."""
    (tmp_path / "whole.h5").write_bytes((ward / "whole.h5").read_bytes())
    (tmp_path / "old.mrd").write_bytes(b"mine")
    before = tree(tmp_path)
    result = command(*words, cwd=tmp_path, preexec_fn=small_files)
    assert result.returncode == 2, result.stderr
    last = result.stderr.splitlines()[-1]
    assert last.startswith("kolumn: cannot write ") and last.endswith("File too large")
    assert tree(tmp_path) == before


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 128 kB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("needs the right to mount a small file system")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


def test_full_disk(small_disk, tmp_path, capsys):
    (small_disk / "old.cfl").write_bytes(b"mine")
    (small_disk / "old.hdr").write_bytes(b"mine")
    before = tree(small_disk)
    # In a process of its own, since HDF5 does not get over a file that it cannot close.
    source = save(tmp_path / "a.npz", scan_of(3))
    result = command("simulate", "--size", "128", "-o", small_disk / "a.mrd", cwd=tmp_path)
    assert result.stderr == f"kolumn: cannot write {small_disk / 'a.mrd'}: the disk is full\n"
    assert result.returncode == 2
    assert tree(small_disk) == before
    result = command("simulate", "--size", "128", "-o", small_disk / "a.npy", cwd=tmp_path)
    assert (result.returncode, result.stderr) == (2, f"kolumn: cannot write {small_disk / 'a.npy'}: the disk is full\n")
    assert tree(small_disk) == before
    assert "the disk is full" in bad(capsys, "simulate", "--size", "128", "-o", small_disk / "old.cfl", "--overwrite")
    assert tree(small_disk) == before
    with contextlib.suppress(OSError), (small_disk / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    for _ in range(2):  # the folder is missing, then there
        before = tree(small_disk)
        assert "the disk is full" in bad(capsys, "compare", source, "-o", small_disk / "r", "--methods", "zero-filled")
        assert tree(small_disk) == before
        (small_disk / "r").mkdir(exist_ok=True)
    for name in ("a.npy", "a.cfl", "a.png"):
        assert "the disk is full" in bad(capsys, "recon", source, "-o", small_disk / name)
    assert tree(small_disk) == before


def test_a_folder_on_another_disk(small_disk, ward, capsys):
    """The report moves into place within the disk that it is written to."""
    good(capsys, "simulate", "--size", "16", "--coils", "1", "-o", small_disk / "a.npy")
    words = ["--methods", "zero-filled", "--acceleration", "2", "--center", "0.1"]
    good(capsys, "compare", small_disk / "a.npy", "-o", small_disk, *words)
    assert {p.name for p in small_disk.iterdir()} == {"a.npy", "metrics.json", "report.html", "report.png", "run.json"}


def test_half_of_a_bart_pair(tmp_path, capsys):
    (tmp_path / "k.cfl").write_bytes(bytes(64))
    for name in ("k.cfl", "k"):
        assert "k.hdr, which has its sizes, is missing" in bad(capsys, "info", tmp_path / name)


def test_a_file_without_any_kspace(tmp_path, capsys):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["text"], file["image"] = "words", np.zeros((3, 4))
    assert bad(capsys, "info", tmp_path / "a.h5").endswith("it has: image 3x4, text; none of them is k-space\n")
    with h5py.File(tmp_path / "a.h5", "a") as file:
        file["raw"] = np.ones((3, 4), np.complex64)
    assert bad(capsys, "info", tmp_path / "a.h5").endswith("raw 3x4, text; choose one with --dataset\n")


def test_what_are_no_weights(tmp_path, capsys):
    file = save(tmp_path / "a.npz", scan_of())
    (tmp_path / "card.json").write_text('{"network": "unet"}')
    torch.save({"model": {}, "optimizer": {}}, tmp_path / "last.pt")
    for name, says in (("card.json", "holds no weights"), ("last.pt", "weights.safetensors beside it")):
        words = ["recon", file, "-o", tmp_path / "x.png", "--method", "unet", "--weights", tmp_path / name]
        assert says in bad(capsys, *words)


def test_a_range_without_slices(tmp_path, capsys):
    file = save(tmp_path / "a.npz", scan_of(3))
    assert "a range without slices" in bad(capsys, "recon", file, "-o", tmp_path / "x.png", "--slices", "2:1")


def test_a_device_that_there_is_not(tmp_path, capsys):
    file = save(tmp_path / "a.npz", scan_of())
    assert "(wanted auto, cpu, cuda, mps, or cuda:1)" in bad(
        capsys, "recon", file, "-o", tmp_path / "x.png", "--device", "gpu"
    )
