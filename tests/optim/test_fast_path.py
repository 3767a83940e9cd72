"""What is fast does what the pure rule says: kernels of torch, blocks, threads."""

import threading

import pytest
import torch
from slopes import start

from kolumn.optim import RULES, Optimizer, blocks, fused
from kolumn.optim.blocks import Item
from kolumn.optim.layout import like, rows

OPTIONS = {
    "sgd": [{}, {"momentum": 0.7, "weight_decay": 0.2}, {"momentum": 0.7, "nesterov": True}],
    "rmsprop": [
        {"eps": 0.3},
        {"eps": 0.3, "weight_decay": 0.2},
        {"eps": 0.3, "momentum": 0.6},
        {"eps": 0.3, "centered": True},
    ],
    "adam": [{"eps": 0.3, "weight_decay": 0.2}, {"eps": 0.3, "bias_correction": False}],
    "adamw": [{"eps": 0.3, "weight_decay": 0.2}, {"eps": 0.3, "bias_correction": False}],
    "amsgrad": [{"eps": 0.3, "weight_decay": 0.2}, {"eps": 0.3, "bias_correction": False}],
    "schedule-free-sgd": [{"weight_decay": 0.2}],
    "schedule-free-adamw": [{"weight_decay": 0.2, "eps": 0.3}],
    "lamb": [{"eps": 0.3}],
    "muon": [{"eps": 0.3, "weight_decay": 0.2}],
}
WHOLE = ("lamb", "muon")  # take a tensor for a layer, and are not cut into blocks
CASES = [(rule, options) for rule, each in OPTIONS.items() for options in each]
SHAPES = [(1000,), (37, 41), (2, 3, 5, 7), (), (0,), (5003,)]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "SIZE", 97)


def plainly(rule, options, weights, gradients):
    """The pure rule on whole tensors."""
    found, update = [], RULES[rule].update
    for w, gs in zip(weights, gradients, strict=True):
        state = RULES[rule].begin(w, options)
        for g in gs:
            w, state = update(w, g, state, **options)
        found.append((w, state))
    return found


def drawn(dtype, steps=5):
    weights = [start(shape, i, dtype) for i, shape in enumerate(SHAPES)]
    gradients = [[start(shape, 50 + 10 * i + t, dtype) for t in range(steps)] for i, shape in enumerate(SHAPES)]
    for gs in gradients[:3]:
        gs[2][..., ::3] = 0
    return weights, gradients


def fast(rule, options, weights, gradients):
    params = [torch.nn.Parameter(w.clone()) for w in weights]
    optimizer = Optimizer(params, rule, **options)
    for gs in zip(*gradients, strict=True):
        for p, g in zip(params, gs, strict=True):
            p.grad = g
        optimizer.step()
    return [(p.detach(), optimizer.state[p]) for p in params]


def full(rule, options):
    return {name: option.default for name, option in RULES[rule].options.items()} | {"lr": 0.05} | options


@pytest.mark.parametrize(("rule", "options"), CASES)
def test_an_infinite_gradient_spoils_its_own_parameter_alone(rule, options):
    weights, gradients = drawn(torch.float64, steps=3)
    options = full(rule, options)
    alone = [fast(rule, options, [w], [gs])[0][0] for w, gs in zip(weights, gradients, strict=True)]
    gradients[0][0][500] = torch.inf
    found = fast(rule, options, weights, gradients)
    assert not torch.isfinite(found[0][0]).all()
    for (w, _), wanted in zip(found[1:], alone[1:], strict=True):
        torch.testing.assert_close(w, wanted, rtol=1e-11, atol=0)


