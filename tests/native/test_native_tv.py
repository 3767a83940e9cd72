"""The compiled steps do what the plain ones do, and nothing depends on there being any."""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import pytest
import torch

from kolumn.native import library, native_tv
from kolumn.native.library import library_name
from kolumn.operators.gradient import Gradient
from kolumn.prox import shrinkage
from kolumn.recon import TotalVariation
from kolumn.recon import tv as tv_module
from kolumn.solvers import SplitSteps

ROOT = Path(__file__).parents[2]
library_module = importlib.import_module("kolumn.native.library")  # whose name the function has in the package
D = Gradient()
RHO, THRESHOLD, RELAXATION = 0.7, 0.9, 1.6

compiled = pytest.mark.skipif(library() is None, reason="kolumn was installed without a compiler")


def draw(*shape: int, seed: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.complex64, generator=torch.Generator().manual_seed(seed))


def both(b, mu, threshold=THRESHOLD):
    weight = 0.5 + 2 * torch.rand(b.shape[-2:], generator=torch.Generator().manual_seed(8))
    native = native_tv(b, RHO, mu, threshold, RELAXATION, weight)
    plain = SplitSteps(b, D.forward, D.adjoint, lambda h: shrinkage(h, threshold * weight, 0), RHO, mu, RELAXATION)
    return native, plain


@compiled
@pytest.mark.parametrize("shape", [(7, 9), (8, 6), (1, 5), (5, 1), (1, 1), (33, 130)], ids=str)
@pytest.mark.parametrize("mu", [0.3, None])
@pytest.mark.parametrize("threshold", [THRESHOLD, 0.0])
def test_two_iterations_are_those_of_the_plain_steps(shape, mu, threshold):
    b, x, x2, Gx = (draw(1, *shape, seed=i) for i in range(4))
    native, plain = both(b, mu, threshold)
    states = [[draw(2, 1, *shape, seed=5), draw(1, *shape, seed=6), draw(1, *shape, seed=7)] for _ in range(2)]
    for state in states:
        state[0][:, :, 0, 0] = 0  # nothing to shrink
    for new, before in ((x, b), (x2, x)):
        pulled, changes = [], []
        for steps, state in zip((native, plain), states, strict=True):
            r, kept = steps.pull(*state)
            pulled.append(r)
            changes.append(steps.push(*state, new, before, None if mu is None else Gx, kept))
        torch.testing.assert_close(*pulled)
        torch.testing.assert_close(*changes)
        for ours, theirs in zip(*states, strict=True):
            torch.testing.assert_close(ours, theirs)


@compiled
def test_data_in_another_order_of_memory():
    b = draw(1, 9, 7, seed=0).mT
    h, U, V = draw(2, 1, 7, 9, seed=1), draw(1, 7, 9, seed=2), draw(1, 7, 9, seed=3)
    native, plain = both(b, 0.3)
    torch.testing.assert_close(native.pull(h, U, V)[0], plain.pull(h, U, V)[0])


@compiled
def test_what_is_not_a_number_is_not_hidden():
    b = draw(1, 4, 5, seed=0)
    native, _ = both(b, 0.3)
    x = draw(1, 4, 5, seed=1)
    x[0, 2, 2] = complex("nan")
    state = draw(2, 1, 4, 5, seed=2), draw(1, 4, 5, seed=3), draw(1, 4, 5, seed=4)
    assert native.push(*state, x, b, b, None).isnan()
    assert native.push(*state, torch.zeros_like(x), b, b, None) == 0


def test_there_are_none_for_what_they_cannot_do():
    numbers = RHO, 0.1, THRESHOLD, RELAXATION, torch.ones(4, 5)
    assert native_tv(draw(2, 4, 5, seed=0), *numbers) is None  # two images
    assert native_tv(draw(1, 4, 5, seed=0).to(torch.complex128), *numbers) is None
    assert native_tv(draw(1, 4, 5, seed=0).requires_grad_(), *numbers) is None
    assert tv_module.TV(draw(1, 4, 5, seed=0), dim=None).compiled is None  # the anisotropic norm


def test_there_are_none_where_nothing_was_compiled(monkeypatch):
    monkeypatch.setattr(importlib.import_module("kolumn.native.tv"), "library", lambda: None)
    assert native_tv(draw(1, 4, 5, seed=0), RHO, 0.1, THRESHOLD, RELAXATION, torch.ones(4, 5)) is None


def test_without_them_the_solution_is_the_same(monkeypatch, two_threads):
    from kolumn.acquisition import acquire
    from kolumn.phantoms import anatomy

    g = torch.Generator().manual_seed(0)
    image = anatomy((40, 33), g).to(torch.complex64)
    mask = torch.rand(33, generator=g) < 0.5
    maps = draw(3, 40, 33, seed=1)
    maps /= maps.abs().square().sum(0).sqrt()
    from kolumn.fourier import fft2

    acq = acquire(fft2(maps * image) * mask, mask, maps)
    method = TotalVariation(lam="0.01max", tolerance=0, max_iterations=5)
    with_them = method.solve(acq)
    monkeypatch.setattr(tv_module, "native_tv", lambda *_, **__: None)
    without = method.solve(acq)
    torch.testing.assert_close(with_them.image, without.image, rtol=1e-4, atol=1e-5)
    assert with_them.objective[0] == pytest.approx(without.objective[0], rel=1e-5)


def test_a_library_of_other_source_is_not_used(tmp_path):
    (tmp_path / "one.c").write_text("one")
    first = library_name(tmp_path)
    (tmp_path / "more.h").write_text("two")
    assert library_name(tmp_path) != first


@pytest.fixture
def build():
    pytest.importorskip("hatchling")
    spec = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sources(tmp_path):
    for path in (ROOT / "src/kolumn/native").glob("*.[ch]"):
        shutil.copy(path, tmp_path)
    return tmp_path


def test_an_installation_goes_on_where_nothing_compiles(build, sources, monkeypatch):
    names = sorted(sources.iterdir())
    (sources / "kernels.c").write_text("this is not C")
    assert build.compiled(sources) is None
    monkeypatch.setenv("CC", "no-such-compiler")
    shutil.copy(ROOT / "src/kolumn/native/kernels.c", sources)
    assert build.compiled(sources) is None
    assert sorted(sources.iterdir()) == names


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler")
def test_the_build_makes_what_the_package_looks_for(build, sources):
    before = len(list(sources.iterdir()))
    (sources / "kernels-000000000000.so").touch()
    assert build.compiled(sources).name == library_name(sources)
    assert len(list(sources.iterdir())) == before + 1  # and the old one is gone


@pytest.fixture
def folder(sources, monkeypatch):
    """Where the package looks for a library: the source is there."""
    monkeypatch.setattr(library_module, "_FOLDER", sources)
    return sources


@compiled
def test_only_a_library_of_this_source_is_loaded(folder):
    source = folder / "denoiser.c"
    assert library.__wrapped__() is None  # nothing was compiled
    compiled_file = Path(library()._name)
    shutil.copy(compiled_file, folder / compiled_file.name)
    assert library.__wrapped__() is not None
    source.write_bytes(source.read_bytes() + b"\n")  # as long as nobody compiles it again
    assert library.__wrapped__() is None


def test_a_library_of_another_machine_is_as_none(folder):
    (folder / library_name(folder)).write_bytes(b"not for this machine")
    assert library.__wrapped__() is None


def test_what_a_kernel_reports_is_raised():
    library_module.check(0)
    with pytest.raises(MemoryError, match="no memory"):
        library_module.check(1)
