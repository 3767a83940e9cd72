"""Every solver and every regulariser on one problem: the objective is that of a long run of dense matrices."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import islice

import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.operators import encoding
from kolumn.operators.gradient import Gradient, SymmetricGradient
from kolumn.operators.wavelet import Wavelet
from kolumn.prox import (
    nuclear_norm,
    prox_l2,
    prox_low_rank,
    prox_tgv,
    prox_tv,
    prox_wavelet,
    shrink,
    squared_norm,
    total_generalized_variation,
    total_variation,
    wavelet_norm,
)
from kolumn.solvers import admm, fista, pdhg, pogm

SHAPE = (13, 17)
W = Wavelet("db2", 2)
D, E = Gradient(), SymmetricGradient()


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


@cache
def problem(frames):
    """A = M F S of a series (frame, y, x), and its data y."""
    maps = draw(3, *SHAPE, seed=1) + 2
    maps = maps / torch.linalg.vector_norm(maps, dim=0)
    mask = torch.rand(frames, 1, *SHAPE, generator=torch.Generator().manual_seed(2)) > 0.55
    x = torch.zeros(frames, *SHAPE, dtype=torch.complex128)
    for frame in range(frames):
        x[frame, 3:10, 4:12] = 2 + frame * 0.5j
        x[frame, 5:8, 2 + frame : 8 + frame] += 1 - 1j
    A = encoding(acquire(draw(frames, 3, *SHAPE), mask, maps))
    return A, A.forward(x[None]) + mask * 0.1 * draw(frames, 3, *SHAPE, seed=3)


def loss(x):
    A, y = problem(len(x))
    return 0.5 * float((A.forward(x[None]) - y).abs().square().sum())


def slope(x):
    A, y = problem(len(x))
    return A.normal(x[None])[0] - A.adjoint(y)[0]


@dataclass(frozen=True)
class Penalty:
    """lam g(K u): u is x (frame, y, x), or for TGV x and then both components of w, of one frame.

    Attributes:
        value: u -> g(K u).
        prox: (x, t) -> u, of the whole penalty, for solvers that do not split.
        K, KH, norm: the split and ||K||^2.
        split: (z, t) -> argmin t g(z) + 1/2 ||z - .||^2.
        fields: components of w.
    """

    lam: float
    value: Callable
    prox: Callable
    K: Callable
    KH: Callable
    split: Callable
    norm: float = 1.0
    fields: int = 0
    frames: int = 1


def same(u):
    return u


def tgv(u):
    return total_generalized_variation(u[:1], u[1:, None])


def tgv_forward(u):
    w = u[1:, None]
    return torch.cat([D.forward(u[:1]) - w, E.forward(w)])


def tgv_adjoint(z):
    return torch.cat([D.adjoint(z[:2]), (E.adjoint(z[2:]) - z[:2])[:, 0]])


def tgv_prox(x, t):
    u, w = prox_tgv(x, t, 200)
    return torch.cat([u, w[:, 0]])


def details(z, t):
    rows, columns = W.approximation(z.shape)
    out = shrink(z, t)
    out[..., :rows, :columns] = z[..., :rows, :columns]
    return out


PENALTIES = {
    "isotropic TV": Penalty(
        0.03, total_variation, lambda x, t: prox_tv(x, t, 120), D.forward, D.adjoint, lambda z, t: shrink(z, t, 0), 8
    ),
    "anisotropic TV": Penalty(
        0.03,
        lambda u: total_variation(u, False),
        lambda x, t: prox_tv(x, t, 150, False),
        D.forward,
        D.adjoint,
        shrink,
        8,
    ),
    "TGV": Penalty(
        0.015,
        tgv,
        tgv_prox,
        tgv_forward,
        tgv_adjoint,
        lambda z, t: torch.cat([shrink(z[:2], t, 0), shrink(z[2:], 2 * t, 0)]),
        norm=12,
        fields=2,
    ),
    "wavelet": Penalty(
        0.2, lambda u: wavelet_norm(u, W), lambda x, t: prox_wavelet(x, t, W), W.forward, W.adjoint, details
    ),
    "low rank": Penalty(
        0.5,
        lambda u: nuclear_norm(u, 4),
        lambda x, t: prox_low_rank(x, t, 4),
        same,
        same,
        lambda z, t: prox_low_rank(z, t, 4),
        frames=3,
    ),
    "L2": Penalty(0.3, squared_norm, prox_l2, same, same, prox_l2),
}


def image(p, u):
    return u[: p.frames]


def objective(p, u):
    return loss(image(p, u)) + p.lam * float(p.value(u).sum())


def dot(a, b):
    return (a.conj() * b).real.sum().reshape((1,) * 3)


def start(p):
    return torch.zeros(p.frames + p.fields, *SHAPE, dtype=torch.complex128)


def padded(p, x):
    return torch.cat([x, x.new_zeros(p.fields, *SHAPE)])


@cache
def matrices(name):
    """A^H A of all of u, and K: dense, one column for each unknown."""
    p = PENALTIES[name]
    A, _ = problem(p.frames)
    units = torch.eye(start(p).numel(), dtype=torch.complex128).reshape(-1, *start(p).shape)
    normal = torch.stack([padded(p, A.normal(image(p, u)[None])[0]).flatten() for u in units], dim=1)
    return normal, torch.stack([p.K(u).flatten() for u in units], dim=1)


def inverse(name, rho):
    normal, K = matrices(name)
    return torch.linalg.inv(normal + rho * K.mH @ K)


@cache
def optimum(name, rho=0.2, iterations=1500):
    """The least objective: over-relaxed ADMM, written out, with a dense inverse, until nothing moves."""
    p = PENALTIES[name]
    M = inverse(name, rho)
    b = padded(p, -slope(image(p, start(p))))
    z = d = p.K(start(p))
    for _ in range(iterations):
        u = (M @ (b + rho * p.KH(z - d)).flatten()).reshape(b.shape)
        Ku = p.K(u)
        h = 1.6 * Ku - 0.6 * z + d
        z_before, z = z, p.split(h, p.lam / rho)
        d = h - z
    assert float((z - z_before).norm() / z.norm()) < 1e-5
    assert float((Ku - z).norm() / z.norm()) < 1e-4
    return objective(p, u)


def with_prox(solver, name):
    """FISTA and POGM: u of the last proximal map goes with x."""
    p, last = PENALTIES[name], []

    def prox(v, t):
        last[:] = [p.prox(v, p.lam * t)]
        return image(p, last[0])

    for _ in islice(solver(slope, prox, image(p, start(p)), 1.0, dot), 36):
        pass
    return last[0]


def with_split(solver, name):
    """ADMM: the inner equation by a dense inverse for each rho that comes up."""
    p, inverses = PENALTIES[name], {}
    b = padded(p, -slope(image(p, start(p))))

    def solve(v, rho):
        right = b + rho * p.KH(v)
        if float(rho) not in inverses:
            inverses[float(rho)] = inverse(name, float(rho))
        return (inverses[float(rho)] @ right.flatten()).reshape(right.shape)

    def flat(a, b):
        return dot(a.reshape(-1, 1, 1), b.reshape(-1, 1, 1))

    def prox(v, t):
        return p.split(v, p.lam * t)

    steps = solver(solve, p.K, p.KH, prox, start(p), 1.0, dot, flat, relaxation=1.5, balance=10)
    return list(islice(steps, 250))[-1].x


def with_duals(solver, name):
    """PDHG: everything explicit; the dual's proximal map by Moreau."""
    p = PENALTIES[name]

    def prox_dual(v, s):
        return v - s * p.split(v / s, p.lam / s)

    sigma = 0.5
    tau = 1 / (sigma * p.norm + 0.5)
    steps = solver(
        p.K, p.KH, prox_dual, start(p), p.K(start(p)), tau, sigma, dot, lambda u: padded(p, slope(image(p, u)))
    )
    return list(islice(steps, 800 if p.norm > 1 else 150))[-1].x