@pytest.mark.parametrize(("rule", "options"), CASES)
@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-11), (torch.float32, 1e-4)])
@pytest.mark.parametrize("kernels", [True, False])
def test_fast_is_plain(rule, options, dtype, rtol, kernels, small_blocks, two_threads, monkeypatch):
    if not kernels:
        monkeypatch.setattr(fused, "KERNELS", {})
    weights, gradients = drawn(dtype)
    options = full(rule, options)
    found, wanted = fast(rule, options, weights, gradients), plainly(rule, options, weights, gradients)
    torch.testing.assert_close(found, wanted, rtol=rtol, atol=rtol / 10)
    if not kernels and rule not in WHOLE:  # the same operations on the same numbers
        torch.testing.assert_close(found, wanted, rtol=0, atol=0)


@pytest.mark.parametrize(("rule", "options"), CASES)
def test_gradients_stay_what_they_are(rule, options):
    weights, gradients = drawn(torch.float64)
    kept = [[g.clone() for g in gs] for gs in gradients]
    fast(rule, full(rule, options), weights, gradients)
    torch.testing.assert_close(gradients, kept, rtol=0, atol=0)


@pytest.mark.parametrize(("rule", "options"), CASES)
def test_kernels_take_what_they_should(rule, options):
    options = full(rule, options)
    made = [start((5, 7)), start((5, 7), dtype=torch.float32).bfloat16(), start((8, 9))[::2, 1:6], torch.empty(0)]
    items = [Item(w, torch.ones_like(w), RULES[rule].begin(w, options)) for w in made]
    rest = fused.take(rule, items, options)
    plain_only = rule.startswith("schedule-free") or rule in WHOLE or options.get("centered")
    plain_only = plain_only or (rule == "rmsprop" and (options["momentum"] or options["weight_decay"]))
    assert [item.w.data_ptr() for item in rest] == [item.w.data_ptr() for item in (items if plain_only else items[1:])]
    assert [item.state["t"] for item in items] == ([0, 0, 0, 0] if plain_only else [1, 0, 0, 0])


@pytest.mark.parametrize("rule", fused.KERNELS)
def test_parameters_of_two_precisions_in_one_optimizer(rule):
    options = full(rule, {"weight_decay": 0.2})
    (single, of_single), (double, of_double) = drawn(torch.float32), drawn(torch.float64)
    mixed = [w for pair in zip(single, double, strict=True) for w in pair]
    found = fast(rule, options, mixed, [gs for pair in zip(of_single, of_double, strict=True) for gs in pair])
    apart = (fast(rule, options, single, of_single), fast(rule, options, double, of_double))
    torch.testing.assert_close(found, [end for pair in zip(*apart, strict=True) for end in pair], rtol=0, atol=0)


def test_without_kernels_of_torch(monkeypatch):
    monkeypatch.setattr(fused, "_HAS", False)
    item = Item(start((4,)), start((4,), 1), {"t": 0})
    assert fused.take("sgd", [item], full("sgd", {})) == [item]


@pytest.mark.parametrize("kernels", [True, False])
def test_numbers_that_are_not_finite_stay_where_they_are(kernels, small_blocks, two_threads, monkeypatch):
    if not kernels:
        monkeypatch.setattr(fused, "KERNELS", {})
    for rule in OPTIONS:
        w, g = start((1000,)), start((1000,), 1)
        clean = fast(rule, full(rule, {}), [w], [[g, g]])[0][0]
        g = g.clone()
        g[500], g[501] = float("inf"), float("nan")
        dirty = fast(rule, full(rule, {}), [w], [[g, g]])[0][0]
        if rule not in WHOLE:
            kept = torch.arange(1000) // 2 != 250
            assert torch.equal(clean[kept], dirty[kept])
            assert bool(dirty[501].isnan())


