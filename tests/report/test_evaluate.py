"""Which files count, which masks, and that each record is what `kolumn compare` says."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kolumn.acquisition import Acquisition
from kolumn.errors import ArgumentError, CalibrationError, FormatError, OutputError
from kolumn.io import open_scan, write_kspace
from kolumn.masks import make_mask
from kolumn.metrics import METRICS
from kolumn.phantoms import phantom
from kolumn.recon import METHODS, ZeroFilled
from kolumn.report import compare, undersampled
from kolumn.report.evaluate import Settings, evaluate, plan
from kolumn.report.evaluate_files import content_hash, find_sources
from kolumn.report.evaluate_records import NAME, resume_records, start_records
from kolumn.report.evaluate_table import notes_of

QUICK = {"methods": ("zero-filled", "sense"), "levels": ((2.0, 0.25),), "seeds": 2}


def head(shape=(30, 40), seed=1, scale=1.0, n_slices=1) -> Acquisition:
    acquisition = phantom(shape=shape, n_coils=3, n_slices=n_slices, snr=200.0, seed=seed)[0]
    acquisition.kspace.mul_(scale)
    return acquisition


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two scans, unlike in size, brightness and number of slices, and what is not one."""
    path = tmp_path_factory.mktemp("scans")
    (path / "deep").mkdir()
    write_kspace(path / "b.h5", head())
    write_kspace(path / "deep" / "a.cfl", head((33, 45), 2, 30.0, n_slices=3))
    samples = make_mask("equispaced", (30, 40), 2, 0.25).samples
    write_kspace(path / "under.npy", undersampled(head(), samples))
    (path / "README.md").write_text("what this is")
    (path / "empty.h5").touch()
    return path


def ready(folder, **choices):
    settings = Settings(**{**QUICK, **choices})
    sources, left = find_sources(folder, settings.whitening)
    cases, notes = plan(sources, settings)
    return settings, cases, [*left, *notes]


def plain(records):
    """Without the times."""
    return [
        {**r, "methods": {n: {k: v for k, v in m.items() if k != "seconds"} for n, m in r["methods"].items()}}
        for r in records
    ]


def test_files_that_count_and_why_others_do_not(folder):
    sources, left = find_sources(folder)
    assert [(s.name, s.shape, s.n_slices) for s in sources] == [("b.h5", (30, 40), 1), ("deep/a.cfl", (33, 45), 3)]
    assert left == [
        "README.md is left out: it is in no format that kolumn reads",
        "empty.h5 is left out: it is empty (0 bytes)",
        "under.npy is left out: it is itself undersampled (62% of it is there), without a full reference",
    ]


def test_files_to_skip_get_no_note(folder):
    _, left = find_sources(folder, skip=[folder / "deep" / ".." / "README.md", folder / "empty.h5"])
    assert [note.split()[0] for note in left] == ["under.npy"]
    assert find_sources(folder, skip=[folder / "b.h5"])[0][0].name == "deep/a.cfl"


def test_a_single_file(folder):
    sources, left = find_sources(folder / "deep" / "a.cfl")
    assert [s.name for s in sources] == ["a.cfl"] and left == []
    with pytest.raises(ArgumentError, match=r"under\.npy is itself undersampled"):
        find_sources(folder / "under.npy")
    with pytest.raises(FormatError, match="no format"):
        find_sources(folder / "README.md")
    with pytest.raises(FormatError, match="does not exist"):
        find_sources(folder / "nosuch.h5")


def test_no_file_is_left(folder, tmp_path):
    with pytest.raises(ArgumentError, match="holds no fully sampled k-space; it is empty"):
        find_sources(tmp_path)
    (tmp_path / "a.txt").write_text("words")
    with pytest.raises(ArgumentError, match=r"holds no fully sampled k-space; a\.txt is left out: it is in no format"):
        find_sources(tmp_path)
    with pytest.raises(ArgumentError, match=r"b\.h5 is left out: the file holds no noise scan; .*; and 2 more$"):
        find_sources(folder, whitening="scan")


def test_a_case_for_each_mask_on_each_file(folder):
    _, cases, _ = ready(folder, masks=("random", "gaussian"), levels=((2.0, 0.25), (4.0, 0.04)), seeds=3)
    expected = [
        (name, kind, *level, seed)
        for name in ("b.h5", "deep/a.cfl")
        for kind in ("random", "gaussian")
        for level in ((2.0, 0.25), (4.0, 0.04))
        for seed in range(3)
    ]
    assert [case.key for case in cases] == expected
    for case in cases[::5]:
        mask = make_mask(*case[1:2], case.source.shape, *case[2:])
        assert torch.equal(case.mask().samples, mask.samples) and case.mask().to_dict() == mask.to_dict()


