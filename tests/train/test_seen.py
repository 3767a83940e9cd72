"""The ranges of a model card are those of what was trained on, but for the rarest."""

from __future__ import annotations

from dataclasses import replace

import torch
from tiny import Batches

from kolumn.recon.card import MEASURES, measure
from kolumn.train.seen import Seen


def test_every_entry_of_every_batch_counts():
    seen = Seen()
    batches = [Batches()[i].acquisition for i in range(3)]
    for batch in batches:
        seen.add(batch)
    wanted = [value for batch in batches for value in measure(batch)["noise"]]
    assert len(wanted) == 9 and seen.values["noise"] == wanted
    assert set(seen.ranges()) == set(MEASURES)
    assert seen.ranges()["noise"] == (min(wanted), max(wanted))


def test_the_rarest_half_percent_at_either_end_does_not_count():
    values = torch.randperm(1001, generator=torch.Generator().manual_seed(0)).tolist()
    found = Seen({"noise": values, "coils": [1] * 30 + [16] * 4, "acceleration": [7.0]}).ranges()
    assert found == {"noise": (5, 995), "coils": (1, 16), "acceleration": (7, 7)}


def test_the_latest_are_kept():
    seen = Seen({"coils": [5] * 20_000, **{name: [] for name in MEASURES if name != "coils"}})
    for _ in range(4):
        seen.add(Batches()[0].acquisition)
    assert seen.values["coils"] == [5] * 19_988 + [1] * 12


def test_a_blank_entry_has_no_say():
    acquisition = Batches()[0].acquisition
    k = acquisition.kspace.clone()
    k[1] = 0
    seen = Seen()
    seen.add(replace(acquisition, kspace=k))
    assert [len(values) for values in seen.values.values()] == [2] * len(MEASURES)
    assert Seen().ranges() == {}
