"""Training: data, loop, checkpoint."""

from .checkpoint import BEST, LAST, load_checkpoint
from .distributed import Group, join_group
from .loop import Trainer
from .models import begin_with, make_network
from .sample import Sample
from .settings import Settings
from .setup import Plan, prepare_data

__all__ = [
    "BEST",
    "LAST",
    "Group",
    "Plan",
    "Sample",
    "Settings",
    "Trainer",
    "begin_with",
    "join_group",
    "load_checkpoint",
    "make_network",
    "prepare_data",
]
