"""The update rules by name."""

from __future__ import annotations

from .adam import ADAM
from .adamw import ADAMW
from .amsgrad import AMSGRAD
from .lamb import LAMB
from .muon import MUON
from .rmsprop import RMSPROP
from .rule import Rule
from .schedule_free import SCHEDULE_FREE_ADAMW, SCHEDULE_FREE_SGD
from .sgd import SGD

RULES: dict[str, Rule] = {
    "sgd": SGD,
    "rmsprop": RMSPROP,
    "adam": ADAM,
    "adamw": ADAMW,
    "amsgrad": AMSGRAD,
    "schedule-free-sgd": SCHEDULE_FREE_SGD,
    "schedule-free-adamw": SCHEDULE_FREE_ADAMW,
    "lamb": LAMB,
    "muon": MUON,
}
