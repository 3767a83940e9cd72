"""AL-P2: its two images against all of k-space in all coils, and its fixed point against an independent minimiser."""

from itertools import islice

import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.fourier import fft2, ifft2
from kolumn.operators import encoding
from kolumn.operators.gradient import Gradient, laplacian
from kolumn.prox import shrink, shrinkage, total_variation
from kolumn.solvers import SplitSteps, al_p2, pdhg, start_split

SHAPE = (13, 18)
D = Gradient()


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def problem(kind):
    """k-space, mask and maps: of unit norm, smaller than one with a hole, or for a mask that is not of columns."""
    maps = draw(3, *SHAPE, seed=1)
    maps = maps / torch.linalg.vector_norm(maps, dim=0)
    if kind == "hole":
        maps = maps * torch.linspace(0.3, 1, SHAPE[0], dtype=torch.float64)[:, None]
        maps[:, 2:6, 3:9] = 0
    generator = torch.Generator().manual_seed(2)
    mask = torch.rand(SHAPE if kind == "plane" else (1, SHAPE[1]), generator=generator) < 0.5
    mask[..., SHAPE[0] // 2 if kind == "plane" else 0, SHAPE[1] // 2] = True
    return acquire(draw(3, *SHAPE, seed=3) * mask, mask, maps)


def steps(acq, lam, mu, rho, relaxation=1.8):
    A = encoding(acq)
    b = A.adjoint(acq.kspace)
    symbol = mu + rho * laplacian(SHAPE, b)

    def invert(r):
        return torch.fft.ifft2(torch.fft.fft2(r) / symbol)

    pointwise = SplitSteps(b, D.forward, D.adjoint, lambda h: shrinkage(h, lam / rho, 0), rho, mu, relaxation)
    return al_p2(A.normal, invert, pointwise, start_split(A.normal, D.forward, b))


def all_of_kspace(acq, lam, mu, rho, a):
    """AL-P2 as in the paper, with every sample of every coil kept, and one more coil that nothing was acquired of."""
    maps = acq.maps
    rest = (1 - maps.abs().square().sum(0)).clamp_min(0).sqrt()
    maps = torch.cat([maps, rest[None].to(maps.dtype)])
    mask = torch.cat([acq.mask.expand(3, *SHAPE), torch.zeros(1, *SHAPE, dtype=torch.bool)])
    y = torch.cat([acq.kspace, torch.zeros(1, *SHAPE, dtype=maps.dtype)])

    def E(x):
        return fft2(maps * x)

    def EH(v):
        return (maps.conj() * ifft2(v)).sum(0)

    x = EH(y)
    v, d, z, e = E(x), (E(x) - y) * mask / mu, D.forward(x), torch.zeros(2, *SHAPE, dtype=maps.dtype)
    symbol = mu + rho * laplacian(SHAPE, x)
    first = True
    while True:
        if first:  # the state that start_split gives: h = D x, shrunk before the first x
            h = D.forward(x)
            z = shrink(h, lam / rho, 0)
            e, first = h - z, False
        x = torch.fft.ifft2(torch.fft.fft2(mu * EH(v - d) + rho * D.adjoint(z - e)) / symbol)
        yield x
        q = a * E(x) + (1 - a) * v + d
        v = torch.where(mask, (y + mu * q) / (1 + mu), q)
        d = q - v
        h = a * D.forward(x) + (1 - a) * z + e
        z = shrink(h, lam / rho, 0)
        e = h - z


@pytest.mark.parametrize("kind", ["unit", "hole", "plane"])
@pytest.mark.parametrize(("mu", "rho", "a"), [(0.3, 0.7, 1.0), (0.05, 2.0, 1.8)])
def test_two_images_stand_for_all_of_kspace(kind, mu, rho, a):
    acq = problem(kind)
    ours = islice(steps(acq, 0.4, mu, rho, a), 4)
    for state, want in zip(ours, all_of_kspace(acq, 0.4, mu, rho, a), strict=False):
        assert float((state.x[0] - want).norm() / want.norm()) < 1e-10


def minimum(acq, lam):
    """The least objective, by primal-dual steps that share nothing with AL-P2."""
    A = encoding(acq)
    b = A.adjoint(acq.kspace)

    def clip(u, t):
        return u / (torch.linalg.vector_norm(u, dim=0) / lam).clamp_min(1)

    def dot(a, c):
        return (a.conj() * c).real.sum()

    u = torch.zeros_like(D.forward(b))
    found = pdhg(D.forward, D.adjoint, clip, b, u, 0.9, 0.07, dot, gradient=lambda x: A.normal(x) - b)
    x = next(islice(found, 4000, None)).x
    return objective(acq, x, lam)


def objective(acq, x, lam):
    misfit = encoding(acq).forward(x) - acq.kspace
    return float(misfit.abs().square().sum() / 2 + lam * total_variation(x).sum())


@pytest.mark.parametrize("kind", ["unit", "hole", "plane"])
def test_the_fixed_point_is_the_minimiser(kind):
    acq = problem(kind)
    least = minimum(acq, 0.3)
    x = next(islice(steps(acq, 0.3, 0.1, 0.6), 1500, None)).x
    assert least * (1 - 1e-5) < objective(acq, x, 0.3) < least * (1 + 1e-6)  # these steps are the faster ones
    assert objective(acq, next(islice(steps(acq, 0.3, 0.1, 0.6), 3, None)).x, 0.3) > least * (1 + 1e-4)


def test_the_state_of_the_caller_stays_as_it_is():
    acq = problem("unit")
    A = encoding(acq)
    b = A.adjoint(acq.kspace)
    state = start_split(A.normal, lambda x: x, b)
    before = [t.clone() for t in state if t is not None]

    def same(x):
        return x

    pointwise = SplitSteps(b, same, same, lambda h: shrinkage(h, 0.2), 1.0, 0.5)
    found = al_p2(A.normal, lambda r: r / 1.5, pointwise, state)
    next(islice(found, 3, None))
    assert all(torch.equal(now, then) for now, then in zip(state[:5], before, strict=True))


def test_an_image_of_nothing_has_not_changed():
    pointwise = SplitSteps(draw(*SHAPE), D.forward, D.adjoint, lambda h: shrinkage(h, 0.2, 0), 1.0)
    x = torch.zeros(SHAPE, dtype=torch.complex128)
    assert pointwise.push(draw(2, *SHAPE), draw(*SHAPE), draw(*SHAPE), x, draw(*SHAPE), x, None) == 0
