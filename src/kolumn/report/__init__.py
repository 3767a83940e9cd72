"""From a comparison to a table, a figure, a page and the record of the run."""

from .compare import Comparison, Result, compare, fully_sampled, undersampled
from .files import save_report

__all__ = ["Comparison", "Result", "compare", "fully_sampled", "save_report", "undersampled"]
