"""Normalisation against torch.nn.functional, its own equations and numerical derivatives."""

import copy

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck
from torch.nn import functional

from kolumn.errors import ArgumentError
from kolumn.nn import NORMS, BatchNorm, GroupNorm, InstanceNorm, LayerNorm, norm_plain, normalise
from kolumn.nn import norm_batch as batch
from kolumn.nn import norm_elements as elements
from kolumn.nn import norm_function as function
from kolumn.nn import norm_group as group
from kolumn.nn import norm_instance as instance

FIRST, LAST, LAST3D = torch.contiguous_format, torch.channels_last, torch.channels_last_3d
CLOSE = {torch.float64: {"rtol": 1e-10, "atol": 1e-11}, torch.float32: {"rtol": 1e-4, "atol": 2e-5}}
SMALL, LARGE = (3, 6, 7, 5), (3, 8, 104, 107)  # one above the size from which batch norm sums on its own


def draw(*shape, seed=0, dtype=torch.float64, order=FIRST):
    x = torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return x.to(dtype).contiguous(memory_format=order)


def images(*shape, seed=0, dtype=torch.float64, order=FIRST):
    """Entries of brightness 1 : 30 : 0.1, each with a mean."""
    scale = torch.tensor([1.0, 30.0, 0.1], dtype=torch.float64)[: shape[0]].reshape(-1, *(1,) * (len(shape) - 1))
    return ((draw(*shape, seed=seed) + 0.7) * scale).to(dtype).contiguous(memory_format=order)


def with_random_affine(layer, seed=5):
    for i, p in enumerate(layer.parameters()):
        p.data = draw(*p.shape, seed=seed + i, dtype=p.dtype)
    return layer


