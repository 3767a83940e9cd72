"""Linear operators, each with two methods, ``forward`` and ``adjoint``; ``encoding`` composes them."""

from .circulant import circulant
from .coils import Coils
from .condensed import Condensed, condensed
from .encoding import Encoding, encoding
from .fourier import Fourier
from .gradient import Gradient, SymmetricGradient
from .sampling import Sampling
from .wavelet import Wavelet

__all__ = [
    "Coils",
    "Condensed",
    "Encoding",
    "Fourier",
    "Gradient",
    "Sampling",
    "SymmetricGradient",
    "Wavelet",
    "circulant",
    "condensed",
    "encoding",
]
