"""Each rule against its paper, number by number, over 100 steps."""

import papers
import pytest
import torch
from slopes import Slopes, follow, start

from kolumn.optim import Optimizer

STEPS, N = 100, 7

ADAM = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 0.3}
CASES = [
    ("sgd", papers.sgd, {"lr": 0.02}),
    ("sgd", papers.sgd, {"lr": 0.02, "momentum": 0.7, "weight_decay": 0.2}),
    ("sgd", papers.sgd, {"lr": 0.02, "momentum": 0.7, "weight_decay": 0.2, "nesterov": True}),
    ("rmsprop", papers.rmsprop, {"lr": 0.05, "alpha": 0.9, "eps": 0.3}),
    ("rmsprop", papers.rmsprop, {"lr": 0.05, "alpha": 0.9, "eps": 0.3, "weight_decay": 0.2, "momentum": 0.6}),
    ("rmsprop", papers.rmsprop, {"lr": 0.05, "alpha": 0.9, "eps": 0.3, "weight_decay": 0.2, "centered": True}),
    (
        "rmsprop",
        papers.rmsprop,
        {"lr": 0.05, "alpha": 0.9, "eps": 0.3, "weight_decay": 0.2, "centered": True, "momentum": 0.6},
    ),
    ("adam", papers.adam, ADAM),
    ("adam", papers.adam, ADAM | {"weight_decay": 0.2}),
    ("adam", papers.adam, ADAM | {"weight_decay": 0.2, "bias_correction": False}),
    ("adam", papers.adam, ADAM | {"betas": (0.0, 0.95)}),
    ("adamw", papers.adamw, ADAM | {"weight_decay": 0.2}),
    ("adamw", papers.adamw, ADAM | {"weight_decay": 0.2, "bias_correction": False}),
    ("amsgrad", papers.amsgrad, ADAM | {"weight_decay": 0.2}),
    ("amsgrad", papers.amsgrad, ADAM | {"bias_correction": False}),
]


@pytest.mark.parametrize(("rule", "paper", "options"), CASES)
def test_as_the_paper_prints_it(rule, paper, options):
    slope, w = Slopes((N,)), start((N,))
    p = torch.nn.Parameter(w.clone())
    found = torch.stack([ps[0] for ps in follow(Optimizer([p], rule, **options), [p], [slope], STEPS)])
    wanted = [paper(float(w[i]), slope.of(i), STEPS, **options) for i in range(N)]
    torch.testing.assert_close(found, torch.tensor(wanted, dtype=torch.float64).T, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("alpha", [None, 0.95])
def test_schedule_free_with_a_rate_that_warms_up(alpha):
    slope, w, lr, eps = Slopes((N,)), start((N,)), 0.05, 0.3
    p = torch.nn.Parameter(w.clone())
    adam = {} if alpha is None else {"eps": eps, "betas": (0.8, alpha)}
    own = {"momentum": 0.8} if alpha is None else adam
    rule = "schedule-free-sgd" if alpha is None else "schedule-free-adamw"
    optimizer = Optimizer([p], rule, lr=lr, weight_decay=0.2, **own)
    warm = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda i: min(1.0, (i + 1) / 10))
    rates = [lr * min(1.0, (i + 1) / 10) for i in range(STEPS)]
    wanted = torch.tensor(
        [papers.schedule_free(float(w[i]), slope.of(i), rates, 0.8, 0.2, alpha, eps) for i in range(N)],
        dtype=torch.float64,
    )
    for t in range(1, STEPS + 1):
        (y,) = follow(optimizer, [p], [slope], 1, first=t, scheduler=warm)[0]
        torch.testing.assert_close(y, wanted[:, t - 1, 0], rtol=1e-9, atol=1e-12)
        if t in (1, 2, 37, 100):
            optimizer.eval()
            optimizer.eval()  # again: no change
            torch.testing.assert_close(p.detach(), wanted[:, t - 1, 1], rtol=1e-9, atol=1e-12)
            assert not torch.allclose(wanted[:, t - 1, 0], wanted[:, t - 1, 1], rtol=1e-6) or t == 1
            optimizer.train()
            optimizer.train()
            torch.testing.assert_close(p.detach(), y, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("rule", ["schedule-free-sgd", "schedule-free-adamw"])
def test_schedule_free_whose_rate_begins_at_zero(rule):
    p, q = (torch.nn.Parameter(start((N,))) for _ in range(2))
    late, now = Optimizer([p], rule, lr=0.0), Optimizer([q], rule, lr=0.1)
    follow(late, [p], [Slopes((N,))], 2)
    torch.testing.assert_close(p, q, rtol=1e-14, atol=1e-15)
    late.param_groups[0]["lr"] = 0.1
    follow(late, [p], [Slopes((N,))], 3, first=3)
    if rule == "schedule-free-sgd":  # which forgets gradients
        follow(now, [q], [Slopes((N,))], 3, first=3)
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-13)
    assert bool(p.isfinite().all())


