"""Linear operators, each with two methods, ``forward`` and ``adjoint``; ``encoding`` composes them."""

from .coils import Coils
from .encoding import Encoding, encoding
from .fourier import Fourier
from .sampling import Sampling

__all__ = ["Coils", "Encoding", "Fourier", "Sampling", "encoding"]
