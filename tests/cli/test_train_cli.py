"""``kolumn train``: what it writes, that its weights can be used, and what it says where something is wrong."""

from __future__ import annotations

import csv
import json

import pytest
import torch
from kolumn_runs import bad, good, scan_of
from safetensors.torch import load_file

import kolumn.train.setup as train_setup
from kolumn.errors import OutsideTraining
from kolumn.recon.unrolled import LearnedUnrolled
from kolumn.recon.weights import NETWORKS
from kolumn.train import LAST, begin_with, load_checkpoint, prepare_data
from kolumn.train.simulated import Simulated

TINY = ["--option", "n_cascades=1", "--option", "channels=2", "--option", "levels=1", "--workers", "0", "--bf16", "no"]


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Small images, and few of them."""
    monkeypatch.setattr(train_setup, "_COUNT", 2)
    monkeypatch.setattr(
        train_setup, "Simulated", lambda *a, **k: Simulated(*a, **k, sizes=(32, 48), coils={1: 1, 3: 1})
    )
    monkeypatch.chdir(tmp_path)


def rows(folder):
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_train_go_on_and_reconstruct(small, tmp_path, capsys):
    words = ["train", "unrolled", "-o", "out", "--batch-size", 2, "--seed", 3, *TINY]
    said = good(capsys, *words, "--steps", 2).err
    assert "step 2, loss 0." in said and "families psnr" in said and "images/s" in said
    out = tmp_path / "out"
    assert {p.name for p in out.iterdir()} == {"last.pt", "best.pt", "log.csv", "weights.safetensors", "weights.json"}
    good(capsys, *words, "--steps", 4, "--resume")
    assert [row["step"] for row in rows(out)] == ["2", "4"]
    state = load_checkpoint(out / LAST)
    assert state["step"] == 4
    assert state["description"] == {
        "method": "unrolled",
        "weights": None,
        "options": {
            "n_cascades": 1,
            "channels": 2,
            "levels": 1,
            "n_steps": 12,
            "n_last": 2,
            "n_start": 5,
            "n_again": 2,
        },
        "seed": 3,
        "batch_size": 2,
        "data": ["simulated scans of procedural images: leaves, layers, lines"],
    }
    with pytest.warns(OutsideTraining, match="4 coils"):
        image = LearnedUnrolled(weights=str(out / "weights.safetensors"))(scan_of())
    assert image.shape == (1, 48, 40) and torch.isfinite(torch.view_as_real(image)).all()


def test_weights_to_go_on_from(small, tmp_path, capsys):
    good(capsys, "train", "unrolled", "-o", "first", "--steps", 2, "--seed", 5, *TINY)
    words = ["train", "unrolled", "-o", "second", "--workers", "0", "--bf16", "no", "--lr", "1e-12"]
    begin = ["--weights", "first/weights.safetensors"]
    card = tmp_path / "first" / "weights.json"
    card.write_text(json.dumps(json.loads(card.read_text()) | {"limits": ["heads alone"]}))
    good(capsys, *words, *begin, "--steps", 1)
    first, second = (load_file(tmp_path / name / "weights.safetensors") for name in ("first", "second"))
    assert first.keys() == second.keys() and all(torch.equal(x, second[key]) for key, x in first.items())
    first, second = (json.loads((tmp_path / name / "weights.json").read_text()) for name in ("first", "second"))
    assert second["limits"] == ["before: heads alone"]
    assert second["data"] == [f"before: {first['data'][0]}", *first["data"]]
    good(capsys, *words, *begin, "--steps", 2, "--resume")
    assert "was trained with weights 'first/weights.safetensors'" in bad(capsys, *words, "--steps", 3, "--resume")
    assert "holds weights for 'unrolled'" in bad(capsys, "train", "unet", "-o", "x", "--steps", 1, *begin)
    assert "--option levels is for a new network" in bad(capsys, *words[:3], "x", "--steps", 1, *begin, *TINY[4:6])
    assert not (tmp_path / "x").exists()


def test_a_network_of_many_numbers_that_knows_nothing_begins_with_small_images(small, monkeypatch, capsys):
    plans = []
    monkeypatch.setattr("kolumn.train.prepare_data", lambda plan: plans.append(plan) or prepare_data(plan))
    few = ["unrolled", "--option", "n_cascades=1", "--option", "channels=8"]
    for words in (few, ["learned-cs"], ["unrolled", "--weights", "shipped"]):
        good(capsys, "train", *words, "-o", words[0] + str(len(words)), "--steps", 1, "--workers", 0)
    assert [plan.new for plan in plans] == [True, False, False]


@pytest.mark.parametrize("name", NETWORKS)
def test_the_weights_of_the_package_can_be_trained(name):
    network, card = begin_with(name, "shipped")
    assert network.training and all(p.requires_grad for p in network.parameters())
    assert card.network == name


def test_seed_is_that_of_weights_and_data(small, tmp_path, capsys):
    models = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        good(capsys, "train", "unrolled", "-o", name, "--steps", 1, "--seed", seed, *TINY)
        models.append(load_checkpoint(tmp_path / name / LAST)["model"])
    same = [all(torch.equal(x, models[0][k]) for k, x in model.items()) for model in models]
    assert same == [True, True, False]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["unroled", "--steps", "2"], "no network 'unroled' to train"),
        (["unrolled"], "give either steps or minutes"),
        (["unrolled", "--steps", "2", "--minutes", "1"], "give either steps or minutes"),
        (["unrolled", "--steps", "0"], "steps is 0"),
        (["unrolled", "--steps", "2", "--lr", "-1"], "lr is -1"),
        (["unrolled", "--steps", "2", "--rule", "adamm"], "adamm"),
        (["unrolled", "--steps", "2", "--workers", "-1"], "workers is -1"),
        (["unrolled", "--steps", "2", "--batch-size", "0"], "batch_size is 0"),
        (["unrolled", "--steps", "2", "--seed", "-1"], "seed is -1"),
        (["unrolled", "--steps", "2", "--bf16", "perhaps"], "--bf16 is 'perhaps'; wanted auto, yes or no"),
        (["unrolled", "--steps", "2", "--option", "n_cascades"], "wanted NAME=VALUE"),
        (["unrolled", "--steps", "2", "--option", "n_cascades=x"], "--option n_cascades is 'x'; wanted int"),
        (["unrolled", "--steps", "2", "--option", "width=3"], "no option 'width'"),
        (["unrolled", "--steps", "2", "--option", "channels=0"], "channels is 0"),
        (["unrolled", "--steps", "2", "--images", "no.h5"], "no.h5 does not exist"),
        (["unrolled", "--steps", "2", "--data", "no"], "no is no folder"),
        (["unrolled", "--steps", "2", "--hold-out", "ann, bob"], "'ann' is held out and in none of the data"),
        (["unrolled", "--steps", "2", "--resume"], "does not exist; there is no checkpoint to go on from"),
        (["unrolled", "--steps", "2", "--device", "cuda:7"], "device 'cuda:7' cannot be used here"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(words, says, small, tmp_path, capsys):
    assert says in bad(capsys, "train", *words, "-o", "out")
    assert not list(tmp_path.iterdir())


def test_folders_that_will_not_do(small, tmp_path, capsys):
    (tmp_path / "file").write_text("x")
    assert "file is a file" in bad(capsys, "train", "unrolled", "--steps", 1, "-o", "file")
    assert "the folder no does not exist" in bad(capsys, "train", "unrolled", "--steps", 1, "-o", "no/out")
    good(capsys, "train", "unrolled", "-o", "out", "--steps", 1, *TINY)
    assert "out holds a training already" in bad(capsys, "train", "unrolled", "-o", "out", "--steps", 1, *TINY)
    good(capsys, "train", "unrolled", "-o", "out", "--steps", 2, "--overwrite", *TINY)
    assert load_checkpoint(tmp_path / "out" / LAST)["step"] == 2


def test_a_damaged_checkpoint_gives_one_line(small, tmp_path, capsys):
    words = ["train", "unrolled", "-o", "out", "--steps", 1, *TINY]
    good(capsys, *words)
    path = tmp_path / "out" / LAST
    path.write_bytes(path.read_bytes()[:3000])
    assert "last.pt is damaged" in bad(capsys, *words, "--resume")
    good(capsys, *words[:-1], "no", "--overwrite")


def test_other_data_are_not_gone_on_with(small, tmp_path, capsys):
    good(capsys, "train", "unrolled", "-o", "out", "--steps", 1, *TINY)
    line = bad(capsys, "train", "unrolled", "-o", "out", "--steps", 2, "--seed", 1, "--resume", *TINY)
    assert "trained with seed 0 and now it is 1" in line