@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
def test_lamb_takes_each_tensor_for_a_layer(weight_decay):
    options = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 0.3, "weight_decay": weight_decay}
    slopes, scales = [Slopes((N,), seed) for seed in range(3)], (1.0, 30.0, 0.0)
    starts = [scale * start((N,), seed) for seed, scale in enumerate(scales)]
    params = [torch.nn.Parameter(w.clone()) for w in starts]
    found = follow(Optimizer(params, "lamb", **options), params, slopes, STEPS)
    for k, (w, slope) in enumerate(zip(starts, slopes, strict=True)):
        wanted = papers.lamb(w.tolist(), [slope.of(i) for i in range(N)], STEPS, **options)
        got = torch.stack([ps[k] for ps in found])
        torch.testing.assert_close(got, torch.tensor(wanted, dtype=torch.float64), rtol=1e-9, atol=1e-12)


def test_lamb_without_a_gradient_stays():
    p = torch.nn.Parameter(start((N,)))
    before = p.detach().clone()
    follow(Optimizer([p], "lamb", lr=0.1, weight_decay=0.0), [p], [lambda t, w: torch.zeros_like(w)], 3)
    assert torch.equal(p.detach(), before)


@pytest.mark.parametrize("shape", [(5, 3), (3, 5), (4, 2, 3, 3), (2, 2, 1, 5), (1, 6)])
@pytest.mark.parametrize("weight_decay", [0.0, 0.2])
def test_muon_treats_all_singular_values_alike(shape, weight_decay):
    options = {"lr": 0.05, "momentum": 0.7, "weight_decay": weight_decay}
    w, gradients = start(shape), [scale * start(shape, i + 1) for i, scale in enumerate((1.0, 30.0, 0.1, 2.0))]
    p = torch.nn.Parameter(w.clone())
    optimizer = Optimizer([p], "muon", **options)
    matrices = [x.reshape(shape[0], -1).numpy() for x in (w, *gradients)]
    for g, wanted in zip(gradients, papers.muon(matrices[0], matrices[1:], **options), strict=True):
        p.grad = g.clone()
        optimizer.step()
        torch.testing.assert_close(p.detach().reshape(shape[0], -1), torch.from_numpy(wanted), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("shape", [(), (N,)])
def test_muon_is_adam_where_there_is_no_matrix(shape):
    p, q = (torch.nn.Parameter(start(shape)) for _ in range(2))
    adamw = Optimizer([q], "adamw", **ADAM, weight_decay=0.2)
    found = follow(Optimizer([p], "muon", **ADAM, weight_decay=0.2), [p], [Slopes(shape)], 5)
    wanted = follow(adamw, [q], [Slopes(shape)], 5)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_muon_without_a_gradient_stays():
    p = torch.nn.Parameter(start((3, 4)))
    before = p.detach().clone()
    follow(Optimizer([p], "muon", lr=0.1), [p], [lambda t, w: torch.zeros_like(w)], 3)
    assert torch.equal(p.detach(), before)