def test_a_mask_counts_once(folder, tmp_path):
    """Where a seed changes nothing, n must not grow with the seeds, nor the spread shrink."""
    np.save(tmp_path / "mine.npy", np.arange(40) % 2)
    one = folder / "b.h5"
    for kind, levels in (("full", 1), ("fastmri-random", 2), (str(tmp_path / "mine.npy"), 1)):
        _, cases, notes = ready(one, masks=(kind,), levels=((2.0, 0.25), (3.0, 0.25)), seeds=4)
        assert len(cases) == levels, kind
        assert len(notes) == levels and "among 4 seeds: 1; each counts once" in notes[0]
        expected = make_mask(kind, (30, 40), 2.0, 0.25, 0, "b.h5")
        assert cases[0].mask().to_dict() == expected.to_dict()
        assert torch.equal(cases[0].mask().samples, expected.samples)
    _, cases, notes = ready(one, masks=("equispaced",), seeds=9)
    samples = [case.mask().samples.numpy().tobytes() for case in cases]
    every = {make_mask("equispaced", (30, 40), 2.0, 0.25, seed).samples.numpy().tobytes() for seed in range(9)}
    assert len(samples) == len(set(samples)) == len(every) == 2
    assert notes == ["equispaced 2x, center 0.25: different masks of a file among 9 seeds: 2; each counts once"]


def test_a_mask_that_fits_some_files_only(folder, tmp_path):
    np.save(tmp_path / "mine.npy", np.arange(45) % 2)
    kind = str(tmp_path / "mine.npy")
    _, cases, notes = ready(folder, masks=(kind, "random"), seeds=1)
    assert [case.source.name for case in cases] == ["b.h5", "deep/a.cfl", "deep/a.cfl"]
    assert any(n.startswith(f"b.h5 left out of {kind}: mask ") and "45 columns" in n for n in notes)
    with pytest.raises(ArgumentError, match="45 columns"):
        ready(folder / "b.h5", masks=(kind,))
    with pytest.raises(ArgumentError, match="acceleration 99 leaves none"):
        ready(folder, levels=((2.0, 0.25), (99.0, 0.0)))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"methods": ()}, "no methods to evaluate"),
        ({"masks": ()}, "no masks to evaluate"),
        ({"levels": ()}, "no accelerations to evaluate"),
        ({"methods": ("zero-filled", "sens")}, "unknown method 'sens'"),
        ({"masks": ("random", "rndom")}, "unknown mask 'rndom'; did you mean 'random'"),
        ({"levels": ((4.0, 0.1), (0.5, 0.1))}, "acceleration is 0.5"),
        ({"levels": ((float("nan"), 0.1),)}, "acceleration is nan"),
        ({"levels": ((4.0, 1.5),)}, "center is 1.5"),
        ({"seeds": 0}, "seeds is 0"),
        ({"seeds": -1}, "seeds is -1"),
        ({"seeds": 2**32 + 1}, "seeds is 4294967297"),
        ({"whitening": "x"}, "whitening is 'x'"),
        ({"reference": "x"}, "reference is 'x'; wanted one of rss, unbiased"),
        ({"options": {"sense": {"maps": "x"}}}, "maps"),
    ],
)
def test_wrong_settings_fail_before_anything_is_read(wrong, says):
    with pytest.raises(ArgumentError, match=says):
        Settings(**{**QUICK, **wrong})


def test_each_record_is_what_compare_says(folder, tmp_path):
    settings, cases, _ = ready(folder, whitening="edge", options={"sense": {"lam": 0.3}})
    records = evaluate(cases, settings, start_records(tmp_path, settings.record()))
    assert [(r["file"], r["seed"]) for r in records] == [
        (name, seed) for name in ("b.h5", "deep/a.cfl") for seed in (0, 1)
    ]
    for record in records:
        result = compare(
            open_scan(folder / record["file"]),
            lambda shape, seed=record["seed"]: make_mask("random", shape, 2.0, 0.25, seed),
            ["zero-filled", "sense"],
            {"sense": {"lam": 0.3}},
            whitening="edge",
        )
        assert record["mask"] == result.mask and record["notes"] == []
        assert record["slices"] == (1 if record["file"] == "b.h5" else 3)
        assert record["sha256"] == hashlib.sha256((folder / record["file"]).read_bytes()).hexdigest()
        for name, method in result.results.items():
            got = record["methods"][name]
            assert {k: got[k] for k in METRICS} == pytest.approx(method.scores, rel=1e-5)
            assert 0 < got["seconds"] < 30
    assert records[0]["methods"]["sense"]["nmse"] != records[1]["methods"]["sense"]["nmse"]