# name -> our layer for images of a shape, and what torch computes for them
LAYERS = {
    "batch": (
        lambda s, eps: BatchNorm(s[1], eps),
        lambda x, a, b, eps: functional.batch_norm(x, None, None, a, b, True, 0.0, eps),
    ),
    "instance": (
        lambda s, eps: InstanceNorm(s[1], eps, affine=True),
        lambda x, a, b, eps: functional.instance_norm(x, None, None, a, b, True, 0.0, eps),
    ),
    "layer": (lambda s, eps: LayerNorm(s[1], eps), lambda x, a, b, eps: functional.group_norm(x, 1, a, b, eps)),
    "elements": (
        lambda s, eps: LayerNorm(s[1:], eps),
        lambda x, a, b, eps: functional.layer_norm(x, x.shape[1:], a, b, eps),
    ),
    "group": (
        lambda s, eps: GroupNorm(s[1], 2, eps),
        lambda x, a, b, eps: functional.group_norm(x, x.shape[1] // 2, a, b, eps),
    ),
}


def outcome(run, x, parameters, dy):
    """Values, and gradients for x and the parameters, all in the order of axes."""
    x = x.detach().requires_grad_()
    y = run(x)
    return [t.contiguous() for t in (y.detach(), *torch.autograd.grad(y, (x, *parameters), dy))]


@pytest.mark.parametrize("eps", [1e-5, 3.0])
@pytest.mark.parametrize("order", [FIRST, LAST])
@pytest.mark.parametrize("shape", [SMALL, (3, 4, 1, 9), (1, 6, 5, 3), LARGE])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", LAYERS)
def test_values_and_gradients_are_those_of_torch(name, dtype, shape, order, eps):
    make, oracle = LAYERS[name]
    layer = with_random_affine(make(shape, eps).to(dtype))
    x, dy = images(*shape, dtype=dtype, order=order), draw(*shape, seed=1, dtype=dtype, order=order)
    got = outcome(layer, x, list(layer.parameters()), dy)
    a, b = (p.detach().double().requires_grad_() for p in layer.parameters())
    want = outcome(lambda z: oracle(z, a, b, eps), x.double().contiguous(), (a, b), dy.double().contiguous())
    for g, w in zip(got, want, strict=True):
        scale = float(w.abs().max())
        torch.testing.assert_close(g.double() / scale, w / scale, **CLOSE[dtype])


@pytest.mark.parametrize("shape", [(3, 6), (3, 6, 11), (2, 6, 3, 5, 4)])
@pytest.mark.parametrize("name", ["batch", "layer", "elements", "group"])
def test_any_number_of_axes_of_space(name, shape):
    make, oracle = LAYERS[name]
    layer = with_random_affine(make(shape, 0.2).double())
    x, dy = images(*shape), draw(*shape, seed=1)
    got = outcome(layer, x, list(layer.parameters()), dy)
    want = outcome(lambda z: oracle(z, layer.weight, layer.bias, 0.2), x, list(layer.parameters()), dy)
    torch.testing.assert_close(got, want, **CLOSE[torch.float64])


def test_volumes_with_channels_last():
    x, dy = images(2, 4, 3, 5, 7, order=LAST3D), draw(2, 4, 3, 5, 7, seed=1)
    for name in ("batch", "instance", "layer", "group"):
        make, oracle = LAYERS[name]
        layer = with_random_affine(make(x.shape, 0.2).double())
        got = outcome(layer, x, list(layer.parameters()), dy)
        plain = x.contiguous()
        want = outcome(lambda z, f=oracle, m=layer: f(z, m.weight, m.bias, 0.2), plain, list(layer.parameters()), dy)
        torch.testing.assert_close(got, want, **CLOSE[torch.float64])
        assert layer(x).is_contiguous(memory_format=LAST3D)


@pytest.mark.parametrize("dim", [(0, 2, 3), (2, 3), (1, 2, 3), (0,), (1,), (0, 3), (-1,), (0, 1, 2, 3)])
@pytest.mark.parametrize("shape_of_a", [(4, 1, 1), (4, 5, 3), (1,), (3, 1, 5, 1), None])
def test_derivatives_are_numerical_ones(dim, shape_of_a):
    x = images(3, 4, 5, 3).div(3).requires_grad_()
    affine = [None if shape_of_a is None else draw(*shape_of_a, seed=i).requires_grad_() for i in (1, 2)]

    def f(x, a=None, b=None):
        return normalise(x, dim, a, b, 0.3)

    inputs = [x, *(p for p in affine if p is not None)]
    assert gradcheck(f, inputs)
    assert gradgradcheck(f, inputs, atol=1e-4)


@pytest.mark.parametrize("a", [True, False])
@pytest.mark.parametrize("b", [True, False])
@pytest.mark.parametrize("name", LAYERS)
def test_scale_or_shift_alone(name, a, b):
    make, oracle = LAYERS[name]
    layer = with_random_affine(make(SMALL, 0.4).double())
    layer.weight, layer.bias = layer.weight if a else None, layer.bias if b else None
    x, dy = images(*SMALL), draw(*SMALL, seed=1)
    parameters = list(layer.parameters())
    got = outcome(layer, x, parameters, dy)
    weight = torch.ones_like(layer.bias) if b and not a else layer.weight  # groups of torch fail on a shift alone
    want = outcome(lambda z: oracle(z, weight, layer.bias, 0.4), x, parameters, dy)
    torch.testing.assert_close(got, want, **CLOSE[torch.float64])


# The fused kernel that each case uses -> axes, shape of a, order in memory
KERNELS = [
    (batch, (0, 2, 3), (6, 1, 1), FIRST),
    (batch, (0, 2, 3), (6, 1, 1), LAST),
    (instance, (2, 3), (6, 1, 1), LAST),
    (group, (2, 3), (6, 1, 1), FIRST),
    (group, (1, 2, 3), (6, 1, 1), FIRST),
    (group, (1, 2, 3), (6, 1, 1), LAST),
    (elements, (1, 2, 3), SMALL[1:], FIRST),
    (elements, (1, 2, 3), SMALL[1:], LAST),
    (norm_plain, (0, 3), (6, 1, 1), FIRST),
]


@pytest.mark.parametrize(("engine", "dim", "shape", "order"), KERNELS)
def test_kernels_hold_to_the_plain_equations(engine, dim, shape, order):
    x, dy = images(*SMALL, order=order), draw(*SMALL, seed=1, order=order)
    a, b = draw(*shape, seed=2), draw(*shape, seed=3)
    assert function._engine(x, dim, a, b) is engine
    y, mu, var = engine.forward(x, dim, a, b, 0.2)
    want = norm_plain.forward(x, dim, a, b, 0.2)
    torch.testing.assert_close([y, mu, var], list(want), **CLOSE[torch.float64])
    dx, da, db = engine.backward(dy, x, dim, a, b, 0.2, mu, var)
    want_dx, want_da, want_db = norm_plain.backward(dy, x, dim, a, b, 0.2, mu, var)
    torch.testing.assert_close(dx, want_dx, **CLOSE[torch.float64])
    for got, want in ((da, want_da), (db, want_db)):
        torch.testing.assert_close(got.sum_to_size(shape), want.sum_to_size(shape), **CLOSE[torch.float64])


@pytest.mark.parametrize("name", ["batch", "instance", "layer", "group"])
@pytest.mark.parametrize("order", [FIRST, LAST])
@pytest.mark.parametrize("shape", [(2, 4, 9, 7), (2, 4, 200, 170)])
def test_a_large_mean_does_not_swallow_the_variance(name, order, shape):
    make, oracle = LAYERS[name]
    layer = with_random_affine(make(shape, 1e-5))
    x = (draw(*shape) + 1e3).float().contiguous(memory_format=order)
    dy = draw(*shape, seed=1, dtype=torch.float32)
    got = outcome(layer, x, [], dy)
    a, b = (p.double() for p in layer.parameters())
    want = outcome(lambda z: oracle(z, a, b, 1e-5), x.double().contiguous(), [], dy.double())
    for g, w in zip(got, want, strict=True):
        torch.testing.assert_close(g.double(), w, rtol=0, atol=0.01)


def test_sums_of_its_own_serve_large_images_with_a_mean_that_is_not_large():
    x = draw(*LARGE, dtype=torch.float32)
    mu, var = batch._quick_moments(x + 2, (0, 2, 3))
    torch.testing.assert_close(mu, (x.double() + 2).mean((0, 2, 3)).float(), rtol=0, atol=1e-5)
    torch.testing.assert_close(var, x.double().var((0, 2, 3), correction=0).float(), rtol=0, atol=1e-5)
    for other in (x + 4, x[..., :31], x.contiguous(memory_format=LAST), x[:1], x.bfloat16()):
        assert batch._quick_moments(other, (0, 2, 3)) is None
    spoilt = x.clone()
    spoilt[:, 3] += 1e5
    _, _, variance = function.normalise_and_measure(spoilt, (0, 2, 3))
    torch.testing.assert_close(
        variance.flatten()[3], spoilt[:, 3].double().var(correction=0).float(), rtol=1e-3, atol=0
    )


@pytest.mark.parametrize("name", LAYERS)
def test_no_variance_is_negative(name):
    dims = {"batch": (0, 2, 3), "instance": (2, 3)}
    for value in torch.linspace(0.1, 3, 40).tolist():
        for order in (FIRST, LAST):
            x = torch.full(SMALL, value).contiguous(memory_format=order)
            affine = [torch.ones(SMALL[1:] if name == "elements" else (6, 1, 1))] * 2
            _, _, var = function.normalise_and_measure(x, dims.get(name, (1, 2, 3)), *affine, 0.3)
            assert float(var.min()) >= 0


def test_axes_may_be_counted_from_the_end_and_named_twice():
    x = images(2, 3, 4, 5)
    for dim, wanted in (((-2, -1), (2, 3)), ((3, -1), (3,)), ((-4, 3, 2), (0, 2, 3))):
        torch.testing.assert_close(normalise(x, dim), normalise(x, wanted), rtol=0, atol=0)


def test_the_statistics_that_are_measured_have_no_gradient():
    x = images(2, 3, 4, 5).requires_grad_()
    y, mu, var = function.normalise_and_measure(x, (0, 2, 3), eps=0.5)
    assert y.requires_grad and not mu.requires_grad and not var.requires_grad, "theirs would be 0, which is wrong"
    torch.testing.assert_close(mu, x.detach().mean((0, 2, 3), keepdim=True))
    torch.testing.assert_close(var, x.detach().var((0, 2, 3), correction=0, keepdim=True))


def test_entries_do_not_know_each_other_except_in_a_batch():
    x = images(*SMALL)
    for name in ("layer", "instance", "group"):
        layer = NORMS[name](6).double()
        torch.testing.assert_close(layer(x), torch.cat([layer(x[i : i + 1]) for i in range(3)]))
    norm = BatchNorm(6).double()
    assert not torch.allclose(norm(x)[2], norm(x[2:])[0], atol=0.1)


@pytest.mark.parametrize("momentum", [0.1, 0.6, None])
@pytest.mark.parametrize("order", [FIRST, LAST])
@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_running_statistics_of_batches(momentum, order, shape):
    ours = with_random_affine(BatchNorm(shape[1], 0.3, momentum).double())
    theirs = nn.BatchNorm2d(shape[1], 0.3, momentum).double()
    theirs.load_state_dict(ours.state_dict())
    for step in range(3):
        x = images(*shape, seed=step, order=order)
        torch.testing.assert_close(ours(x), theirs(x))
        for key, want in theirs.state_dict().items():
            torch.testing.assert_close(ours.state_dict()[key], want)
    fixed = copy.deepcopy(ours.state_dict())
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))
    assert all(torch.equal(fixed[key], value) for key, value in ours.state_dict().items())


