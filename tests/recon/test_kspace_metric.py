"""The metric of k-space against dense matrices, and the minimum that total variation reaches with it."""

from dataclasses import replace
from itertools import islice

import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.operators import circulant, encoding
from kolumn.recon import kspace_metric as metric_module
from kolumn.recon.kspace_metric import Metric, MetricStep, find_metric, largest_eigenvalue
from kolumn.recon.task import Task
from kolumn.recon.tgv import TGV
from kolumn.recon.tv import TV
from kolumn.solvers import pdhg

SHAPES = [(11, 14), (6, 9), (1, 5)]
LAM = 0.05


def draw(*shape, seed):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def smooth_maps(n_coils, shape):
    """Of unit norm or less: a hole, a row of nothing where there are some, and rows of unlike brightness."""
    y, x = (torch.linspace(-1, 1, n, dtype=torch.float64) for n in shape)
    wave = 2 * draw(n_coils, 1, 1, seed=1).real * y[:, None] + 3 * draw(n_coils, 1, 1, seed=2).real * x
    maps = torch.polar(torch.exp(wave), 2 * wave)
    maps = maps / torch.linalg.vector_norm(maps, dim=0)
    if shape[0] > 4:
        maps = maps * torch.linspace(0.2, 1, shape[0], dtype=torch.float64)[:, None]
        maps[:, 2:5, 1:4] = 0
        maps[:, 1] = 0
    return maps


