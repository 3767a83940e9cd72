"""Compiled kernels, where a compiler was at hand when kolumn was installed; nothing needs them.

``hatch_build.py`` compiles the C files here when the package is built or installed, and is silent where that fails.
"""

from .denoiser import NativeDenoiser, native_denoiser
from .eigen import native_eigenvectors
from .library import library
from .tv import NativeTV, native_tv
from .wavelet import native_wavelet

__all__ = [
    "NativeDenoiser",
    "NativeTV",
    "library",
    "native_denoiser",
    "native_eigenvectors",
    "native_tv",
    "native_wavelet",
]