def test_running_statistics_of_instances():
    ours = with_random_affine(InstanceNorm(6, 0.3, 0.6, affine=True, track_running_stats=True).double())
    theirs = nn.InstanceNorm2d(6, 0.3, 0.6, affine=True, track_running_stats=True).double()
    theirs.load_state_dict(ours.state_dict())
    for step in range(2):
        for order in (FIRST, LAST):
            x = images(*SMALL, seed=step, order=order)
            torch.testing.assert_close(ours(x), theirs(x.contiguous()))
    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.running_var)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x.contiguous()))


def test_without_momentum_instances_average_over_all_batches():
    layer = InstanceNorm(6, momentum=None, track_running_stats=True).double()
    seen = [images(*SMALL, seed=step) for step in range(3)]
    for x in seen:
        layer(x)
    x = torch.cat(seen)
    torch.testing.assert_close(layer.running_mean, x.mean((0, 2, 3)))
    torch.testing.assert_close(layer.running_var, x.var((2, 3)).mean(0))


def test_evaluation_has_gradients_through_fixed_statistics():
    layer = with_random_affine(BatchNorm(6, 0.2).double())
    layer(images(*SMALL))
    layer.eval()
    x, dy = images(*SMALL, seed=3), draw(*SMALL, seed=1)
    mean, var = layer.running_mean, layer.running_var
    _, dx, da, db = outcome(layer, x, (layer.weight, layer.bias), dy)
    sigma = (var + 0.2).sqrt()[:, None, None]
    torch.testing.assert_close(dx, layer.weight.detach()[:, None, None] / sigma * dy)
    torch.testing.assert_close(da, (dy * (x - mean[:, None, None]) / sigma).sum((0, 2, 3)))
    torch.testing.assert_close(db, dy.sum((0, 2, 3)))


