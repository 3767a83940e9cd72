"""Photographs as texture: any picture, grey, of a size to learn from, apart by subfolder."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from kolumn.errors import FormatError
from kolumn.train import Plan, prepare_data
from kolumn.train.images import read_photographs
from kolumn.train.images.photographs import LONGEST


def waves(shape, top=255):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (top * (0.5 + 0.3 * np.sin(y / 5) * np.cos(x / 7))).astype(np.uint8 if top == 255 else np.uint16)


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    (root / "sea" / "deep").mkdir(parents=True)
    Image.fromarray(waves((40, 60))).save(root / "grey.png")
    Image.fromarray(np.stack([waves((50, 30))] * 3, -1)).save(root / "colour.JPG", quality=98)
    Image.fromarray(waves((33, 44), top=60000)).save(root / "sea" / "sixteen.tif")
    Image.fromarray(waves((20, 20))).save(root / "sea" / "deep" / "small.webp", lossless=True)
    (root / "._grey.png").write_bytes(b"left by a Mac")
    (root / "notes.txt").write_text("no picture")
    return root


def test_any_picture_grey_and_by_subfolder(folder):
    slices = read_photographs(folder)
    assert {who: [tuple(v.shape) for v in vs] for who, vs in slices.people.items()} == {
        "colour.JPG": [(1, 50, 30)],
        "grey.png": [(1, 40, 60)],
        "sea": [(1, 20, 20), (1, 33, 44)],
    }
    for name, shape in (("grey.png", (40, 60)), ("colour.JPG", (50, 30)), ("sea", (33, 44))):
        found = slices.people[name][-1][0].float()
        wanted = torch.from_numpy(waves(shape).astype(np.float32))
        assert found.max() == pytest.approx(1, abs=0.01)
        assert float((found - wanted / wanted.max()).abs().mean()) < 0.01
    assert slices.licences == dict.fromkeys(slices.people, "not stated")


@pytest.mark.parametrize("mode", ["L", "RGB", "I;16"])
def test_large_ones_are_made_smaller(tmp_path, mode):
    big = waves((3 * LONGEST, 2 * LONGEST), top=60000 if mode == "I;16" else 255)
    Image.fromarray(np.stack([big] * 3, -1) if mode == "RGB" else big).save(tmp_path / "big.png")
    (image,) = read_photographs(tmp_path).people["big.png"]
    assert image.shape == (1, LONGEST, round(2 / 3 * LONGEST))
    assert image.max() - image.min() > 0.2  # a mean of neighbours, not one in three


def test_trained_on_and_held_out_by_name(folder):
    ready = prepare_data(Plan(images=folder, held_out=("sea",)))
    assert ready.about[1] == "simulated scans of magnitude images of colour.JPG, grey.png in photos"
    assert ready.about[2] == "never sea" and ready.licences == ("not stated",)
    assert set(ready.examinations) == {"families", "people"}
    assert set(ready.examinations["people"].source.source.families["slices"].people) == {"sea"}
    assert torch.isfinite(ready.source[0].target).all()


def test_many_names_are_counted(tmp_path):
    for i in range(23):
        Image.fromarray(waves((16, 16))).save(tmp_path / f"{i:02}.png")
    assert prepare_data(Plan(images=tmp_path)).about[1].endswith("18.png, 19.png and 3 more in " + tmp_path.name)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.txt", b"", "holds no picture but black ones; wanted .jpeg, .jpg, .png"),
        ("a.png", b"hello", "a.png is no picture that can be read"),
        ("a.png", b"", "a.png is empty"),
        ("cut.png", None, "cut.png is a damaged picture"),
    ],
)
def test_what_is_no_picture_gets_one_line(tmp_path, name, content, words):
    if content is None:
        Image.fromarray(waves((60, 60))).save(tmp_path / name)
        content = (tmp_path / name).read_bytes()[:-200]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FormatError, match=words) as error:
        read_photographs(tmp_path)
    assert "\n" not in str(error.value)


def test_black_pictures_are_left_out(tmp_path):
    for name, picture in (("night.png", 0 * waves((20, 20))), ("day.png", waves((20, 20)))):
        Image.fromarray(picture).save(tmp_path / name)
    assert set(read_photographs(tmp_path).people) == {"day.png"}
    (tmp_path / "day.png").unlink()
    with pytest.raises(FormatError, match="no picture but black ones"):
        read_photographs(tmp_path)


def test_a_picture_too_large_to_be_true_is_refused(tmp_path, monkeypatch):
    Image.fromarray(waves((60, 60))).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(read_photographs(tmp_path).people) == 1
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(FormatError, match="no picture that can be read"):
        read_photographs(tmp_path)