SOLVERS = {
    "fista": (with_prox, fista),
    "pogm": (with_prox, pogm),
    "admm": (with_split, admm),
    "pdhg": (with_duals, pdhg),
}


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", PENALTIES)
def test_the_objective_is_the_least(name, solver):
    run, algorithm = SOLVERS[solver]
    p, best = PENALTIES[name], optimum(name)
    found = objective(p, run(algorithm, name))
    assert best * (1 - 1e-5) < found < best * (1 + 1e-4)


@pytest.mark.parametrize("name", PENALTIES)
def test_the_problem_is_worth_solving(name):
    """Neither term alone gives the answer, and no random direction leads down from it."""
    p, best = PENALTIES[name], optimum(name)
    A, y = problem(p.frames)
    zero_filled = padded(p, A.adjoint(y)[0])
    assert best < 0.9 * objective(p, zero_filled)
    assert best < 0.5 * objective(p, start(p))
    u = with_split(admm, name)
    for seed in range(10):
        other = u + 1e-2 * draw(*u.shape, seed=seed)
        assert objective(p, other) > best


def test_the_least_squares_answer_is_the_equations():
    p = PENALTIES["L2"]
    normal, _ = matrices("L2")
    b = -slope(start(p)).flatten()
    x = torch.linalg.solve(normal + p.lam * torch.eye(len(b)), b).reshape(start(p).shape)
    assert optimum("L2") == pytest.approx(objective(p, x), rel=1e-9)