def test_evaluation_without_running_statistics_uses_those_of_the_batch():
    x = images(*SMALL)
    for layer in (BatchNorm(6, track_running_stats=False).double(), InstanceNorm(6).double()):
        torch.testing.assert_close(copy.deepcopy(layer).eval()(x), layer(x))


@pytest.mark.parametrize("layer", [LayerNorm(6), LayerNorm(SMALL[1:]), GroupNorm(6, 2)])
def test_layers_and_groups_keep_no_statistics(layer):
    layer = copy.deepcopy(layer).double()
    assert not list(layer.buffers())
    before = layer(images(*SMALL))
    layer(100 * images(*SMALL, seed=9))
    torch.testing.assert_close(layer.eval()(images(*SMALL)), before)


def test_resetting_forgets():
    layer = BatchNorm(6)
    fresh = copy.deepcopy(layer.state_dict())
    layer(images(*SMALL, dtype=torch.float32))
    assert int(layer.num_batches_tracked) == 1
    layer.reset_running_stats()
    assert all(torch.equal(fresh[key], value) for key, value in layer.state_dict().items())
    InstanceNorm(6).reset_running_stats()


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (BatchNorm(6), nn.BatchNorm2d(6)),
        (BatchNorm(6, affine=False), nn.BatchNorm2d(6, affine=False)),
        (BatchNorm(6, track_running_stats=False), nn.BatchNorm2d(6, track_running_stats=False)),
        (InstanceNorm(6), nn.InstanceNorm2d(6)),
        (InstanceNorm(6, affine=True), nn.InstanceNorm2d(6, affine=True)),
        (InstanceNorm(6, track_running_stats=True), nn.InstanceNorm2d(6, track_running_stats=True)),
        (GroupNorm(6, 2), nn.GroupNorm(3, 6)),
        (GroupNorm(6, 2, affine=False), nn.GroupNorm(3, 6, affine=False)),
        (LayerNorm(SMALL[1:]), nn.LayerNorm(SMALL[1:])),
        (LayerNorm(6), nn.GroupNorm(1, 6)),
        (LayerNorm(SMALL[1:], affine=False), nn.LayerNorm(SMALL[1:], elementwise_affine=False)),
    ],
)
def test_state_dicts_load_both_ways(ours, theirs):
    ours, theirs = copy.deepcopy(ours), copy.deepcopy(theirs)
    x = images(*SMALL, dtype=torch.float32)
    with_random_affine(theirs)
    theirs(x)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), rtol=1e-4, atol=1e-5)
    with_random_affine(ours.train(), seed=8)(2 * x)
    theirs.load_state_dict(ours.state_dict())
    torch.testing.assert_close(theirs(x), ours.eval()(x), rtol=1e-4, atol=1e-5)


