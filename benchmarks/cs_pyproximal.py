"""pyproximal (and PyLops) as a peer.

PyLops' gradient does not wrap around and its DWT2D pads to a power of two, so both transforms come in through
LinearOperator; Fourier transforms, stacking, proximal maps (L21 is isotropic TV) and algorithms are theirs. Two ways to
TV: primal-dual on the stack of A and D, and ADMML2, whose image update is SciPy's LSQR.
"""

from __future__ import annotations

import numpy as np
import pylops
import pyproximal
import torch
from cs_candidate import Candidate, Watch
from cs_problem import Problem, Wavelets
from pyproximal.optimization.primal import ADMML2, ProximalGradient
from pyproximal.optimization.primaldual import PrimalDual


class Coils(pylops.LinearOperator):
    """Image to the sampled k-space of all coils: maps, PyLops' FFT2D, columns."""

    def __init__(self, maps: np.ndarray, columns: np.ndarray) -> None:
        n, ny, nx = maps.shape
        super().__init__(dtype=np.complex64, dims=(ny, nx), dimsd=(n, ny, len(columns)))
        self.maps = maps
        fft = pylops.signalprocessing.FFTND(
            maps.shape,
            axes=(-2, -1),
            norm="ortho",
            ifftshift_before=True,
            fftshift_after=True,
            engine="scipy",
            dtype=np.complex64,
            workers=torch.get_num_threads(),
        )
        self.F = pylops.Restriction(maps.shape, columns, axis=-1, dtype=np.complex64) @ fft

    def _matvec(self, x):
        return self.F.matvec((self.maps * x.reshape(self.dims)).ravel())

    def _rmatvec(self, k):
        return (self.maps.conj() * self.F.rmatvec(k).reshape(self.maps.shape)).sum(0).ravel()


class PeriodicGradient(pylops.LinearOperator):
    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__(dtype=np.complex64, dims=shape, dimsd=(2, *shape))

    def _matvec(self, x):
        x = x.reshape(self.dims)
        return np.stack([np.roll(x, -1, 0) - x, np.roll(x, -1, 1) - x]).ravel()

    def _rmatvec(self, z):
        z = z.reshape(self.dimsd)
        return (np.roll(z[0], 1, 0) - z[0] + np.roll(z[1], 1, 1) - z[1]).ravel()


class OrthogonalWavelets(pylops.LinearOperator):
    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__(dtype=np.complex64, dims=shape, dimsd=shape)
        self.W = Wavelets(shape)

    def _matvec(self, x):
        return self.W.forward(x.reshape(self.dims)).ravel()

    def _rmatvec(self, x):
        return self.W.adjoint(x.reshape(self.dims)).ravel()


class Pyproximal:
    def __init__(self, problem: Problem) -> None:
        self.tv, self.lam = problem.regulariser == "tv", problem.lam
        self.maps = problem.maps.numpy()
        self.columns = problem.mask[0].nonzero()[:, 0].numpy()
        self.y = problem.kspace.numpy()[..., self.columns].ravel()

    def parts(self):
        """A, the regulariser's operator and its functional."""
        A = Coils(self.maps, self.columns)
        if self.tv:
            return A, PeriodicGradient(A.dims), pyproximal.L21(2, self.lam)
        W = OrthogonalWavelets(A.dims)
        return A, W, pyproximal.L1(np.float32(self.lam) * W.W.penalised.ravel())

    def primal_dual(self, n: int, watch: Watch | None, tau: float, mu: float) -> np.ndarray:
        A, G, g = self.parts()
        stack = pyproximal.VStack([pyproximal.L2(b=self.y), g], nn=[A.shape[0], G.shape[0]])
        K = pylops.VStack([A, G], dtype=np.complex64)
        zero = pyproximal.L2(sigma=0.0)  # its prox is x / (1 + 0)
        return PrimalDual(zero, stack, K, A.H @ self.y, tau=tau, mu=mu, niter=n, callback=watch)

    def admm(self, n: int, watch: Watch | None, tau: float, inner: int) -> np.ndarray:
        A, G, g = self.parts()
        x0 = A.H @ self.y
        x, _ = ADMML2(g, A, self.y, G, x0, tau=tau, niter=n, gfirst=True, callback=watch, iter_lim=inner)
        return x

    def fista(self, n: int, watch: Watch | None, tau: float = 1.0) -> np.ndarray:
        A, W, g = self.parts()
        f = pyproximal.L2(Op=A, b=self.y)
        prox = pyproximal.Orthogonal(g, W)
        return ProximalGradient(f, prox, A.H @ self.y, tau=tau, niter=n, acceleration="fista", callback=watch)

    def candidate(self, algorithm: str, label: str, **settings) -> Candidate:
        shape = self.maps.shape[-2:]

        def run(n: int, watch: Watch | None = None):
            shaped = None if watch is None else lambda x, *_: watch(x.reshape(shape))
            return torch.as_tensor(getattr(self, algorithm)(n, shaped, **settings).reshape(shape))

        name = {"primal_dual": "PrimalDual", "admm": "ADMML2", "fista": "FISTA"}[algorithm]
        return Candidate(f"pyproximal {name}", label, run)
