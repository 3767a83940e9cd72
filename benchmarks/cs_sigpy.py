"""SigPy as a peer: its apps, algorithms, SENSE operator and finite differences.

Its finite differences are periodic but backward, so it is given the image reversed about its centre, which turns
them into forward ones. SigPy's own TV (``sigpy.mri.app.TotalVariationRecon``) is anisotropic; the isotropic proximal
map, and the wavelets (its own are zero-padded), come in through its classes ``Prox`` and ``Linop``.
"""

from __future__ import annotations

import numpy as np
import sigpy as sp
import sigpy.mri.linop
import torch
from cs_candidate import Candidate, Watch
from cs_problem import Problem, Wavelets


class GroupL1(sp.prox.Prox):
    """lambda sum_i ||z_i||_2, over the first axis."""

    def __init__(self, shape: tuple[int, ...], lam: float) -> None:
        self.lam = lam
        super().__init__(shape)

    def _prox(self, alpha, input):
        alpha = alpha if np.isscalar(alpha) else alpha[0]
        size = np.sqrt((input.real**2 + input.imag**2).sum(0))
        threshold = np.float32(self.lam) * alpha
        return input * (1 - threshold / np.maximum(size, threshold)).astype(np.float32)


class WaveletLinop(sp.linop.Linop):
    def __init__(self, W: Wavelets, oshape: tuple[int, ...], ishape: tuple[int, ...], inverse: bool = False) -> None:
        self.W, self.inverse = W, inverse
        super().__init__(oshape, ishape)

    def _apply(self, input):
        return self.W.adjoint(input) if self.inverse else self.W.forward(input)

    def _adjoint_linop(self):
        return WaveletLinop(self.W, self.ishape, self.oshape, not self.inverse)


def reverse(x: np.ndarray) -> np.ndarray:
    """About the centre N // 2 of the last two axes; it commutes with the centred Fourier transform."""
    return np.ascontiguousarray(np.roll(x[..., ::-1, ::-1], [1 - n % 2 for n in x.shape[-2:]], (-2, -1)))


class SigPy:
    def __init__(self, problem: Problem) -> None:
        self.tv = problem.regulariser == "tv"
        self.turn = reverse if self.tv else np.asarray
        self.lam = problem.lam
        self.y = self.turn(problem.kspace.numpy())
        self.maps = self.turn(problem.maps.numpy())
        self.mask = self.turn(problem.mask.expand(problem.kspace.shape[-2:]).numpy()).astype(np.float32)

    def app(self, n: int, solver: str, **settings):
        A = sigpy.mri.linop.Sense(self.maps, weights=self.mask)
        x = A.H(self.y).astype(np.complex64)
        if self.tv:
            G = sp.linop.FiniteDifference(A.ishape)
            proxg = GroupL1(G.oshape, self.lam)
        else:
            W = Wavelets(A.ishape)
            G = WaveletLinop(W, A.ishape, A.ishape)
            proxg = sp.prox.L1Reg(A.ishape, np.float32(self.lam) * W.penalised)
            if solver == "GradientMethod":
                proxg, G = sp.prox.UnitaryTransform(proxg, G), None
        if isinstance(settings.get("sigma"), tuple):  # one step for the data, one for the regulariser
            sizes = [int(np.prod(s)) for s in (A.oshape, G.oshape)]
            settings["sigma"] = np.repeat(np.array(settings["sigma"], np.float32), sizes)
        return sp.app.LinearLeastSquares(
            A, self.y, x=x, proxg=proxg, G=G, solver=solver, max_iter=n, tol=-1, show_pbar=False, **settings
        )

    def run(self, n: int, watch: Watch | None = None, solver: str = "", **settings) -> np.ndarray:
        np.random.seed(0)
        app = self.app(n, solver, **settings)
        if watch is None:
            return self.turn(app.run())
        while not app.alg.done():
            app.alg.update()
            watch(self.turn(app.x))
        return self.turn(app.x)

    def candidate(self, solver: str, label: str, **settings) -> Candidate:
        short = {"PrimalDualHybridGradient": "PDHG", "GradientMethod": "FISTA"}.get(solver, solver)

        def run(n: int, watch: Watch | None = None):
            return torch.as_tensor(self.run(n, watch, solver, **settings))

        return Candidate(f"SigPy {short}", label, run)