def test_a_layer_for_channels_takes_the_state_of_torch_layers_for_channels():
    theirs = with_random_affine(nn.LayerNorm(6))
    ours = LayerNorm(6)
    ours.load_state_dict(theirs.state_dict())
    x = images(3, 6, dtype=torch.float32)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("order", [FIRST, LAST])
def test_a_batch_of_one_is_an_instance(order):
    x = images(1, 6, 7, 5, order=order)
    torch.testing.assert_close(BatchNorm(6).double()(x), InstanceNorm(6).double()(x))


def test_images_of_one_pixel():
    x = images(3, 6, 1, 1)
    torch.testing.assert_close(BatchNorm(6).double()(x), functional.batch_norm(x, None, None, training=True))
    torch.testing.assert_close(LayerNorm(6).double()(x), functional.layer_norm(x, (6, 1, 1)))
    torch.testing.assert_close(GroupNorm(6, 3).double()(x), functional.group_norm(x, 2))
    for layer, y in ((InstanceNorm(6), x), (BatchNorm(6), x[:1]), (GroupNorm(6, 1), x), (LayerNorm(1), x[:, :1])):
        with pytest.raises(ArgumentError, match="would average 1 value"):
            layer.double()(y)
    evaluated = BatchNorm(6, eps=0.5).double().eval()(x[:1])
    torch.testing.assert_close(evaluated, x[:1] / 1.5**0.5)


def test_one_value_alone_gives_the_shift():
    x = torch.tensor([[5.0, -3.0]], dtype=torch.float64, requires_grad=True)
    y = normalise(x, (0,), torch.tensor([2.0, 3.0]), torch.tensor([0.5, 0.25]))
    torch.testing.assert_close(y, torch.tensor([[0.5, 0.25]], dtype=torch.float64))
    assert torch.equal(torch.autograd.grad(y.sum(), x)[0], torch.zeros(1, 2, dtype=torch.float64))


