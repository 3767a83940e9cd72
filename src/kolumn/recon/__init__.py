"""Reconstruction: one file per method, and the table of methods."""

from .compressed import CompressedSensing
from .front import METHODS, Reconstructor, choose_method, make_method, method_class, reconstruct
from .grappa import Grappa
from .learned_cs import LearnedCompressedSensing
from .llr import LocallyLowRank
from .sense import Sense
from .solution import Iterative, Progress, Solution
from .tgv import TotalGeneralizedVariation
from .tv import TotalVariation
from .unet import LearnedUNet
from .unrolled import LearnedUnrolled
from .wavelet import WaveletSparse
from .zero_filled import ZeroFilled

__all__ = [
    "METHODS",
    "CompressedSensing",
    "Grappa",
    "Iterative",
    "LearnedCompressedSensing",
    "LearnedUNet",
    "LearnedUnrolled",
    "LocallyLowRank",
    "Progress",
    "Reconstructor",
    "Sense",
    "Solution",
    "TotalGeneralizedVariation",
    "TotalVariation",
    "WaveletSparse",
    "ZeroFilled",
    "choose_method",
    "make_method",
    "method_class",
    "reconstruct",
]
