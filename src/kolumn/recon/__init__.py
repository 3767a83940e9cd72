"""Reconstruction: one file per method, and the table of methods."""

from .front import METHODS, Reconstructor, choose_method, make_method, method_class, reconstruct
from .grappa import Grappa
from .sense import Sense
from .zero_filled import ZeroFilled

__all__ = [
    "METHODS",
    "Grappa",
    "Reconstructor",
    "Sense",
    "ZeroFilled",
    "choose_method",
    "make_method",
    "method_class",
    "reconstruct",
]