@pytest.mark.parametrize("order", [FIRST, LAST])
@pytest.mark.parametrize("value", [0.0, 0.3, -1e4])
@pytest.mark.parametrize("shape", [SMALL, LARGE])
@pytest.mark.parametrize("name", LAYERS)
def test_a_constant_gives_the_shift(name, value, order, shape):
    layer = with_random_affine(LAYERS[name][0](shape, 1e-3).double())
    x, dy = torch.full(shape, value, dtype=torch.float64).contiguous(memory_format=order), draw(*shape, seed=1)
    y, dx, da, _ = outcome(layer, x, list(layer.parameters()), dy)
    one = layer.weight.detach().reshape(layer.weight.shape if layer.weight.ndim > 1 else (-1, 1, 1))
    shift = layer.bias.detach().reshape(one.shape)
    torch.testing.assert_close(y, shift.expand(shape), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(da, torch.zeros_like(da), rtol=0, atol=1e-6)
    g = dy * one
    mean = g - normalise_away(g, name)
    torch.testing.assert_close(dx, (g - mean) / 1e-3**0.5, rtol=1e-6, atol=1e-6)


def normalise_away(g, name):
    """The gradient g without its mean over the axes of a layer."""
    if name == "group":
        grouped = g.unflatten(1, (-1, 2))
        return (grouped - grouped.mean((2, 3, 4), keepdim=True)).flatten(1, 2)
    dims = {"batch": (0, 2, 3), "instance": (2, 3), "layer": (1, 2, 3), "elements": (1, 2, 3)}
    return g - g.mean(dims[name], keepdim=True)


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("shape", [SMALL, LARGE])
def test_channels_last_stay_last(name, shape):
    layer = LAYERS[name][0](shape, 1e-5)
    x = images(*shape, dtype=torch.float32, order=LAST).requires_grad_()
    y = layer(x)
    assert y.is_contiguous(memory_format=LAST)
    (dx,) = torch.autograd.grad(y, x, draw(*shape, dtype=torch.float32, order=LAST))
    assert dx.is_contiguous(memory_format=LAST)
    assert layer(x.detach().contiguous()).is_contiguous()


@pytest.mark.parametrize("name", LAYERS)
def test_parts_of_tensors_and_broadcast_gradients(name):
    make, oracle = LAYERS[name]
    layer = with_random_affine(make(SMALL, 0.3).double())
    wide = images(3, 12, 7, 9)
    for x in (wide[:, 1:7, :, ::2], wide[:, 6:, :, 2:7].transpose(2, 3).contiguous().transpose(2, 3)):
        leaf = x.clone().requires_grad_()
        oracle(leaf, layer.weight, layer.bias, 0.3).cumsum(-1)[..., -1].sum().backward()
        part = x.detach().requires_grad_()
        layer(part).sum(-1).sum().backward()  # its gradient is expanded: stride 0
        torch.testing.assert_close(layer(x), oracle(x, layer.weight, layer.bias, 0.3))
        torch.testing.assert_close(part.grad, leaf.grad, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("order", [FIRST, LAST])
@pytest.mark.parametrize("name", LAYERS)
def test_half_precision_has_statistics_in_single(name, order):
    make, _ = LAYERS[name]
    layer = with_random_affine(make(SMALL, 1e-3))
    x = images(*SMALL, dtype=torch.bfloat16, order=order)
    dy = draw(*SMALL, seed=1, dtype=torch.bfloat16)
    got = outcome(layer, x, list(layer.parameters()), dy)
    want = outcome(layer, x.float(), list(layer.parameters()), dy.float())
    assert got[0].dtype == got[1].dtype == torch.bfloat16
    assert all(g.dtype == torch.float32 for g in got[2:])
    for g, w in zip(got, want, strict=True):
        scale = float(w.abs().max())
        torch.testing.assert_close(g.float() / scale, w / scale, rtol=0, atol=8e-3)


def test_half_precision_by_the_plain_equations():
    x = images(*SMALL, dtype=torch.bfloat16).requires_grad_()
    y = normalise(x, (0, 3))
    assert y.dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), normalise(x.detach().float(), (0, 3)), rtol=0.01, atol=0.01)
    assert torch.autograd.grad(y.sum(), x)[0].dtype == torch.bfloat16


