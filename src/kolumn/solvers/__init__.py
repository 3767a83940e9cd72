"""Algorithms that know neither MRI nor operators, only callables; each is a generator of its iterates."""

from .conjugate_gradients import Iterate, conjugate_gradients

__all__ = ["Iterate", "conjugate_gradients"]