def test_blocks_share_memory_and_cover_it(small_blocks):
    w = start((11, 13, 3, 2)).to(memory_format=torch.channels_last)
    state = {"t": 3, "m": torch.zeros_like(w)}
    pieces = blocks.cut(Item(w, torch.ones_like(w), state))
    assert sum(piece.w.numel() for piece in pieces) == w.numel()
    assert max(piece.w.numel() for piece in pieces) == 97
    for i, piece in enumerate(pieces):
        piece.w.fill_(i)
        piece.state["m"].add_(1)
        assert piece.w.shape == piece.g.shape == piece.state["m"].shape
    assert sorted(set(w.flatten().tolist())) == list(range(len(pieces)))
    assert bool((state["m"] == 1).all())
    gaps = start((8, 9))[::2, 1:6]
    assert blocks.cut(Item(gaps, gaps, {"t": 0})) == [Item(gaps, gaps, {"t": 0})]


def test_rows_need_one_order_without_gaps():
    w = start((3, 4, 5))
    assert [row.shape for row in rows([w, w])] == [(60,), (60,)]
    turned = w.permute(2, 0, 1)
    assert rows([turned, turned])[0].data_ptr() == w.data_ptr()
    assert torch.equal(rows([turned])[0], w.flatten())
    assert rows([turned, turned.contiguous()]) is None
    assert rows([w[:, ::2]]) is None
    assert rows([w[:1].expand(3, 4, 5)]) is None
    alone = torch.empty_strided((4, 1, 3), (1, 50, 4))  # the stride of a single element says nothing
    assert rows([alone])[0].shape == (12,)


def test_gradients_get_the_layout_of_their_parameters():
    w, g = start((2, 3, 4, 5)).to(memory_format=torch.channels_last), start((2, 3, 4, 5), 1)
    assert like(g, w).stride() == w.stride()
    assert torch.equal(like(g, w), g)
    assert like(g, g) is g


def test_what_is_not_on_the_cpu_stays_in_its_thread(small_blocks, two_threads):
    w, seen = torch.empty(1000, device="meta"), []
    items = [Item(w, w, {})] * 3
    assert blocks.cut(items[0]) == [items[0]]
    blocks.share(lambda batch: seen.append((batch, threading.get_ident())), items)
    assert seen == [([item], threading.get_ident()) for item in items]


def test_threads_and_what_is_left_of_them(small_blocks, two_threads):
    here, seen, meet = threading.get_ident(), set(), threading.Barrier(2)

    def work(batch):
        assert torch.get_num_threads() == 1
        assert not torch.is_grad_enabled()
        if threading.get_ident() not in seen:
            seen.add(threading.get_ident())
            meet.wait(10)

    w = start((1000,))
    blocks.share(work, blocks.cut(Item(w, w, {})))
    assert len(seen) == 2
    assert here not in seen
    assert torch.get_num_threads() == 2
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [2]
    few = []
    items = [Item(w[:n], w[:n], {}) for n in (20, 77)]
    blocks.share(lambda batch: few.append((batch, threading.get_ident())), items)
    assert few == [(items, here)]  # 97 elements in one batch


def test_batches_of_whole_blocks_in_order(small_blocks):
    w, seen = start((100,)), []
    items = [Item(w[:n], w[:n], {}) for n in (20, 77, 1, 0, 100, 96, 2)]
    blocks.share(seen.append, items)
    assert [[item.w.numel() for item in batch] for batch in seen] == [[20, 77], [1, 0], [100], [96], [2]]


def test_an_error_in_a_thread_comes_through(small_blocks, two_threads):
    w = start((1000,))

    def work(batch):
        raise ValueError("three")

    with pytest.raises(ValueError, match="three"):
        blocks.share(work, blocks.cut(Item(w, w, {})))
    assert torch.get_num_threads() == 2


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize(("rule", "options"), CASES)
def test_on_a_gpu(rule, options):
    weights, gradients = drawn(torch.float64)
    options = full(rule, options)
    wanted = plainly(rule, options, weights, gradients)
    found = fast(rule, options, [w.cuda() for w in weights], [[g.cuda() for g in gs] for gs in gradients])
    for (w, state), (v, plain) in zip(found, wanted, strict=True):
        torch.testing.assert_close(w.cpu(), v, rtol=1e-11, atol=1e-12)
        assert state["t"] == plain["t"]