def test_running_statistics_of_many_half_precision_numbers():
    layer = BatchNorm(2, momentum=1.0)
    layer((draw(4, 2, 70, 90) + 3).bfloat16())
    torch.testing.assert_close(layer.running_mean, torch.full((2,), 3.0), rtol=0.01, atol=0)
    torch.testing.assert_close(layer.running_var, torch.ones(2), rtol=0.05, atol=0)


@pytest.mark.parametrize("name", NORMS)
def test_autocast(name):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 8, 3), NORMS[name](8), nn.Conv2d(8, 1, 3))
    x = images(3, 2, 9, 11, dtype=torch.float32)
    want = net(x).detach()
    with torch.autocast("cpu", torch.bfloat16):
        y = net(x)
        assert net[1](net[0](x)).dtype == torch.bfloat16
    torch.testing.assert_close(y.float(), want, rtol=0.05, atol=0.05 * float(want.abs().max()))
    y.float().square().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in net.parameters())


def test_inference_mode_and_empty_batches():
    for name in NORMS:
        layer = NORMS[name](6)
        with torch.inference_mode():
            y = layer(images(*SMALL, dtype=torch.float32))
        torch.testing.assert_close(layer(images(*SMALL, dtype=torch.float32)), y.clone())
    for name in ("layer", "instance", "group"):
        assert NORMS[name](6)(torch.zeros(0, 6, 5, 4)).shape == (0, 6, 5, 4)


@pytest.mark.parametrize(
    ("channels", "wanted", "size"),
    [
        *((64, 32, 32), (96, 32, 32), (16, 32, 16), (2, 32, 2), (1, 32, 1), (48, 32, 24), (80, 32, 40), (37, 32, 37)),
        *((62, 32, 31), (6, 1, 1), (6, 4, 3), (12, 5, 6), (8, 1000, 8)),
    ],
)
def test_group_sizes(channels, wanted, size):
    layer = with_random_affine(GroupNorm(channels, wanted).double())
    assert layer.group_size == size
    x = images(3, channels, 5, 3)
    want = functional.group_norm(x, channels // size, layer.weight, layer.bias)
    torch.testing.assert_close(layer(x), want)


def test_the_table():
    assert list(NORMS) == ["batch", "layer", "instance", "group", "none"]
    x = images(3, 64, 5, 3, dtype=torch.float32)
    parameters = {name: sum(p.numel() for p in NORMS[name](64).parameters()) for name in NORMS}
    assert parameters == {"batch": 128, "layer": 128, "instance": 128, "group": 128, "none": 0}
    assert NORMS["group"](64).group_size == 32
    assert torch.equal(NORMS["none"](64)(x), x)


@pytest.mark.parametrize("layer", [BatchNorm(6), LayerNorm(6), InstanceNorm(6), GroupNorm(6)])
def test_wrong_channels(layer):
    with pytest.raises(ArgumentError, match=r"wanted \(batch, 6, \*space\)"):
        layer(torch.zeros(2, 5, 4, 4))
    with pytest.raises(ArgumentError, match=r"wanted \(batch, 6, \*space\)"):
        layer(torch.zeros(6))


def test_other_bad_arguments():
    with pytest.raises(ArgumentError, match="group_size is 0"):
        GroupNorm(6, 0)
    with pytest.raises(ArgumentError, match="at least 1 of each"):
        BatchNorm(0)
    with pytest.raises(ArgumentError, match="eps is 0"):
        LayerNorm(6, eps=0)
    with pytest.raises(ArgumentError, match=r"wanted \(batch, 6, 7, 5\)"):
        LayerNorm((6, 7, 5))(torch.zeros(2, 6, 5, 7))
    with pytest.raises(ArgumentError, match="complex64"):
        normalise(torch.zeros(2, 3, dtype=torch.complex64), (0,))
    for dim in ((), (2,), (-3,)):
        with pytest.raises(ArgumentError, match="which has 2"):
            normalise(torch.zeros(2, 3), dim)


def test_options_are_shown():
    assert "6, eps=1e-05, momentum=0.1" in repr(BatchNorm(6))
    assert "(6, 2), eps=1e-05" in repr(LayerNorm((6, 2)))
    assert "64, group_size=32" in repr(GroupNorm(64))
