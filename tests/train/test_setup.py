"""From what a user points at to data: who is held out is never trained on."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tiny import write_volumes

from kolumn.errors import ArgumentError
from kolumn.io import write_kspace
from kolumn.phantoms import phantom
from kolumn.train import Plan, prepare_data
from kolumn.train.images import FAMILIES, HELD_OUT
from kolumn.train.loader import Mixed
from kolumn.train.setup import Kept

PEOPLE = {"ann": 1, "bob": 2, "eve": 1, "joe": 1}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    top = tmp_path_factory.mktemp("place")
    write_volumes(top / "people.h5", PEOPLE)
    for folder, whom in (("training", ("ann", "bob", "zoe")), ("validation", ("bob", "kim"))):
        (top / folder).mkdir()
        for who in whom:
            scan = phantom(shape=(32, 32), n_coils=2, seed=len(who))[0]
            scan = replace(scan, noise=None, geometry=None)
            write_kspace(top / folder / f"{who}_{folder}.h5", scan, attributes={"patient_id": who})
    return top


def drawn(source, count=60):
    """Names of the people whose magnitudes a source of simulated scans draws from, and of the files of raw ones."""
    simulated, recorded = source.sources if isinstance(source, Mixed) else (source, None)
    people = set(simulated.families["slices"].people) if "slices" in simulated.families else set()
    return people, {path.name for path in recorded.files} if recorded else set()


def test_nothing_is_needed():
    data = prepare_data(Plan(batch_size=2, seed=4))
    assert (data.source.families, data.source.batch_size, data.source.seed) == (FAMILIES, 2, 4)
    assert set(data.examinations) == {"families"} and data.notes == [] and data.licences == ()
    families = data.examinations["families"].source.source
    assert families.families == HELD_OUT and families.seed != 4


def test_who_is_held_out_is_not_trained_on(place):
    plan = Plan(place / "people.h5", place / "training", place / "validation", ("eve",))
    data = prepare_data(plan)
    people, files = drawn(data.source)
    assert people == {"ann", "joe"}  # eve is held out, and of bob there is a scan to validate on
    assert files == {"ann_training.h5", "zoe_training.h5"}
    assert set(data.examinations) == {"families", "people", "scans"}
    assert set(data.examinations["people"].source.source.families["slices"].people) == {"bob", "eve"}
    scans = {path.name for path in data.examinations["scans"].source.source.files}
    assert scans == {"bob_validation.h5", "kim_validation.h5"}
    text = " / ".join(data.about)
    assert "of ann, joe in people.h5" in text and "raw k-space of ann, zoe" in text and "never bob, eve, kim" in text


def test_a_held_out_persons_pixels_never_come(tmp_path):
    """By the pixels themselves: each person's slices are of one constant, and all draws are looked at."""
    write_volumes(tmp_path / "people.h5", {"ann": 1, "bob": 2, "eve": 1})
    data = prepare_data(Plan(tmp_path / "people.h5", held_out=("bob",)))
    training, apart = data.source.families["slices"], data.examinations["people"].source.source.families["slices"]
    values = {"ann": 0.25, "bob": 0.5, "eve": 0.75}
    for slices in (training, apart):
        for who, volumes in slices.people.items():
            for volume in volumes:
                volume.fill_(values[who])
    g = torch.Generator().manual_seed(0)
    assert {round(float(training((30, 30), g).max()), 2) for _ in range(60)} == {0.25, 0.75}
    assert {round(float(apart((30, 30), g).max()), 2) for _ in range(20)} == {0.5}


def test_a_network_that_knows_nothing_begins_with_small_images(place):
    for data in (None, place / "training"):
        new, known = (prepare_data(Plan(data=data, new=new)) for new in (True, False))
        small = [(d.source.sources[0] if data else d.source).small for d in (new, known)]
        assert small == [6000, 0]
    assert all(e.source.source.small == 0 for e in new.examinations.values())


def test_raw_scans_are_a_part_of_the_batches(place):
    data = prepare_data(Plan(data=place / "training", batch_size=1))
    sizes = [data.source[i].target.shape[-1] for i in range(40)]
    assert 4 <= sum(n == 32 for n in sizes) <= 20


def test_sources_have_the_plans_seed_and_those_to_validate_on_another(place):
    plan = Plan(place / "people.h5", place / "training", place / "validation", ("eve",), batch_size=2, seed=4)
    data = prepare_data(plan)
    simulated, recorded = data.source.sources
    assert {data.source.seed, simulated.seed, recorded.seed} == {4}
    assert simulated.batch_size == recorded.batch_size == 2
    assert data.source.weights == (0.7, 0.3) and simulated.weights == {"slices": 6.0}
    apart = {examination.source.source.seed for examination in data.examinations.values()}
    assert len(data.examinations) == 3 and len(apart) == 1 and 4 not in apart


def test_licences_are_those_of_who_is_trained_on(tmp_path):
    import h5py

    path = write_volumes(tmp_path / "people.h5", {"ann": 1, "eve": 1})
    with h5py.File(path, "a") as file:
        file["eve_0"].attrs["licence"] = "MIT"
    assert prepare_data(Plan(path)).licences == ("CC0-1.0", "MIT")
    assert prepare_data(Plan(path, held_out=("eve",))).licences == ("CC0-1.0",)


@pytest.mark.parametrize(
    ("held_out", "says"),
    [
        (("max",), "'max' is held out and in none of the data, which are of ann, bob, eve, joe"),
        (tuple(PEOPLE), "everyone in .*people.h5 is held out: ann, bob, eve, joe"),
    ],
)
def test_people_that_cannot_be_held_out(place, held_out, says):
    with pytest.raises(ArgumentError, match=says):
        prepare_data(Plan(place / "people.h5", held_out=held_out))


def test_nobody_left_with_raw_data(place):
    with pytest.raises(ArgumentError, match="training is held out: ann, bob, zoe"):
        prepare_data(Plan(data=place / "training", held_out=("ann", "bob", "zoe")))


def test_validation_is_made_once():
    made = []

    class Source:
        def __getitem__(self, i):
            made.append(i)
            return object()

    kept = Kept(Source())
    assert kept[2] is kept[2] and kept[1] is not kept[2] and made == [2, 1]
