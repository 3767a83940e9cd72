"""The peers: which algorithms, at which settings. BEST is what `compressed_sensing.py --sweep` found."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product

from bart import available
from cs_candidate import Candidate, iterations_to
from cs_problem import Problem

GAPS = (1e-3, 1e-4)
PEERS = ("sigpy", "mrpro", "pyproximal", "bart")
Settings = dict[str, float | int | bool | tuple[float, float]]


@dataclass(frozen=True)
class Algorithm:
    """One algorithm of one peer.

    Attributes:
        peer: whose it is, one of PEERS.
        steps: key into GRIDS and BEST; the three PDHGs are the same iteration and share theirs.
        make: problem, label and settings to a candidate.
        rename: settings as this peer calls them.
        default: its own settings; None where it has none.
    """

    peer: str
    steps: str
    make: Callable[..., Candidate]
    rename: Callable[[Settings], Settings] = dict
    default: Settings | None = None

    def candidate(self, problem: Problem, settings: Settings | None) -> Candidate:
        if settings is None:
            return self.make(problem, "default", **(self.default or {}))
        return self.make(problem, in_words(settings), **self.rename(settings))


def in_words(settings: Settings) -> str:
    def one(value: object) -> str:
        return "/".join(f"{v:.3g}" for v in value) if isinstance(value, tuple) else f"{value:.3g}"

    return ", ".join(f"{name} {one(value)}" for name, value in settings.items()) or "nothing to tune"


def _of(module: str, peer: str, *first: str) -> Callable[..., Candidate]:
    def make(problem: Problem, label: str, **settings) -> Candidate:
        return getattr(importlib.import_module(module), peer)(problem).candidate(*first, label, **settings)

    return make


def _steps(sigma: str) -> Callable[[Settings], Settings]:
    return lambda s: {"tau": s["tau"], sigma: s["sigma"]}


def _sigpy_admm(s: Settings) -> Settings:
    return {"rho": s["rho"], "max_cg_iter": s["inner"]}


def _pyproximal_admm(s: Settings) -> Settings:
    return {"tau": 1 / s["rho"], "inner": s["inner"]}


_SIGPY, _MRPRO, _PYPROXIMAL = ("cs_sigpy", "SigPy"), ("cs_mrpro", "MRpro"), ("cs_pyproximal", "Pyproximal")
_PDHG = "PrimalDualHybridGradient"
SHARED = [
    Algorithm("pyproximal", "pdhg", _of(*_PYPROXIMAL, "primal_dual"), _steps("mu")),
    Algorithm("sigpy", "pdhg", _of(*_SIGPY, _PDHG), _steps("sigma"), {}),
    Algorithm("mrpro", "pdhg", _of(*_MRPRO, "pdhg"), _steps("sigma"), {}),
    Algorithm("sigpy", "pdhg, two duals", _of(*_SIGPY, _PDHG), _steps("sigma")),
    Algorithm("sigpy", "admm", _of(*_SIGPY, "ADMM"), _sigpy_admm, {}),
    Algorithm("pyproximal", "admm, lsqr", _of(*_PYPROXIMAL, "admm"), _pyproximal_admm),
]
ALGORITHMS = {
    "tv": [*SHARED, Algorithm("bart", "admm, bart", _of("cs_bart", "Bart"), dict, {})],
    "wavelet": [
        *SHARED,
        Algorithm("sigpy", "fista", _of(*_SIGPY, "GradientMethod"), lambda _: {"alpha": 1}, {}),
        Algorithm("mrpro", "fista", _of(*_MRPRO, "fista"), lambda _: {}),
        Algorithm("pyproximal", "fista", _of(*_PYPROXIMAL, "fista"), lambda _: {}),
    ],
}

# Penalties are free of scale, since the proximal map and lambda grow with the data.
RHO = (0.05, 0.02, 0.1, 0.01)
INNER = (5, 3, 10, 2)
BART_RHO = (0.005, 0.003, 0.007, 0.01, 0.02, 0.002, 0.05)
PATIENCE = 2  # a setting that takes so many times the best to the first gap is not followed to the second


def _pdhg(norm: float) -> Iterator[Settings]:
    """tau sigma ||K||^2 = 0.99, ||K||^2 = 1 + norm; sigma / tau over four decades."""
    for e in (-5, -4, -6, -3, -7, -8, -2, 0):
        ratio = 10 ** (e / 4)
        scale = (0.99 / (1 + norm)) ** 0.5
        yield {"tau": scale / ratio, "sigma": scale * ratio}


def _two_duals(norm: float) -> Iterator[Settings]:
    """tau (sigma_1 + sigma_2 norm) = 0.99: for the data and for the regulariser."""
    for tau, share in product((8, 4, 14, 2), (0.15, 0.3, 0.5)):
        yield {"tau": float(tau), "sigma": (0.99 * share / tau, 0.99 * (1 - share) / (norm * tau))}


def grid(steps: str, regulariser: str) -> list[Settings]:
    norm = 8.0 if regulariser == "tv" else 1.0
    if steps == "pdhg":
        return list(_pdhg(norm))
    if steps == "pdhg, two duals":
        return list(_two_duals(norm))
    if steps == "admm, bart":
        return [{"rho": r, "inner": n, "warm": True} for r, n in product(BART_RHO, (10, 20, 5))]
    if steps.startswith("admm"):
        return [{"rho": r, "inner": n} for r, n in product(RHO, INNER)]
    return [{}]


def cost(steps: str, settings: Settings) -> float:
    """Applications of A^H A in an iteration, about."""
    if steps == "admm, bart":  # it counts them itself
        return 1.0
    return settings["inner"] + 1.5 if "inner" in settings else 1.0


def promising(problem: Problem, algorithm: Algorithm, show: Callable[[str], None], budget: int = 200) -> list[Settings]:
    """The grid; of a peer that shows no iterates, the two settings that get lowest in a run of that many."""
    settings = grid(algorithm.steps, problem.regulariser)
    if algorithm.candidate(problem, settings[0]).watchable:
        return settings
    gaps = []
    for each in settings:
        gaps.append(problem.judge.gap(algorithm.candidate(problem, each).run(budget)))
        show(f"  {in_words(each)}: gap {gaps[-1]:.2e} after {budget}")
    return [each for _, each in sorted(zip(gaps, settings, strict=True), key=lambda pair: pair[0])[:2]]


def sweep(problem: Problem, algorithm: Algorithm, most: int = 4000, show: Callable[[str], None] = print) -> list:
    """(applications, iterations, settings) for each of GAPS, the least; a setting gives up where it cannot win."""
    best: list = [(float(most), None, None)] * len(GAPS)
    for settings in promising(problem, algorithm, show):
        price = cost(algorithm.steps, settings)
        limits = [best[0][0] * PATIENCE, *(b[0] for b in best[1:])]
        candidate = algorithm.candidate(problem, settings)
        counts = iterations_to(candidate, problem.judge, GAPS, 600, [int(limit / price) for limit in limits])
        show(f"  {in_words(settings)}: {counts}, times {price}")
        for i, n in enumerate(counts):
            if n is not None and n * price < best[i][0]:
                best[i] = (n * price, n, settings)
    return best


def installed(peer: str) -> bool:
    if peer == "bart":
        return available()
    try:
        importlib.import_module(f"cs_{peer}")
    except ImportError:
        return False
    return True


# (case, steps): the best for 1e-3, then that for 1e-4 where it is another; beside it, iterations to both.
# PDHG was swept over 17 ratios for tv8 and 6 around its best elsewhere; ADMM over rho 0.005 to 0.1 and 1 to 10 inner
# steps for tv8, 0.02 and 0.05 elsewhere, 0.01 too for wavelet8; LSQR at rho 0.02 and 0.05 only. BART by the gap after
# 200 to 500 of its iterations, rho 0.002 to 0.05 and 5 to 20 inner; for tv8x8, 0.005 and 0.01 came out alike, and 0.007
# lies between.
BEST: dict[tuple[str, str], list[Settings]] = {
    ("tv8", "pdhg"): [{"tau": 5.9, "sigma": 0.01864}],  # 149, 226
    ("tv8", "pdhg, two duals"): [  # 128, 224
        {"tau": 8.0, "sigma": (0.037125, 0.010828)},
        {"tau": 4.0, "sigma": (0.037125, 0.026297)},
    ],
    ("tv8", "admm"): [{"rho": 0.05, "inner": 5}],  # 41, 65
    ("tv8", "admm, lsqr"): [{"rho": 0.05, "inner": 5}],  # 62 to 1e-3
    ("tv8", "admm, bart"): [{"rho": 0.005, "inner": 10, "warm": True}],  # 205, 402
    ("tv8x8", "pdhg"): [{"tau": 10.49, "sigma": 0.010487}, {"tau": 5.9, "sigma": 0.01864}],  # 304, 545
    ("tv8x8", "pdhg, two duals"): [{"tau": 8.0, "sigma": (0.018562, 0.013148)}],  # 281, 513
    ("tv8x8", "admm"): [{"rho": 0.02, "inner": 10}, {"rho": 0.05, "inner": 10}],  # 44, 93
    ("tv8x8", "admm, bart"): [{"rho": 0.007, "inner": 10, "warm": True}],
    ("tv1", "pdhg"): [{"tau": 10.49, "sigma": 0.010487}],  # 148, 264
    ("tv1", "pdhg, two duals"): [{"tau": 14.0, "sigma": (0.010607, 0.0075134)}],  # 136, 256
    ("tv1", "admm"): [{"rho": 0.02, "inner": 10}, {"rho": 0.02, "inner": 5}],  # 28, 92
    ("tv1", "admm, bart"): [{"rho": 0.003, "inner": 10, "warm": True}],  # 239, 642
    ("wavelet8", "pdhg"): [{"tau": 22.25, "sigma": 0.022247}],  # 116, 210
    ("wavelet8", "pdhg, two duals"): [{"tau": 16.0, "sigma": (0.030937, 0.030937)}],  # 111, 192
    ("wavelet8", "admm"): [{"rho": 0.02, "inner": 5}],  # 57, 113
    ("wavelet8", "fista"): [{}],  # 101, 187; its step is 1, as ||A|| is
}
