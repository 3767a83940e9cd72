"""The linear map: inverse FFT of what was sampled."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..acquisition import Acquisition
from ..coils import linear_image
from ..fourier import ifft2
from ..operators import encoding
from .sets import join_sets


@dataclass(frozen=True)
class ZeroFilled:
    """x = A^H y with maps; without, the root sum of squares of the coil images; F^H y for one coil.

    Milliseconds, no assumptions, and all of the aliasing: the baseline that everything else has to beat. Magnitude
    only (zero phase) where several coils are joined without maps.

    Reference: The NMR phased array, Roemer et al., 1990, doi:10.1002/mrm.1910160203.
    """

    def __call__(self, acquisition: Acquisition, /) -> Tensor:
        """Acquisition to complex image (*batch, y, x)."""
        k = acquisition.kspace
        if acquisition.maps is not None:
            return join_sets(encoding(acquisition).adjoint(k))
        if acquisition.n_coils == 1:
            return ifft2(k.squeeze(-3))
        return linear_image(k).to(k.dtype)
