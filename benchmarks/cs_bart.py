"""Debian's ``bart pics`` as a peer.

Its total variation (``-R T:3:0:lambda``) is isotropic with complex modulus and periodic, but of backward differences
(src/num/flpmath.c, md_zfdiff_core2), so it gets the data reversed about the centre, which makes them forward. With
``-w 1`` it solves 1/2 ||A x - y||^2 + lambda R(x) as it stands. ``-i`` counts applications of A^H A, over all inner
conjugate gradients, and is what is counted here. It tells no iterates: every count is a run from the start. Its
primal-dual algorithm (``-a``) takes no gradient (an assertion fails), and its wavelets are haar, dau2 and cdf44 only.
"""

from __future__ import annotations

import atexit
import tempfile
from pathlib import Path

import torch
from bart import bart, read_maps, write
from cs_candidate import Candidate
from cs_problem import Problem
from cs_sigpy import reverse

MEMORY = Path("/dev/shm")


class Bart:
    def __init__(self, problem: Problem) -> None:
        self.folder = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        atexit.register(self.folder.cleanup)
        self.path = Path(self.folder.name)
        self.shape = tuple(problem.kspace.shape[-2:])
        self.lam = problem.lam
        self._write("", problem.kspace, problem.maps)
        self._write("tiny", problem.kspace[..., :16, 152:168], problem.maps[..., :16, :16])
        start = torch.from_numpy(reverse(problem.start.numpy()))
        write(self.path / "start", start[None])

    def _write(self, tag: str, kspace: torch.Tensor, maps: torch.Tensor) -> None:
        write(self.path / f"k{tag}", torch.from_numpy(reverse(kspace.numpy())))
        write(self.path / f"s{tag}", torch.from_numpy(reverse(maps.numpy())))

    def pics(self, n: int, tag: str = "", *, rho: float | None = None, inner: int | None = None, warm: bool = False):
        words = ["pics", "-S", "-w", "1", "-i", str(n), "-R", f"T:3:0:{self.lam:.9g}"]
        words += ["-u", f"{rho:.9g}"] if rho else []
        words += ["-C", str(inner)] if inner else []
        words += ["-W", str(self.path / "start")] if warm else []
        bart(*words, *(str(self.path / f"{name}{tag}") for name in ("k", "s", "x")))

    def candidate(self, label: str, **settings) -> Candidate:
        def run(n: int) -> torch.Tensor:
            self.pics(n, **settings)
            image = read_maps(self.path / "x", (1, *self.shape))[0]
            return torch.from_numpy(reverse(image.numpy()))

        idle = {k: v for k, v in settings.items() if k != "warm"}
        return Candidate("BART ADMM", label, run, watchable=False, idle=lambda: self.pics(1, "tiny", **idle))
