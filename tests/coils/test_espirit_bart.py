"""Maps of a real head against those of BART, the reference implementation, where both are there."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.coils import calibration_block, espirit, linear_image
from kolumn.io import read

SCAN = Path(__file__).parents[3] / "shared" / "data" / "brain_gre_8coil.h5"
pytestmark = [
    pytest.mark.skipif(shutil.which("bart") is None, reason="bart is not on the PATH (apt install bart)"),
    pytest.mark.skipif(not SCAN.exists(), reason=f"the real scan is not at {SCAN}"),
]


def write_cfl(path, x):
    dims = " ".join(map(str, x.shape))
    path.with_suffix(".hdr").write_text(f"# Dimensions\n{dims}\n")
    x.astype(np.complex64).ravel(order="F").tofile(path.with_suffix(".cfl"))


def read_cfl(path):
    dims = [int(n) for n in path.with_suffix(".hdr").read_text().splitlines()[1].split()]
    return np.fromfile(path.with_suffix(".cfl"), np.complex64).reshape(dims, order="F")


def test_the_maps_of_bart(tmp_path):
    k = read(SCAN).kspace[0]
    write_cfl(tmp_path / "k", k.numpy().transpose(1, 2, 0)[:, :, None])
    command = ["bart", "ecalib", "-m", "1", "-t", "0.001", "-c", "0.8", "-r", "24", "k", "maps"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
    theirs = torch.from_numpy(read_cfl(tmp_path / "maps").reshape(256, 256, 8).transpose(2, 0, 1).copy())
    block = calibration_block(acquire(k), limit=(24, 24))
    ours = espirit(block, (256, 256), threshold=0.001**0.5, crop=0.8)
    image = linear_image(k)
    body = image > 0.1 * image.max()
    norms = torch.linalg.vector_norm(ours, dim=0) * torch.linalg.vector_norm(theirs, dim=0)
    assert float((norms[body] > 0).float().mean()) > 0.97
    body &= norms > 0
    error = (1 - ((ours.conj() * theirs).sum(0).abs() / norms) ** 2)[body]
    assert float(error.median()) < 1e-3
    assert float(error.quantile(0.95)) < 1e-2
    there = [torch.linalg.vector_norm(x, dim=0) > 0 for x in (ours, theirs)]
    assert float((there[0] == there[1]).float().mean()) > 0.97  # the same body, cut off at the same eigenvalue
