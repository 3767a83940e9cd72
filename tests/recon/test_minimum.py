"""Each method of compressed sensing reaches the least value of its objective, found here by other steps."""

from itertools import islice

import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.operators import Wavelet
from kolumn.prox import prox_wavelet
from kolumn.recon import make_method
from kolumn.recon.penalty import SplitPenalty
from kolumn.recon.task import Task
from kolumn.solvers import fista, pdhg

SHAPE = (11, 14)
METHODS = [
    ("tv", {}),
    ("tv", {"norm": "anisotropic"}),
    ("tgv", {}),
    ("wavelet", {"wavelet": "db2", "levels": 2, "spin": False}),
]


def draw(*shape, seed):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def acquisition(kind):
    n_coils = 1 if kind == "one coil" else 3
    maps = torch.ones(1, *SHAPE, dtype=torch.complex128) if n_coils == 1 else draw(n_coils, *SHAPE, seed=1)
    maps = maps / torch.linalg.vector_norm(maps, dim=0)
    if kind == "a hole in the maps":
        maps[:, 2:5, 4:9] = 0
    mask = torch.rand(1, SHAPE[1], generator=torch.Generator().manual_seed(2)) < 0.5
    mask[0, SHAPE[1] // 2] = True
    return acquire(30 * draw(n_coils, *SHAPE, seed=3) * mask, mask, maps)


def dot(a, b):
    return (a.conj() * b).real.sum()


def least(method, acq, lam):
    """The objective after many steps of solvers that need no inverse: primal-dual, or FISTA for wavelets."""
    task = Task(*method.problem(acq))
    penalty = task.penalty
    u = penalty.embed(task.b)

    def gradient(u):
        return penalty.embed(task.A.normal(penalty.image(u)) - task.b)

    if isinstance(penalty, SplitPenalty):

        def dual(v, t):  # Moreau
            return v - v * penalty.shrinkage(v / t, lam / t)

        z = torch.zeros_like(penalty.split(u))
        steps = pdhg(penalty.split, penalty.merge, dual, u, z, 0.9, 0.05, dot, gradient=gradient)
    else:
        steps = fista(gradient, lambda v, t: prox_wavelet(v, lam * t, Wavelet("db2", 2)), u, 1.0, dot)
    return task.objective(next(islice(steps, 5000, None)).x, lam)


@pytest.mark.parametrize("kind", ["several coils", "one coil", "a hole in the maps"])
@pytest.mark.parametrize(("name", "options"), METHODS, ids=lambda v: v if isinstance(v, str) else "-".join(map(str, v)))
def test_the_least_value_is_reached(name, options, kind):
    acq = acquisition(kind)
    method = make_method(name, lam="0.1max", tolerance=0, max_iterations=1500, **options)
    want = least(method, acq, 0.1)
    assert method.solve(acq).objective[0] == pytest.approx(want, rel=1e-5)
    early = make_method(name, lam="0.1max", tolerance=0, max_iterations=2, **options).solve(acq)
    assert early.objective[0] > want * (1 + 1e-4)
