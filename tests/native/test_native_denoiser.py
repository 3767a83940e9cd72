"""The compiled denoiser is the plain one, at any size, and is used only where nobody misses gradients."""

from __future__ import annotations

import copy
import threading
from functools import partial
from itertools import pairwise

import pytest
import torch
from torch import Generator

from kolumn.native import NativeDenoiser, library, native_denoiser
from kolumn.nn.denoiser import Denoiser
from kolumn.optim import Optimizer

compiled = pytest.mark.skipif(library() is None, reason="kolumn was installed without a compiler")


def random_denoiser(n_in=3, n_out=2, channels=8, levels=2):
    denoiser = Denoiser(n_in, n_out, channels, levels, Generator().manual_seed(1)).requires_grad_(False)
    denoiser.tail.weight.normal_(0, 0.1, generator=Generator().manual_seed(2))
    return denoiser


def draw(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, dtype=dtype, generator=Generator().manual_seed(seed))


def uses(denoiser, x):
    return denoiser._compiled(x) is not None


def in_double(denoiser, x):
    return copy.deepcopy(denoiser).double()(x.double()).float()


def assert_as_in_double(found, denoiser, x):
    want = in_double(denoiser, x)
    torch.testing.assert_close(found, want, rtol=0, atol=2e-5 * float(want.abs().max()))


@compiled
@pytest.mark.parametrize("own", [False, True], ids=["threads of torch", "threads of its own"])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [(4, 4), (4, 20), (28, 8), (36, 44), (12, 260)], ids=str)
def test_as_the_plain_one_in_double_precision(shape, threads, own, monkeypatch):
    if own:
        monkeypatch.setattr("kolumn.native.denoiser._together", lambda *_: False)
    denoiser, x, before = random_denoiser(), draw(1, 3, *shape), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        assert_as_in_double(denoiser(x), denoiser, x)
    finally:
        torch.set_num_threads(before)


@compiled
@pytest.mark.parametrize(
    "options",
    [
        {"channels": 16, "levels": 1},
        {"channels": 24, "levels": 3},
        {"channels": 40, "n_in": 8, "n_out": 9},
        {"n_in": 1, "n_out": 1},
    ],
    ids=str,
)
def test_of_any_width_and_depth(options):
    denoiser = random_denoiser(**options)
    x = draw(1, options.get("n_in", 3), 24, 40)
    assert uses(denoiser, x)
    assert_as_in_double(denoiser(x), denoiser, x)


@compiled
def test_entries_and_layouts():
    denoiser, x = random_denoiser(), draw(3, 3, 12, 20)
    x[1] *= 1e4
    together = denoiser(x)
    for layout in (x, x.contiguous(memory_format=torch.channels_last), x.mT.contiguous().mT):
        for entry, found in zip(layout, together, strict=True):
            assert torch.equal(denoiser(entry[None])[0], found)
    assert_as_in_double(together[:1], denoiser, x[:1])
    assert_as_in_double(together[1:2], denoiser, x[1:2])


@compiled
def test_weights_that_change_are_seen():
    denoiser, x = random_denoiser(), draw(1, 3, 12, 12)
    first = denoiser(x)
    denoiser.after[0].second.weight.mul_(-3)
    assert_as_in_double(denoiser(x), denoiser, x)
    assert float((denoiser(x) - first).abs().max()) > 1e-3
    other = copy.deepcopy(denoiser)
    other.up[1].weight.mul_(2)
    assert_as_in_double(other(x), other, x)
    assert_as_in_double(denoiser(x), denoiser, x)