@dataclass(frozen=True)
class Moody:
    """Zero-filled, but not for everybody: what it raises hangs on the columns and on the seed."""

    seed: int = 0
    how: str = "known"

    def __call__(self, acquisition: Acquisition, /) -> Tensor:
        if acquisition.kspace.shape[-1] == 40 and self.seed == 1:
            raise {
                "known": CalibrationError("too few lines"),
                "torch": RuntimeError("no\nconvergence"),
                "memory": MemoryError(),
                "stop": KeyboardInterrupt(),
            }[self.how]
        return ZeroFilled()(acquisition)


@pytest.mark.parametrize(
    ("how", "error"),
    [("known", "too few lines"), ("torch", "RuntimeError: no convergence"), ("memory", "MemoryError: ")],
)
def test_a_method_that_fails_ends_nothing(how, error, folder, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "moody", Moody)
    settings, cases, _ = ready(folder, methods=("moody", "zero-filled"), options={"moody": {"how": how}})
    kept = start_records(tmp_path, settings.record())
    records = evaluate(cases, settings, kept)
    assert len(records) == len(kept.kept) == 4
    for record in records:
        moody, zero = record["methods"]["moody"], record["methods"]["zero-filled"]
        assert "error" not in zero
        if (record["file"], record["seed"]) == ("b.h5", 1):
            assert moody == {**dict.fromkeys((*METRICS, "seconds")), "error": error}
        else:  # the seed of the mask is that of the method
            assert {k: moody[k] for k in METRICS} == {k: zero[k] for k in METRICS}
    assert notes_of(records) == [f"b.h5, random 2x, center 0.25, seed 1: moody gave no image: {error}"]
    assert resume_records(tmp_path, settings.record()).kept == kept.kept


def test_the_only_method_may_fail_too(folder, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "moody", Moody)
    settings, cases, _ = ready(folder, methods=("moody",))
    kept = start_records(tmp_path, settings.record())
    records = evaluate(cases, settings, kept)
    assert [r["methods"]["moody"].get("error") for r in records] == [None, "too few lines", None, None]
    assert list(kept.kept.values()) == records  # it is done, and not tried again


def test_a_seed_of_the_users_own(folder, monkeypatch):
    monkeypatch.setitem(METHODS, "moody", Moody)
    settings = Settings(**{**QUICK, "methods": ("moody", "sense"), "options": {"moody": {"how": "torch"}}})
    assert settings.options_of("moody", 4) == {"seed": 4, "how": "torch"}
    assert settings.options_of("sense", 4) == {}
    fixed = Settings(**{**QUICK, "methods": ("moody",), "options": {"moody": {"seed": 9}}})
    assert fixed.options_of("moody", 4) == {"seed": 9}


def test_a_run_that_is_stopped_goes_on(folder, tmp_path, monkeypatch):
    """And what comes of it is what would have come of it, with nothing computed twice."""
    settings, cases, _ = ready(folder)
    at_once = evaluate(cases, settings, start_records(tmp_path, settings.record()))
    told: list[str] = []

    def stop(about: str) -> None:
        told.append(about)
        if len(told) == 6:  # two methods on one slice, twice; the next file has three
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate(cases, settings, start_records(tmp_path, settings.record()), stop)
    with (tmp_path / NAME).open("ab") as file:
        file.write(b'{"file": "deep/a.cfl", "sha')
    back = resume_records(tmp_path, settings.record())
    assert [key[0] for key in back.kept] == ["b.h5", "b.h5"]
    again: list[str] = []
    records = evaluate(cases, settings, back, again.append)
    assert plain(records) == plain(at_once)
    assert again == [
        f"deep/a.cfl, random 2x, center 0.25, seed {seed}, {name}, slice {i}"
        for seed in (0, 1)
        for i in range(3)
        for name in ("zero-filled", "sense")
    ]
    assert records[:2] == list(back.kept.values())[:2]
    finished: list[str] = []
    assert evaluate(cases, settings, resume_records(tmp_path, settings.record()), finished.append) == records
    assert finished == []


