"""Magnitude slices of people as texture: kept apart by person."""

from __future__ import annotations

import pytest
import torch
from tiny import write_volumes

from kolumn.errors import ArgumentError, FormatError
from kolumn.train.images import Slices, read_slices

PEOPLE = {"ann": 2, "bob": 1, "eve": 3}


@pytest.fixture
def file(tmp_path):
    return write_volumes(tmp_path / "people.h5", PEOPLE)


def test_volumes_by_person(file):
    slices = read_slices(file)
    assert {who: len(v) for who, v in slices.people.items()} == PEOPLE
    assert slices.licences == dict.fromkeys(PEOPLE, "CC0-1.0")
    for volume in slices.people["eve"]:
        assert volume.dtype == torch.float16
        assert (volume.flatten(1).float().quantile(0.999, dim=1) - 1).abs().max() < 1e-3


def test_without_and_only(file):
    slices = read_slices(file)
    assert set(slices.without(["bob"]).people) == {"ann", "eve"}
    assert set(slices.without(["bob"]).licences) == {"ann", "eve"}
    assert set(slices.only(["bob", "eve"]).people) == {"bob", "eve"}
    with pytest.raises(ArgumentError, match="no person 'joe'"):
        slices.without(["joe"])
    with pytest.raises(ArgumentError, match="leaves nobody"):
        slices.without(list(PEOPLE))


@pytest.mark.parametrize("shape", [(24, 30), (40, 36), (64, 50), (16, 90)])
def test_any_shape_comes_out(file, shape):
    slices = read_slices(file)
    images = [slices(shape, torch.Generator().manual_seed(i)) for i in range(12)]
    for image in images:
        assert image.shape == shape and image.dtype == torch.float32 and torch.isfinite(image).all()
        assert image.min() >= 0 and 0.02 < image.max() < 1.2
    assert len({float(i.sum()) for i in images}) >= 9  # a slice may be drawn twice
    assert torch.equal(slices(shape, torch.Generator().manual_seed(5)), images[5])


def test_every_person_is_drawn(file):
    slices = read_slices(file)
    marked = type(slices)(
        {who: [torch.full_like(v, i + 1.0) for v in vs] for i, (who, vs) in enumerate(slices.people.items())}
    )
    g = torch.Generator().manual_seed(0)
    assert {round(float(marked((20, 20), g).max())) for _ in range(40)} == {1, 2, 3}


def test_half_of_the_large_ones_are_cropped_anywhere_and_the_others_come_whole():
    """By pixels that tell where they are from."""
    ramp = torch.arange(40.0)[:, None] * 36 + torch.arange(36.0) + 1
    slices, g, shape = Slices({"ann": [ramp[None]]}), torch.Generator().manual_seed(0), (20, 18)
    corners = []
    for _ in range(60):
        image = slices(shape, g)
        y, x = divmod(int(image[0, 0]) - 1, 36)
        if torch.equal(image, ramp[y : y + 20, x : x + 18]):
            corners.append((y, x))
    assert 18 <= len(corners) <= 42
    for axis, end in ((0, 20), (1, 18)):
        places = [corner[axis] for corner in corners]
        assert min(places) <= 3 and max(places) >= end - 3
    for _ in range(20):  # 36 columns become 25 to 34, of which 30 are seen, and 40 rows as many for each column
        image = slices((90, 30), g)
        rows, columns = (int((image.amax(dim) > 0).sum()) for dim in (1, 0))
        assert 28 <= rows <= 39 and 25 <= columns <= 30
        assert abs(rows / 40 - columns / 36) < 0.03 or columns == 30


def test_every_slice_is_drawn_and_as_bright_as_any(tmp_path):
    import h5py
    import numpy as np

    with h5py.File(tmp_path / "people.h5", "w") as file:
        file["ann"] = np.stack([np.full((20, 20), value) for value in (1.0, 100.0, 1e4)])
    (volume,) = read_slices(tmp_path / "people.h5").people["ann"]
    assert torch.equal(volume, torch.ones(3, 20, 20, dtype=torch.float16))
    marked, g = Slices({"ann": [torch.tensor([1.0, 2.0, 3.0])[:, None, None].expand(3, 20, 20)]}), torch.Generator()
    assert {round(float(marked((20, 20), g.manual_seed(i)).max())) for i in range(30)} == {1, 2, 3}


def test_slices_of_zeros_are_left_out(tmp_path):
    import h5py
    import numpy as np

    with h5py.File(tmp_path / "people.h5", "w") as file:
        file["ann"] = np.stack([np.full((20, 20), value) for value in (0.0, 5.0, 0.0)])
        file["bob"] = np.zeros((3, 20, 20))
    slices = read_slices(tmp_path / "people.h5")
    assert {who: [len(v) for v in vs] for who, vs in slices.people.items()} == {"ann": [1]}
    with h5py.File(tmp_path / "people.h5", "a") as file:
        del file["ann"]
    with pytest.raises(FormatError, match="holds no dataset with anything in it"):
        read_slices(tmp_path / "people.h5")


def test_a_part_is_never_air():
    """One bright corner, which most parts of that size miss; the whole comes in their place."""
    image = torch.full((64, 64), 0.01)
    image[:16, :16] = 1.0
    slices, g = Slices({"ann": [image[None]]}), torch.Generator().manual_seed(0)
    images = [slices((20, 20), g) for _ in range(60)]
    assert all(i.max() > 0.5 for i in images)
    parts = [image[y : y + 20, x : x + 20] for y in range(16) for x in range(16)]
    assert 1 <= sum(any(torch.equal(i, part) for part in parts) for i in images) <= 15


def test_files_that_are_none(tmp_path):
    import h5py

    with pytest.raises(FormatError, match="does not exist"):
        read_slices(tmp_path / "no.h5")
    (tmp_path / "text.h5").write_text("no")
    with pytest.raises(FormatError, match="cannot be read as HDF5"):
        read_slices(tmp_path / "text.h5")
    with h5py.File(tmp_path / "flat.h5", "w") as f:
        f["a"] = torch.ones(3, 4).numpy()
    with pytest.raises(FormatError, match="a is no volume"):
        read_slices(tmp_path / "flat.h5")
    with h5py.File(tmp_path / "bare.h5", "w"):
        pass
    with pytest.raises(FormatError, match="holds no dataset"):
        read_slices(tmp_path / "bare.h5")
