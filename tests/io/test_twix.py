"""Siemens raw data, from a file made here and, where it is, a real one."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from io_files import random_kspace, write_twix

from kolumn.errors import FormatError, MissingExtraError
from kolumn.io import open_scan, read

pytest.importorskip("twixtools")


@pytest.fixture
def k():
    return random_kspace(2, 3, 12, 7).numpy()


def test_twix(k, tmp_path, capsys):
    noise = random_kspace(3, 50, seed=9).numpy()
    write_twix(tmp_path / "a.dat", k, noise=noise)
    scan = open_scan(tmp_path / "a.dat")
    a = scan.volume()
    assert np.allclose(a.kspace.numpy(), k, rtol=1e-5, atol=0)  # averaged, reversed lines flipped
    assert np.allclose(a.noise.numpy(), noise @ noise.conj().T / 50, rtol=1e-4)
    assert scan.format == "twix"
    assert a.geometry.matrix == (6, 7)
    assert a.geometry.fov == (200, 150, 4)
    assert np.allclose(a.geometry.positions, [[3, 0, 0], [3, 0, 10]])
    assert a.geometry.read_dir == (0, -1, 0)
    assert a.geometry.phase_dir == (-1, 0, 0)
    assert capsys.readouterr() == ("", "")


def test_twix_partial_fourier(k, tmp_path):
    write_twix(tmp_path / "a.dat", k, first_line=2)
    a = read(tmp_path / "a.dat")
    assert a.mask.flatten().tolist() == [False] * 2 + [True] * 5
    assert np.allclose(a.kspace[..., 2:].numpy(), k[..., 2:], rtol=1e-5, atol=0)


def test_without_twixtools(k, tmp_path, monkeypatch):
    write_twix(tmp_path / "a.dat", k)
    for name in [n for n in sys.modules if n.startswith("twixtools")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "twixtools", None)
    with pytest.raises(MissingExtraError, match=r'pip install "kolumn\[twix\]"'):
        open_scan(tmp_path / "a.dat")


def test_cut_off(k, tmp_path):
    write_twix(tmp_path / "a.dat", k)
    data = (tmp_path / "a.dat").read_bytes()
    (tmp_path / "b.dat").write_bytes(data[:-400])
    with pytest.raises(FormatError, match="cut off"):
        open_scan(tmp_path / "b.dat")


def test_rotation_is_that_of_twixtools(k, tmp_path):
    from twixtools import geometry

    from kolumn.io import twix

    q = np.array([0.5, -0.1, 0.7, 0.2])
    q /= np.linalg.norm(q)
    wanted = geometry.quat_to_rotmat(*q)
    wanted[:, :2] *= -1
    assert np.allclose(twix._rotations(q[None])[0], wanted)