def test_a_file_that_is_gone_is_tried_again(tmp_path):
    (tmp_path / "scans").mkdir()
    path = tmp_path / "scans" / "a.npz"
    write_kspace(path, head())
    settings, cases, _ = ready(tmp_path / "scans", seeds=1)
    whole = path.read_bytes()
    kept = start_records(tmp_path, settings.record())
    real = content_hash(path)
    path.write_bytes(whole[: len(whole) // 2])
    (record,) = evaluate(cases, settings, kept)
    assert all(m["error"] and m["nmse"] is None for m in record["methods"].values())
    assert record["notes"] == [f"no image: {record['methods']['sense']['error']}"]
    assert record["mask"]["kind"] == "random" and record["mask"]["true_acceleration"] == 2.0
    assert kept.kept == {} and resume_records(tmp_path, settings.record()).kept == {}
    path.write_bytes(whole)
    (record,) = evaluate(cases, settings, kept)
    assert "error" not in record["methods"]["sense"] and len(kept.kept) == 1 and record["sha256"] == real


def test_a_full_disk_is_no_failure_of_a_method(folder, tmp_path):
    settings, cases, _ = ready(folder)
    kept = start_records(tmp_path, settings.record())
    kept.path.unlink()
    kept.path.mkdir()
    with pytest.raises(OutputError, match="cannot write"):
        evaluate(cases, settings, kept)


def test_the_reference_that_is_asked_for(folder, tmp_path):
    nmse = {}
    for name in ("rss", "unbiased"):
        settings, cases, _ = ready(folder / "b.h5", reference=name, methods=("zero-filled",), seeds=1)
        (record,) = evaluate(cases, settings, start_records(tmp_path, settings.record()))
        make = lambda shape: make_mask("random", shape, 2.0, 0.25, 0)  # noqa: E731
        result = compare(open_scan(folder / "b.h5"), make, ["zero-filled"], reference=name)
        nmse[name] = record["methods"]["zero-filled"]["nmse"]
        assert nmse[name] == pytest.approx(result.results["zero-filled"].scores["nmse"], rel=1e-5)
    assert nmse["rss"] != nmse["unbiased"]


def test_settings_that_make_other_records(tmp_path, monkeypatch):
    np.save(tmp_path / "m.npy", np.ones(40))
    base: dict[str, Any] = {**QUICK, "masks": (str(tmp_path / "m.npy"), "random")}
    others = (
        {"methods": ("sense", "zero-filled")},
        {"masks": ("random",)},
        {"levels": ((2.0, 0.2),)},
        {"levels": ((3.0, 0.25),)},
        {"seeds": 3},
        {"options": {"sense": {"lam": 0.2}}},
        {"whitening": "none"},
        {"device": "meta"},
        {"reference": "unbiased"},
    )
    records = [Settings(**{**base, **other}).record() for other in ({}, *others)]
    np.save(tmp_path / "m.npy", np.arange(40) % 3)
    records.append(Settings(**base).record())
    assert all(a != b for i, a in enumerate(records) for b in records[:i])
    np.save(tmp_path / "m.npy", np.ones(40))
    assert Settings(**base).record() == records[0]
    (tmp_path / "w").write_text("weights")
    monkeypatch.setitem(METHODS, "moody", Moody)
    own = Settings(**{**QUICK, "methods": ("moody",), "options": {"moody": {"how": str(tmp_path / "w")}}})
    before = own.record()
    (tmp_path / "w").write_text("other weights")
    assert own.record() != before  # under the same name


def test_compare_itself_does_not_hide_what_is_unexpected(folder, monkeypatch):
    monkeypatch.setitem(METHODS, "moody", Moody)
    options = {"moody": {"seed": 1, "how": "torch"}}
    make = lambda shape: make_mask("random", shape, 2.0, 0.25)  # noqa: E731
    with pytest.raises(RuntimeError, match="no\nconvergence"):
        compare(open_scan(folder / "b.h5"), make, ["moody", "zero-filled"], options)
    with pytest.raises(ArgumentError, match="moody gave no image: too few lines"):
        compare(open_scan(folder / "b.h5"), make, ["moody"], {"moody": {"seed": 1}})
    with pytest.raises(KeyboardInterrupt):
        compare(open_scan(folder / "b.h5"), make, ["moody"], {"moody": {"seed": 1, "how": "stop"}}, tolerant=True)
