"""Training: data, loop, checkpoint."""

from .checkpoint import BEST, LAST, load_checkpoint
from .distributed import Group, join_group
from .loop import Trainer
from .models import begin_with, has_much_to_learn, make_network
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
    "has_much_to_learn",
    "join_group",
    "load_checkpoint",
    "make_network",
    "prepare_data",
]
