"""Least squares with an l1 penalty, 1/2 ||M x - b||^2 + lam |K x|_1: three unlike entries, and oracles of numpy."""

import numpy as np
import torch

from kolumn.prox import clip, shrink

BRIGHTNESS = torch.tensor([[1.0], [30.0], [0.1]], dtype=torch.float64)
LAM = 0.003


def draw(*shape, seed=0, dtype=torch.complex128):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def matrices(n=9, seed=0):
    """Ill-conditioned M (3, n, n) of norm 1, each in its own way, so that momentum restarts at different times."""
    U, V = (torch.linalg.qr(draw(3, n, n, seed=seed + i))[0] for i in (1, 2))
    powers = torch.tensor([1.5, 0.6, 1.0], dtype=torch.float64)
    s = torch.linspace(1, 0.1, n, dtype=torch.float64) ** powers[:, None]
    return U * s[:, None, :] @ V.mH


def data(n=9, seed=5):
    return draw(3, n, seed=seed) * BRIGHTNESS


def analysis(m=13, n=9, seed=7):
    """K of norm 1, not square."""
    K = draw(m, n, seed=seed)
    return K / torch.linalg.matrix_norm(K, 2)


def dot(a, b):
    return (a.conj() * b).real.sum(-1, keepdim=True)


def apply(M):
    return lambda x: (M @ x[..., None])[..., 0]


def gradient(M, b):
    return lambda x: apply(M.mH)(apply(M)(x) - b)


def prox(lam=LAM):
    return lambda v, t: shrink(v, lam * t)


def prox_dual(lam=LAM):
    return lambda v, t: clip(v, lam)


def solve(M, b, K):
    """(v, rho) -> argmin_x 1/2 ||M x - b||^2 + rho/2 ||K x - v||^2."""

    def at(v, rho):
        rho = torch.as_tensor(rho)
        right = apply(M.mH)(b) + rho * apply(K.mH)(v)
        return torch.linalg.solve(M.mH @ M + rho[..., None] * (K.mH @ K), right[..., None])[..., 0]

    return at


def soft(v, t):
    """Shrinkage of numpy arrays, written out."""
    return np.array([0 if abs(a) <= t else a * (abs(a) - t) / abs(a) for a in v])


def project(v, t):
    return np.array([a if abs(a) <= t else a * t / abs(a) for a in v])


def objective(M, b, x, K=None, lam=LAM):
    Kx = x if K is None else apply(K)(x)
    return 0.5 * (apply(M)(x) - b).abs().square().sum(-1) + lam * Kx.abs().sum(-1)


def check_residuals(found, start):
    """Each residual is the relative change since the iterate before."""
    before = start
    for x, residual in found:
        want = (x - before).norm(dim=-1, keepdim=True) / x.norm(dim=-1, keepdim=True)
        torch.testing.assert_close(residual, want, rtol=1e-10, atol=1e-14)
        before = x


def check_alone(run, M, b, counts=(1, 2, 40)):
    """Entries of unlike brightness are as if alone: x and residual."""
    for n in counts:
        together = run(M, b, n)[-1]
        for i in range(3):
            alone = run(M[i : i + 1], b[i : i + 1], n)[-1]
            torch.testing.assert_close(together.x[i], alone.x[0], rtol=1e-9, atol=1e-9 * float(BRIGHTNESS[i]))
            torch.testing.assert_close(together.residual[i], alone.residual[0], rtol=1e-6, atol=1e-12)


def check_scales(run):
    """Single precision at any unit of the data: ``run`` takes M, b, lam and the number of iterations."""
    M, b = matrices().to(torch.complex64), data().to(torch.complex64)
    one = run(M, b, LAM, 12)[-1]
    for scale in (1e-12, 1e-8, 1e8, 1e12):
        other = run(M, scale * b, scale * LAM, 12)[-1]
        assert other.x.dtype == torch.complex64
        size = scale * one.x.norm(dim=-1, keepdim=True)
        torch.testing.assert_close(other.x / size, scale * one.x / size, rtol=0, atol=1e-4)
        torch.testing.assert_close(other.residual, one.residual, rtol=0.02, atol=1e-5)


def check_zeros(run):
    """An entry of zeros stays so, and spoils nothing."""
    M, b = matrices(), data()
    b[1] = 0
    for x, residual in run(M, b, 8):
        assert not x[1].any()
        assert float(residual[1]) == 0
        assert torch.isfinite(torch.view_as_real(x)).all()
        assert x[0].any()
