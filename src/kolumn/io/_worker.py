"""The only code that lets libhdf5 touch a file; run as a script in a process of its own by ``hdf5.py``.

libhdf5 can crash, hang or allocate without bound on a damaged file (measured on 2.0.0: about one flipped file in
1000), and then this process dies instead of the user's. It imports nothing of kolumn, so it starts in a moment.

Requests are JSON lines on stdin: ``{"op": ..., "path": ..., ...}``. Answers are a JSON line on stdout,
``{"error": ...}`` or ``{"value": ..., "nbytes": n}``, followed by n raw bytes.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import h5py
import numpy as np

MAX_DATASETS = 1000
MAX_TEXT = 1 << 24
Answer = tuple[Any, bytes]


def limit_memory(nbytes: int) -> None:
    """Let this process use at most ``nbytes`` of address space, where the system can say so."""
    try:
        import resource
    except ImportError:  # Windows
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    soft = nbytes if hard == resource.RLIM_INFINITY else min(nbytes, hard)
    resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def describe(dset: Any) -> dict[str, Any]:
    """What the parent needs to judge a dataset before its values are read."""
    plist = dset.id.get_create_plist()
    if dset.external or dset.is_virtual:
        raise ValueError(f"dataset {dset.name} keeps its values in other files, which is refused")
    text = h5py.check_string_dtype(dset.dtype) is not None
    return {
        "shape": list(dset.shape or ()),
        "kind": "text" if text else dset.dtype.kind,
        "itemsize": dset.dtype.itemsize,
        "fields": list(dset.dtype.names or ()),
        "storage": dset.id.get_storage_size(),
        "offset": dset.id.get_offset(),
        "filters": plist.get_nfilters(),
    }


def contents(file: Any, request: dict[str, Any]) -> Answer:
    """Every dataset that hangs on hard links, by name."""
    found: dict[str, Any] = {}

    def visit(name: str, node: Any) -> bool | None:
        if isinstance(node, h5py.Dataset):
            found[name] = describe(node)
        return True if len(found) >= MAX_DATASETS else None

    file.visititems(visit)
    return found, b""


def attributes(file: Any, request: dict[str, Any]) -> Answer:
    """The scalar attributes of the file itself, as text."""
    found = {}
    for name in list(file.attrs)[:100]:
        if file.attrs.get_id(name).get_storage_size() > 4096:
            continue
        value = file.attrs[name]
        value = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
        if np.ndim(value) == 0:
            found[name] = str(value)[:4096]
    return found, b""


def text(file: Any, request: dict[str, Any]) -> Answer:
    """A string, alone or in an array of one, as bytes."""
    dset = file[request["name"]]
    if dset.size != 1 or h5py.check_string_dtype(dset.dtype) is None:
        raise ValueError(f"dataset {dset.name} is not a single text")
    value = dset[()]
    value = value if isinstance(value, (bytes, str)) else np.asarray(value).reshape(-1)[0]
    raw = value.encode() if isinstance(value, str) else bytes(value)
    if len(raw) > MAX_TEXT:
        raise ValueError(f"dataset {dset.name} holds {len(raw)} bytes of text, too much for a header")
    return {}, raw


def array(file: Any, request: dict[str, Any]) -> Answer:
    """A numeric dataset, or one entry along its first axis."""
    dset = file[request["name"]]
    index = request.get("index")
    value = dset[()] if index is None else dset[index]
    value = np.ascontiguousarray(value)
    return {"dtype": value.dtype.str, "shape": list(value.shape)}, value.tobytes()


def flatten(dtype: Any, prefix: str = "") -> list[tuple[str, Any, tuple[int, ...], tuple[str, ...]]]:
    """(flat name, base type, shape, path) of each numeric leaf of a compound type."""
    leaves = []
    for name in dtype.names:
        field = dtype[name]
        if field.names:
            leaves += [(n, b, s, (name, *p)) for n, b, s, p in flatten(field, prefix)]
        elif field.base.kind in "iuf":
            leaves.append((prefix + name, field.base, field.shape, (name,)))
    return leaves


def heads(file: Any, request: dict[str, Any]) -> Answer:
    """The heads of all readouts as one packed table, nested names laid flat."""
    dset = file[request["name"]]
    leaves = flatten(dset.dtype["head"])
    # A table of numbers only: asking for the field keeps libhdf5 away from the variable-length samples.
    table = dset.fields("head")[:]
    out = np.zeros(len(table), dtype=[(name, base, shape) for name, base, shape, _ in leaves])
    for name, _, _, path in leaves:
        value = table
        for step in path:
            value = value[step]
        out[name] = value
    fields = [[name, base.str, list(shape)] for name, base, shape, _ in leaves]
    return {"fields": fields, "n": len(out)}, out.tobytes()


def rows(file: Any, request: dict[str, Any]) -> Answer:
    """The samples of some readouts, one after the other, and the length of each."""
    data = file[request["name"]].fields("data")
    parts = []
    for i in request["indices"]:
        row = np.asarray(data[i], dtype=np.float32)
        if row.ndim != 1 or row.size != request["size"]:
            raise ValueError(f"readout {i} holds {row.size} numbers where its head says {request['size']}")
        parts.append(row)
    joined = np.concatenate(parts) if parts else np.zeros(0, np.float32)
    return {}, joined.tobytes()


OPS = {f.__name__: f for f in (contents, attributes, text, array, heads, rows)}


def answer(request: dict[str, Any]) -> Answer:
    """Carry out one request."""
    limit_memory(request["memory"])
    with h5py.File(request["path"], "r") as file:
        return OPS[request["op"]](file, request)


def main() -> None:
    """Answer requests until stdin ends."""
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        try:
            value, payload = answer(json.loads(line))
            reply = json.dumps({"value": value, "nbytes": len(payload)}).encode()
        except (MemoryError, RecursionError):
            reply, payload = json.dumps({"error": "the file asks for more memory than it can mean"}).encode(), b""
        except Exception as error:
            words = " ".join(str(error).split())[:300] or type(error).__name__
            reply, payload = json.dumps({"error": words}).encode(), b""
        out.write(reply + b"\n")
        out.write(payload)
        out.flush()


if __name__ == "__main__":
    main()
