"""HDF5 read in a process of its own, so that a damaged file ends in a FormatError and never in a crash or a hang.

One helper process serves all files of this process; it starts at the first HDF5 file (about 0.3 s), ends with this
process, and is started again when a file has killed it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError

MAGIC = b"\x89HDF\r\n\x1a\n"
TIME_LIMIT = 30.0  # seconds before a request counts as hung, on top of the time to move the bytes
SLOWEST = 5e6  # bytes a second that any disk manages
MEMORY = 2 << 30  # bytes that the helper may use besides the values asked for
RATIO = 1100  # deflate packs at most 1032 : 1


@dataclass(frozen=True)
class Dataset:
    """What a file says about one of its datasets.

    Attributes:
        shape: its shape.
        kind: numpy's letter of the type, "V" for compounds, or "text".
        nbytes: size of the values in memory, as claimed.
        fields: names of the parts of a compound.
    """

    shape: tuple[int, ...]
    kind: str
    nbytes: int
    fields: tuple[str, ...]


class _Helper:
    """The process, and one question at a time."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.process.poll() is not None:
            self.stop()
            script = Path(__file__).with_name("_worker.py")
            # -P keeps this folder, with its ismrmrd.py and npy.py, off the import path of the script.
            command = [sys.executable, "-P", str(script)]
            # The maths libraries must not reserve a stack for each core: it counts as memory.
            environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
            pipe, null = subprocess.PIPE, subprocess.DEVNULL
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=null, env=environment)
        return self.process

    def stop(self) -> None:
        process, self.process = self.process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # a request that the process never took
                    stream.close()

    def forget(self) -> None:
        """In a fork the process and the lock are the parent's: start afresh."""
        if self.process is not None:
            self.process.returncode = 0  # not ours to wait for
        self.lock, self.process = threading.Lock(), None

    def ask(self, request: dict[str, Any], seconds: float) -> tuple[dict[str, Any], bytes] | None:
        """The answer, or None where the process crashed or was stopped for being late."""
        process = self.start()
        assert process.stdin is not None and process.stdout is not None
        timer = threading.Timer(seconds, process.kill)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline() or b"null")
            if answer is None:
                return None
            payload = process.stdout.read(answer.get("nbytes", 0))
            return (answer, payload) if len(payload) == answer.get("nbytes", 0) else None
        except (OSError, ValueError):
            return None
        finally:
            timer.cancel()


_HELPER = _Helper()
atexit.register(_HELPER.stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_HELPER.forget)


def _ask(op: str, path: Path, expected: int = 0, **more: Any) -> tuple[Any, bytes]:
    request = {"op": op, "path": str(path.resolve()), "memory": MEMORY + 4 * expected, **more}
    with _HELPER.lock:
        try:
            answer = _HELPER.ask(request, TIME_LIMIT + expected / SLOWEST)
        except OSError as error:
            raise FormatError(f"cannot start {sys.executable} to read {path}: {error.strerror or error}") from error
        if answer is None:
            _HELPER.stop()
    if answer is None:
        raise FormatError(f"{path} is damaged: the HDF5 library crashed or hung on it; copy or download it again")
    if "error" in answer[0]:
        raise FormatError(f"{path} cannot be read as HDF5: {answer[0]['error']}")
    return answer[0]["value"], answer[1]


def contents(path: Path) -> dict[str, Dataset]:
    """Every dataset of the file by name, none of them larger than the file can back.

    Raises:
        FormatError: not HDF5, damaged, or a dataset claims more than the file can hold.
    """
    found, _ = _ask("contents", path)
    return {name: _checked(path, name, d) for name, d in found.items()}


def _checked(path: Path, name: str, d: dict[str, Any]) -> Dataset:
    nbytes = prod(d["shape"]) * d["itemsize"]
    size = path.stat().st_size
    offset, storage = d["offset"], d["storage"]
    held = size - offset if offset is not None else min(storage, size) * (RATIO if d["filters"] else 1)
    # Chunks are whole, so a dataset can be smaller than what stores it, never larger.
    if nbytes > held and d["kind"] != "text" and storage:
        raise FormatError(f"{path} is damaged: dataset {name} claims {nbytes} bytes, and {held} can be there")
    if not storage and nbytes > size + (1 << 20):
        raise FormatError(f"{path}: dataset {name} claims {nbytes} bytes and none of them was written")
    return Dataset(tuple(d["shape"]), d["kind"], nbytes, tuple(d["fields"]))


def attributes(path: Path) -> dict[str, str]:
    """The scalar attributes of the file, as text."""
    found, _ = _ask("attributes", path)
    return {str(k): str(v) for k, v in found.items()}


def text(path: Path, name: str) -> bytes:
    """A dataset that is one string."""
    return _ask("text", path, name=name)[1]


def array(path: Path, name: str, dataset: Dataset, index: int | None = None) -> NDArray[Any]:
    """The values of a numeric dataset, or of one entry along its first axis."""
    expected = dataset.nbytes if index is None else dataset.nbytes // max(dataset.shape[0], 1)
    value, raw = _ask("array", path, expected, name=name, index=index)
    return np.frombuffer(bytearray(raw), dtype=value["dtype"]).reshape(value["shape"])


def heads(path: Path, name: str, dataset: Dataset) -> NDArray[Any]:
    """The heads of ISMRMRD readouts, a structured array with nested names laid flat."""
    value, raw = _ask("heads", path, dataset.nbytes, name=name)
    dtype = np.dtype([(field, base, tuple(shape)) for field, base, shape in value["fields"]])
    return np.frombuffer(raw, dtype=dtype, count=value["n"])


def rows(path: Path, name: str, indices: NDArray[Any], coils: int, samples: int) -> NDArray[np.complex64]:
    """The samples of some ISMRMRD readouts, complex64 (readout, coil, sample)."""
    size = 2 * coils * samples
    expected = 4 * size * len(indices)
    _, raw = _ask("rows", path, expected, name=name, indices=[int(i) for i in indices], size=size)
    return np.frombuffer(bytearray(raw), dtype=np.complex64).reshape(len(indices), coils, samples)
