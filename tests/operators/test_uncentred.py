"""Q A and Q y stand for A and y: the same norms and the same A^H, whatever the size and the mask."""

from __future__ import annotations

import pytest
import torch

from kolumn.acquisition import Acquisition
from kolumn.operators import encoding, uncentred

COLUMNS, SAMPLES, BY_COIL = (1, 1), (1, 0), (0, 0)


def problem(shape: tuple[int, int], kind: tuple[int, int], n_sets: int = 1) -> tuple[Acquisition, torch.Tensor]:
    g = torch.Generator().manual_seed(sum(shape))
    ny, nx = shape
    mask = torch.rand(1 if kind[0] else 3, 1 if kind[1] else ny, nx, generator=g) < 0.5
    maps = torch.randn(n_sets, 3, ny, nx, dtype=torch.complex128, generator=g) / 3
    kspace = torch.randn(3, ny, nx, dtype=torch.complex128, generator=g) * mask
    x = torch.randn(n_sets, ny, nx, dtype=torch.complex128, generator=g)
    return Acquisition(kspace, mask, maps), x


@pytest.mark.parametrize("shape", [(6, 8), (7, 9), (8, 5), (1, 4), (5, 1)], ids=str)
@pytest.mark.parametrize("kind", [COLUMNS, SAMPLES, BY_COIL], ids=["columns", "samples", "by coil"])
@pytest.mark.parametrize("n_sets", [1, 2])
def test_it_is_the_same_problem(shape, kind, n_sets):
    acquisition, x = problem(shape, kind, n_sets)
    A = encoding(acquisition)
    Q = A.uncentred
    y = acquisition.kspace
    torch.testing.assert_close(Q.adjoint(Q.turn(y)), A.adjoint(y), rtol=1e-12, atol=1e-12)
    misfit = (Q.forward(x) - Q.turn(y)) * Q.turn_mask(acquisition.mask)
    torch.testing.assert_close(misfit.norm(), (A.forward(x) - y).norm())
    torch.testing.assert_close(Q.turn(y).norm(), y.norm())


@pytest.mark.parametrize("block", [20, 200_000])
@pytest.mark.parametrize("kind", [COLUMNS, SAMPLES, BY_COIL], ids=["columns", "samples", "by coil"])
@pytest.mark.parametrize("n_sets", [1, 2])
def test_normal_is_the_same_in_blocks(n_sets, kind, block, monkeypatch):
    monkeypatch.setattr(uncentred, "CACHED", block)
    acquisition, x = problem((6, 7), kind, n_sets)
    A = encoding(acquisition)
    torch.testing.assert_close(A.uncentred.normal(x), A.adjoint(A.forward(x)), rtol=1e-12, atol=1e-12)


def test_a_hidden_part_of_the_mask_turns_with_it():
    acquisition, x = problem((7, 9), COLUMNS)
    A = encoding(acquisition)
    hidden = acquisition.mask & (torch.arange(9) % 2 == 0)
    Q = A.uncentred
    found = ((Q.forward(x) - Q.turn(acquisition.kspace)) * Q.turn_mask(hidden)).norm()
    wanted = ((A.fourier.forward(A.coils.forward(x)) - acquisition.kspace) * hidden).norm()
    torch.testing.assert_close(found, wanted)


def test_turning_is_exact_in_single_precision_at_large_sizes():
    acquisition, _ = problem((3, 4095), COLUMNS)
    single = Acquisition(acquisition.kspace.to(torch.complex64), acquisition.mask, acquisition.maps.to(torch.complex64))
    found = encoding(single).uncentred.turn(single.kspace)
    wanted = encoding(acquisition).uncentred.turn(acquisition.kspace)
    assert (found - wanted).norm() < 3e-7 * wanted.norm()


@pytest.mark.parametrize("kind", [COLUMNS, SAMPLES], ids=["columns", "samples"])
@pytest.mark.parametrize("n_sets", [1, 2])
def test_gradients_flow_through_normal(n_sets, kind, monkeypatch):
    monkeypatch.setattr(uncentred, "CACHED", 20)
    acquisition, x = problem((6, 7), kind, n_sets)
    A = encoding(acquisition).uncentred
    wanted = A.normal(A.normal(x))
    x.requires_grad_()
    torch.view_as_real(A.normal(x)).square().sum().div(2).backward()
    torch.testing.assert_close(x.grad, wanted, rtol=1e-12, atol=1e-12)


def test_a_real_image_becomes_a_complex_one():
    acquisition, x = problem((6, 7), COLUMNS)
    A = encoding(acquisition).uncentred
    torch.testing.assert_close(A.normal(x.real), A.normal(x.real + 0j))