def acquisition(shape=(11, 14), columns=None, n_coils=3):
    mask = torch.zeros(1, shape[1], dtype=torch.bool)
    mask[0, columns if columns is not None else [0, shape[1] // 2, shape[1] // 2 + 1, -1]] = True
    kspace = draw(n_coils, *shape, seed=3) * 30 * torch.tensor([1.0, 30.0, 0.1], dtype=torch.float64)[:, None, None]
    return acquire(kspace * mask, mask, smooth_maps(n_coils, shape))


def dense(A, shape):
    """F A^H A F^H, a matrix of all of k-space."""
    waves = torch.eye(shape[0] * shape[1], dtype=torch.complex128).reshape(-1, *shape)
    columns = [torch.fft.fft2(A.normal(torch.fft.ifft2(e)[None]))[0].flatten() for e in waves]
    return torch.stack(columns, 1)


def highest(A, C, shape):
    root = C.expand(1, *shape).flatten().rsqrt().to(torch.complex128)
    return float(torch.linalg.eigvalsh(root[:, None] * dense(A, shape) * root)[-1])


@pytest.mark.parametrize("shape", SHAPES)
def test_the_largest_eigenvalue(shape, monkeypatch):
    A = encoding(acquisition(shape)).uncentred
    C = circulant(A).clamp_min(1e-3) ** 0.3
    want = highest(A, C, shape)
    assert largest_eigenvalue(A, C) <= want * (1 + 1e-12)
    monkeypatch.setattr(metric_module, "_STEPS", 500)
    assert largest_eigenvalue(A, C) == pytest.approx(want, rel=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("columns", [None, [1], slice(None)], ids=["some", "one", "all"])
def test_the_metric_is_above_the_normal_operator(shape, columns):
    A = encoding(acquisition(shape, columns)).uncentred
    metric = find_metric(A)
    assert 0.8 < highest(A, metric.gamma * metric.form, shape) <= 1 + 1e-9
    assert find_metric(A).gamma == metric.gamma


def test_the_metric_leaves_the_global_generator_alone():
    before = torch.get_rng_state()
    find_metric(encoding(acquisition()).uncentred)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["maps", "mask"])
def test_what_sees_nothing_has_a_metric(name):
    acq = acquisition()
    nothing = replace(acq, kspace=torch.zeros_like(acq.kspace), **{name: torch.zeros_like(getattr(acq, name))})
    metric = find_metric(encoding(nothing).uncentred)
    assert metric.gamma == 1 and torch.equal(metric.form, torch.ones_like(metric.form))
    assert float(after(Task(nothing, TV), 9).u.norm()) == 0


def test_it_grows_until_it_is_above_everything():
    metric = Metric(torch.tensor([0.25, 1.0]), 1.0)
    assert metric.grow(1.2) and metric.gamma == pytest.approx(1.2 * 1.15)
    assert metric.grow(100.0) and metric.gamma == 4
    assert not metric.grow(2.0) and metric.gamma == 4
    assert Metric(torch.tensor([0.25, 1.0]), 9.0).gamma == 4


def test_the_step_for_x_in_two_dimensions():
    """One step against the dense solution of (mu C + rho K^H K) x = r + mu (C - 1) X, and X after it."""
    shape, mu, rho, a = (5, 6), 0.3, 0.7, 1.8
    C = 0.1 + draw(1, 1, 6, seed=4).abs()
    tv = TV(draw(1, *shape, seed=0))
    step = MetricStep(Metric(C / 2, 2.0), tv.energy, rho, mu, a)
    assert step.metric.gamma == 2
    r, mean = draw(1, *shape, seed=5), draw(1, *shape, seed=6)
    X = step.start(mean)
    x = step.invert(r, X)

    def circulant(v):
        return torch.fft.ifft2(C * torch.fft.fft2(v))

    torch.testing.assert_close(mu * circulant(x) + rho * tv.merge(tv.split(x)), r + mu * (circulant(mean) - mean))
    torch.testing.assert_close(torch.fft.ifft2(X), mean + a * (x - mean))


def least(task, lam):
    """The least objective, by primal-dual steps, which know no metric."""
    penalty = task.penalty

    def dual(v, t):  # Moreau
        return v - v * penalty.shrinkage(v / t, lam / t)

    def dot(a, b):
        return (a.conj() * b).real.sum()

    z = torch.zeros_like(penalty.split(task.b))
    steps = pdhg(
        penalty.split, penalty.merge, dual, task.b, z, 0.9, 0.05, dot, gradient=lambda x: task.A.normal(x) - task.b
    )
    return task.objective(next(islice(steps, 3000, None)).x, lam)


def after(task, n, lam=LAM, state=None):
    return next(islice(task.iterates(lam, state or task.begin()), n - 1, None))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dim", [0, None], ids=["isotropic", "anisotropic"])
def test_the_fixed_point_is_the_minimiser(shape, dim):
    task = Task(acquisition(shape), lambda x: TV(x, dim=dim))
    assert task._metric is not None
    want = least(task, LAM)
    assert task.objective(after(task, 1500).u, LAM) == pytest.approx(want, rel=1e-5)
    if shape[0] > 1:
        assert task.objective(after(task, 2).u, LAM) > want * (1 + 1e-4)


@pytest.mark.parametrize(("columns", "factor"), [(slice(None), 0.3), (None, 0.1)])
def test_the_guard_repairs_a_metric_that_is_far_too_small(columns, factor, monkeypatch):
    def too_small():
        task = Task(acquisition(columns=columns), TV)
        task._metric.gamma *= factor
        return task

    task = too_small()
    small = task._metric.gamma
    assert highest(task.A.uncentred, small * task._metric.form, (11, 14)) > 2
    want = least(task, LAM)
    assert task.objective(after(task, 600).u, LAM) == pytest.approx(want, rel=1e-5)
    assert task._metric.gamma > 1.5 * small
    monkeypatch.setattr(Metric, "grow", lambda self, ratio: False)
    assert not task.objective(after(too_small(), 100).u, LAM) < 2 * want


def test_a_state_goes_on_where_it_was_with_the_same_and_another_lambda():
    task = Task(acquisition(), TV)
    whole = after(task, 12)
    gone_on = after(task, 5, state=after(task, 7))
    torch.testing.assert_close(gone_on.u, whole.u)
    begun = after(task, 7, lam=10 * LAM)
    before = [t.clone() for t in begun.split]
    for lam in (LAM / 100, LAM):
        state = after(task, 1500 if lam == LAM else 30, lam, begun)
        assert all(torch.equal(now, then) for now, then in zip(begun.split, before, strict=True))
    assert task.objective(state.u, LAM) == pytest.approx(least(task, LAM), rel=1e-5)


def test_a_task_with_other_data_takes_over_the_image():
    some, more = (Task(acquisition(columns=c), TV) for c in ([0, 6, 7], [0, 2, 6, 7, 9]))
    state = more.carry_on(after(some, 9), some.scale / more.scale)
    assert more.objective(after(more, 1500, state=state).u, LAM) == pytest.approx(least(more, LAM), rel=1e-5)


def test_only_where_whole_columns_of_several_coils_were_skipped():
    acq = acquisition()
    plane = torch.rand(11, 14, generator=torch.Generator().manual_seed(2)) < 0.6
    one = torch.ones(1, 11, 14, dtype=torch.complex128)
    assert Task(acq, TV)._metric is not None
    assert Task(acquire(acq.kspace * plane, acq.mask & plane, acq.maps), TV)._metric is None
    assert Task(acquire(acq.kspace[:1], acq.mask, one), TV)._metric is None
    assert "_metric" not in vars(Task(acq, TV))  # before an iterate is asked for
    tgv = Task(acq, TGV)
    assert after(tgv, 3).split.X is None and "_metric" not in vars(tgv)
    assert after(Task(acquire(acq.kspace[:1], acq.mask, one), TV), 3).split.X is None
