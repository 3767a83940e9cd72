"""MRpro as a peer: its PDHG and FISTA (pgd), Fourier, coil and finite-difference operators.

Its own TV is anisotropic and parts real from imaginary (L1NormViewAsReal) with zeros beyond the edge; here its
FiniteDifferenceOp is circular, and the isotropic norm is a ProximableFunctional. Its WaveletOp pads with zeros, so the
orthogonal transform comes in through LinearOperator.
"""

from __future__ import annotations

import sys
import types

import torch
from torch import Tensor

try:
    import torchvision  # noqa: F401
except (ImportError, RuntimeError):  # a build for CUDA; MRpro needs it for one phantom only
    for _name in ("torchvision", "torchvision.transforms", "torchvision.transforms.functional"):
        sys.modules[_name] = types.ModuleType(_name)
    sys.modules["torchvision"].transforms = sys.modules["torchvision.transforms"]
    sys.modules["torchvision.transforms"].functional = sys.modules["torchvision.transforms.functional"]

from cs_candidate import Candidate, Watch
from cs_problem import Problem, Wavelets
from mrpro.algorithms.optimizers import pdhg, pgd
from mrpro.data import KTrajectory, SpatialDimension
from mrpro.operators import (
    FiniteDifferenceOp,
    FourierOp,
    LinearOperator,
    LinearOperatorMatrix,
    ProximableFunctional,
    ProximableFunctionalSeparableSum,
    SensitivityOp,
)
from mrpro.operators.functionals import L1Norm, L2NormSquared


class GroupL1(ProximableFunctional):
    """sum_i ||z_i||_2, over the first axis."""

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (torch.linalg.vector_norm(x, dim=0).sum(),)

    def prox(self, x: Tensor, sigma: Tensor | float = 1.0) -> tuple[Tensor]:
        size = torch.linalg.vector_norm(x, dim=0)
        return (x * (1 - sigma / size.clamp_min(float(sigma))),)

    def prox_convex_conj(self, x: Tensor, sigma: Tensor | float = 1.0) -> tuple[Tensor]:
        return (x / torch.linalg.vector_norm(x, dim=0).clamp_min(1),)


class OrthogonalWavelets(LinearOperator):
    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__()
        self.W = Wavelets(shape)

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return (torch.from_numpy(self.W.forward(x[0, 0, 0].numpy()))[None, None, None],)

    def adjoint(self, x: Tensor) -> tuple[Tensor]:
        return (torch.from_numpy(self.W.adjoint(x[0, 0, 0].numpy()))[None, None, None],)


class UnitaryL1(ProximableFunctional):
    """f(W x) with W orthogonal."""

    def __init__(self, f: ProximableFunctional, W: LinearOperator) -> None:
        super().__init__()
        self.f, self.W = f, W

    def forward(self, x: Tensor) -> tuple[Tensor]:
        return self.f(*self.W(x))

    def prox(self, x: Tensor, sigma: Tensor | float = 1.0) -> tuple[Tensor]:
        return self.W.adjoint(*self.f.prox(*self.W(x), sigma))


class MRpro:
    def __init__(self, problem: Problem) -> None:
        self.tv, self.lam = problem.regulariser == "tv", problem.lam
        ny, nx = problem.kspace.shape[-2:]
        columns = problem.mask[0].nonzero()[:, 0]
        self.y = problem.kspace[..., columns][None, :, None].contiguous()  # (other, coil, k2, k1, k0)
        self.maps = problem.maps[None, :, None]
        self.trajectory = KTrajectory(
            kz=torch.zeros(1, 1, 1, 1, 1),
            ky=(torch.arange(ny) - ny // 2)[:, None].float()[None, None, None],
            kx=(columns - nx // 2).float()[None, None, None, None],
        )
        self.shape = SpatialDimension(1, ny, nx)

    def parts(self):
        """A, the regulariser's operator and its functional."""
        A = FourierOp(self.shape, self.shape, self.trajectory) @ SensitivityOp(self.maps)
        if self.tv:
            return A, FiniteDifferenceOp((-2, -1), "forward", "circular"), self.lam * GroupL1()
        W = OrthogonalWavelets((self.shape.y, self.shape.x))
        return A, W, self.lam * L1Norm(weight=torch.from_numpy(W.W.penalised))

    def pdhg(self, n: int, watch: Watch | None, tau: float | None = None, sigma: float | None = None) -> Tensor:
        A, G, f = self.parts()
        torch.manual_seed(0)  # its power iteration starts at random
        (x,) = pdhg(
            f=ProximableFunctionalSeparableSum(0.5 * L2NormSquared(target=self.y), f),
            g=None,
            operator=LinearOperatorMatrix(((A,), (G,))),
            initial_values=A.H(self.y),
            max_iterations=n,
            primal_stepsize=tau,
            dual_stepsize=sigma,
            callback=_callback(watch),
        )
        return x[0, 0, 0]

    def fista(self, n: int, watch: Watch | None, step: float = 1.0) -> Tensor:
        A, W, f = self.parts()
        (x,) = pgd(
            f=0.5 * L2NormSquared(target=self.y) @ A,
            g=UnitaryL1(f, W),
            initial_value=A.H(self.y),
            stepsize=step,
            max_iterations=n,
            callback=_callback(watch),
        )
        return x[0, 0, 0]

    def candidate(self, algorithm: str, label: str, **settings) -> Candidate:
        def run(n: int, watch: Watch | None = None) -> Tensor:
            with torch.no_grad():
                return getattr(self, algorithm)(n, watch, **settings)

        return Candidate(f"MRpro {algorithm.upper()}", label, run)


def _callback(watch: Watch | None):
    """Its status is a TypedDict."""
    return None if watch is None else lambda status: watch(status["solution"][0][0, 0, 0].detach())
