"""Masks from .npy files, good and hostile."""

import io
import os
import re
import struct
import tracemalloc

import numpy as np
import pytest
import torch

from kolumn.errors import ArgumentError, FormatError, KolumnError
from kolumn.masks import from_file, make_mask

LINES = np.arange(12) % 3 == 0
PLANE = np.arange(60).reshape(5, 12) % 7 == 0


def save(path, array):
    np.save(path, array, allow_pickle=True)
    return path


def npy(header, data=b""):
    """A file of bytes with that header, or with that shape in it."""
    if not isinstance(header, str):
        header = f"{{'descr': '|b1', 'fortran_order': False, 'shape': {header}}}"
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize("dtype", ["?", "u1", "i8", ">i4", "f2", "f4", ">f8"])
@pytest.mark.parametrize("form", [lambda a: a, lambda a: a[None], lambda a: np.asfortranarray(np.tile(a, (5, 1)))])
def test_columns(tmp_path, dtype, form):
    mask = from_file(save(tmp_path / "m.npy", form(LINES.astype(dtype))), (5, 12))
    assert mask.dtype == torch.bool
    assert mask.tolist() == [LINES.tolist()]


@pytest.mark.parametrize("order", ["C", "F"])
def test_plane(tmp_path, order):
    mask = from_file(save(tmp_path / "m.npy", np.asarray(PLANE, order=order)), (5, 12))
    assert mask.tolist() == PLANE.tolist()


def test_the_mask_does_not_hold_on_to_the_file(tmp_path):
    path = save(tmp_path / "m.npy", PLANE)
    mask = from_file(path, (5, 12))
    save(path, ~PLANE)
    assert mask.tolist() == PLANE.tolist()
    mask[:] = True  # and may be written to


def test_the_front_door(tmp_path):
    path = str(save(tmp_path / "m.npy", LINES))
    mask = make_mask(path, (5, 12), acceleration=7, center=0.5, seed=3)
    assert mask.to_dict() == {
        "kind": path,
        "acceleration": None,
        "center": None,
        "seed": None,
        "true_acceleration": 3.0,
        "calibration_width": 1,
        "shape": [1, 12],
    }


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.ones(9), "has 9 columns and k-space has 12"),
        (np.ones(5), "has 5 columns and k-space has 12"),
        (np.ones((12, 5)), r"is 12 x 5 and k-space is 5 x 12"),
        (np.ones((1, 5, 12)), r"is 1 x 5 x 12 and k-space is 5 x 12"),
        (np.ones(()), "is a single number and"),
        (np.zeros(12), "samples nothing"),
    ],
)
def test_wrong_size(tmp_path, array, message):
    with pytest.raises(ArgumentError, match=message):
        from_file(save(tmp_path / "m.npy", array), (5, 12))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_not_a_number(tmp_path, bad):
    array = LINES.astype(float)
    array[4] = bad
    with pytest.raises(FormatError, match="NaN or infinity"):
        from_file(save(tmp_path / "m.npy", array), (5, 12))


@pytest.mark.parametrize(
    "array", [np.array(list("abcdefghijkl")), LINES + 0j, np.zeros(12, "M8[s]"), np.zeros(12, "?,?")]
)
def test_not_numbers(tmp_path, array):
    with pytest.raises(FormatError, match="wanted booleans or real numbers"):
        from_file(save(tmp_path / "m.npy", array), (5, 12))


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def archive():
    buffer = io.BytesIO()
    np.savez(buffer, LINES)
    return buffer.getvalue()


BYTES = b"\1" * 12
NO_NUMPY = "is not a .npy file of numbers: "
HOSTILE = {
    "empty": (b"", NO_NUMPY),
    "text": (b"1 0 0 1\n", NO_NUMPY),
    "magic only": (b"\x93NUMPY", NO_NUMPY),
    "header cut": (npy((12,))[:30], NO_NUMPY),
    "version 9": (b"\x93NUMPY\x09\x00" + b"\0" * 64, NO_NUMPY),
    "not python": (npy("{'descr': "), NO_NUMPY),
    "code": (npy("__import__('os').mkdir('exploded')"), NO_NUMPY),
    "long header": (npy("{'descr': '|b1', 'fortran_order': False, 'shape': (12,)}" + " " * 60000), NO_NUMPY),
    "nested": (npy("(" * 5000 + ")" * 5000), NO_NUMPY),
    "unhashable": (npy("{[]: 0}"), NO_NUMPY),
    "bad dtype": (npy("{'descr': '|zz9', 'fortran_order': False, 'shape': (12,)}", BYTES), NO_NUMPY),
    "null bytes": (npy("{'descr': '|b1\0', 'fortran_order': False, 'shape': (12,)}", BYTES), NO_NUMPY),
    "float shape": (npy((12.0,), BYTES), NO_NUMPY),
    "archive": (archive(), NO_NUMPY),
    "no values": (npy((12,)), "is cut short: 0 of 12 bytes"),
    "data cut": (npy((12,), BYTES[:11]), "is cut short: 11 of 12 bytes"),
    "plane cut": (npy((5, 12), BYTES), "is cut short: 12 of 60 bytes"),
    "huge items": (npy("{'descr': '|V2147483647', 'fortran_order': False, 'shape': (12,)}", BYTES), "wanted bool"),
    "negative": (npy((-12,), BYTES), "has -12 columns and k-space has 12"),
    "none": (npy((0,)), "has 0 columns"),
    "terabytes": (npy((2**40, 12), BYTES), "is 1099511627776 x 12 and k-space is 5 x 12"),
    "beyond 64 bits": (npy((10**30,), BYTES), "has 1000000000000000000000000000000 columns"),
    "overflowing": (npy((2**61, 12), BYTES), "and k-space is 5 x 12"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    content, message = HOSTILE[name]
    path = tmp_path / "m.npy"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(KolumnError, match=re.escape(message)) as error:
            from_file(path, (5, 12))
        assert tracemalloc.get_traced_memory()[1] < 2**24
    finally:
        tracemalloc.stop()
    assert isinstance(error.value, ArgumentError if "k-space" in str(error.value) else FormatError)
    assert str(error.value).startswith(f"mask {path} ")
    assert "\n" not in str(error.value)
    assert not (tmp_path / "exploded").exists()


def test_no_pickle_is_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError):
        from_file(save(tmp_path / "m.npy", np.array([Bomb()] * 12, dtype=object)), (5, 12))
    assert not (tmp_path / "exploded").exists()


def test_a_huge_file_is_not_read(tmp_path):
    path = tmp_path / "m.npy"
    n = 2**40
    path.write_bytes(npy((n,)))
    try:
        os.truncate(path, n + 200)  # a sparse file: it takes no disk
    except OSError:
        pytest.skip("this file system has no sparse files of a terabyte")
    with pytest.raises(ArgumentError, match=f"has {n} columns and k-space has 12"):
        from_file(path, (5, 12))


def test_no_such_file(tmp_path):
    with pytest.raises(ArgumentError, match=r"none\.npy: there is no such file"):
        make_mask(str(tmp_path / "none.npy"), (5, 12))
    with pytest.raises(ArgumentError, match="not a regular file"):
        from_file(tmp_path, (5, 12))
    with pytest.raises(FormatError, match="cannot be read: File name too long"):
        from_file(tmp_path / ("x" * 300 + ".npy"), (5, 12))


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "m.npy")
    with pytest.raises(ArgumentError, match="not a regular file"):
        from_file(tmp_path / "m.npy", (5, 12))
