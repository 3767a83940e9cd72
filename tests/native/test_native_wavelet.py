"""The compiled wavelets are those of torch, in both directions, for every size."""

from __future__ import annotations

import importlib

import pytest
import torch

from kolumn.native import library, native_wavelet
from kolumn.operators import Wavelet
from kolumn.operators import wavelet as wavelet_module
from kolumn.operators.wavelet import WAVELETS

compiled = pytest.mark.skipif(library() is None, reason="kolumn was installed without a compiler")
SIZES = [(16, 24), (13, 18), (7, 1), (1, 6), (1, 1), (2, 3), (5, 31), (70, 33)]


def draw(shape):
    return torch.randn(3, *shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(sum(shape)))


@compiled
@pytest.mark.parametrize("shape", SIZES, ids=str)
@pytest.mark.parametrize("name", WAVELETS)
@pytest.mark.parametrize("levels", [1, 4])
def test_they_are_those_of_double_precision(shape, name, levels):
    x, W = draw(shape), Wavelet(name, levels)
    before = x.clone()
    wide = x.to(torch.complex128)  # which torch transforms
    torch.testing.assert_close(W.forward(x), W.forward(wide).to(torch.complex64), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(W.adjoint(x), W.adjoint(wide).to(torch.complex64), rtol=1e-5, atol=1e-5)
    assert torch.equal(x, before)


@compiled
def test_kernels_do_the_work_where_they_can(monkeypatch):
    asked = []
    real = wavelet_module.native_wavelet
    monkeypatch.setattr(wavelet_module, "native_wavelet", lambda *a, **k: asked.append(real(*a, **k)) or asked[-1])
    x = draw((9, 10))
    for image in (x, x.mT, x[:, ::2], x.to(torch.complex128), x.real, x.clone().requires_grad_()):
        Wavelet().forward(image)
    assert asked == [True, True, True, False, False, False]


def test_nothing_is_done_where_nothing_was_compiled(monkeypatch):
    monkeypatch.setattr(importlib.import_module("kolumn.native.wavelet"), "library", lambda: None)
    x = draw((5, 6))
    before = x.clone()
    assert not native_wavelet(x, torch.ones(2, 2), 1, adjoint=False)
    assert torch.equal(x, before)


def test_without_kernels_single_precision_is_right_too(monkeypatch):
    monkeypatch.setattr(wavelet_module, "native_wavelet", lambda *_, **__: False)
    x, W = draw((13, 18)), Wavelet("db3", 2)
    torch.testing.assert_close(W.forward(x), W.forward(x.to(torch.complex128)).to(torch.complex64))
    torch.testing.assert_close(W.adjoint(W.forward(x)), x)