@compiled
@pytest.mark.parametrize("make", [partial(Optimizer, rule="adam"), partial(torch.optim.Adam, fused=True)])
def test_it_learns_of_every_step_of_an_optimizer(make):
    """Also of fused ones, which leave the version of a weight as it was, and of one that nobody would see."""
    denoiser, x = random_denoiser().requires_grad_(), draw(1, 3, 12, 12)
    optimizer, seen = make(denoiser.parameters(), lr=1e-2), []
    for _ in range(3):
        with torch.no_grad():
            assert uses(denoiser, x)
            seen.append(denoiser(x))
            assert_as_in_double(seen[-1], denoiser, x)
        optimizer.zero_grad()
        denoiser(x).square().sum().backward()
        with torch.no_grad():  # between the gradient and the step, as where a loss is looked at
            denoiser(x)
        optimizer.step()
    assert all((a - b).norm() > 1e-3 * b.norm() for a, b in pairwise(seen))
    with torch.no_grad():
        denoiser.tail.weight.data *= 2
        assert_as_in_double(denoiser(x), denoiser, x)
        denoiser.tail.weight.data = denoiser.tail.weight.data.flip(0)
        assert_as_in_double(denoiser(x), denoiser, x)


@compiled
def test_whatever_the_default_type_is():
    denoiser, x = random_denoiser(), draw(1, 3, 12, 12)
    want = denoiser(x)
    torch.set_default_dtype(torch.bfloat16)
    try:
        assert torch.equal(denoiser(x), want)
    finally:
        torch.set_default_dtype(torch.float32)


@compiled
def test_in_inference_mode():
    x = draw(1, 3, 12, 12)
    want = random_denoiser()(x)
    with torch.inference_mode():
        denoiser = random_denoiser()
        assert uses(denoiser, x)
        assert torch.equal(denoiser(x), want)
        assert torch.equal(denoiser(x.clone()), want)


@compiled
def test_where_it_is_not_for(monkeypatch):
    denoiser, x = random_denoiser(), draw(1, 3, 12, 12)
    assert uses(denoiser, x)
    assert not uses(denoiser, x.clone().requires_grad_())
    assert not uses(denoiser, x.double())
    assert not uses(denoiser, x[:0])
    assert not uses(denoiser, x[..., :10])  # no multiple of 4
    assert not uses(denoiser, x[:, :2]) and not uses(denoiser, x[0])
    assert not uses(random_denoiser(channels=12), x)
    assert not uses(copy.deepcopy(denoiser).double(), x)
    with torch.autocast("cpu", torch.bfloat16):
        assert not uses(denoiser, x)
    learning = random_denoiser().requires_grad_()
    assert not uses(learning, x)
    with torch.no_grad():
        assert uses(learning, x)
    x.requires_grad_()
    denoiser(x).sum().backward()
    assert x.grad.any()
    monkeypatch.setattr("kolumn.native.denoiser.library", lambda: None)
    assert native_denoiser(random_denoiser()) is None


@compiled
def test_it_is_not_recorded():
    denoiser, x = random_denoiser(), draw(1, 3, 12, 12)
    program = torch.export.export(denoiser, (x,)).module()
    other = draw(1, 3, 12, 12, seed=5)
    assert_as_in_double(program(other), denoiser, other)


@compiled
def test_several_at_once():
    """Slices of a volume go through one network side by side."""
    denoiser, inputs = random_denoiser(), [draw(1, 3, 20, 28, seed=i) for i in range(6)]
    want, found = [denoiser(x) for x in inputs], [None] * 6

    def work(i):
        found[i] = denoiser(inputs[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for a, b in zip(found, want, strict=True):
        assert torch.equal(a, b)


def test_without_a_library_the_plain_one_serves(monkeypatch):
    denoiser, x = random_denoiser(), draw(1, 3, 12, 20)
    with_it = denoiser(x)
    monkeypatch.setattr("kolumn.native.denoiser.library", lambda: None)
    plain = random_denoiser()
    assert not uses(plain, x)
    assert_as_in_double(plain(x), denoiser, x)
    assert not torch.equal(plain(x), with_it)


@compiled
def test_the_output_is_of_the_shape_of_the_plain_one():
    assert isinstance(native_denoiser(random_denoiser()), NativeDenoiser)
    denoiser, x = random_denoiser(), draw(2, 3, 8, 12)
    assert denoiser(x).shape == in_double(denoiser, x).shape == (2, 2, 8, 12)
