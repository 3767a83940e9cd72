"""What is scored against, and what a network's warnings become."""

import warnings
from dataclasses import dataclass, replace

import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.errors import ArgumentError, OutsideTraining
from kolumn.fourier import fft2
from kolumn.io import open_scan, write_kspace
from kolumn.masks import make_mask
from kolumn.nn.level import noise_level
from kolumn.phantoms import phantom
from kolumn.recon import METHODS, ZeroFilled
from kolumn.report import compare
from kolumn.report.compare import Result
from kolumn.report.notes import reference_notes, result_notes
from kolumn.report.reference import REFERENCES, noise_floor


def noisy(n_coils, sigma, seed=0, shape=(96, 90)):
    acq, image = phantom("anatomy", shape, n_coils=n_coils, snr=None)
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(acq.kspace.shape, dtype=torch.complex64, generator=generator) * sigma
    return acquire(acq.kspace + noise), image[0]


@pytest.mark.parametrize("n_coils", [1, 8])
def test_air_is_black_without_the_noise_floor(n_coils):
    sigma = 0.12  # well above what so small a phantom has at the edge of k-space
    whole, image = noisy(n_coils, sigma)
    air = image.abs() < 1e-3 * image.abs().max()
    rss, unbiased = (REFERENCES[name](whole)[0] for name in ("rss", "unbiased"))
    floor = sigma * n_coils**0.5
    assert float(rss[air].square().mean().sqrt()) == pytest.approx(floor, rel=0.05)
    assert float(unbiased[air].mean()) < 0.45 * floor
    excess = [float((x.square() - image.abs().square())[~air].mean()) / floor**2 for x in (rss, unbiased)]
    assert excess[0] - excess[1] == pytest.approx(1, abs=0.15)  # sigma itself is an estimate
    assert abs(excess[1]) < abs(excess[0])
    known = REFERENCES["unbiased"](replace(whole, noise=sigma**2 * torch.eye(n_coils, dtype=torch.complex64)))[0]
    torch.testing.assert_close(known, (rss.square() - floor**2).clamp_min(0).sqrt(), rtol=1e-4, atol=1e-4)


def test_entries_have_their_own_noise():
    (quiet, _), (loud, _) = noisy(2, 0.01), noisy(2, 0.08, seed=1)
    both = acquire(torch.cat([quiet.kspace, 30 * loud.kspace]))
    found = REFERENCES["unbiased"](both)
    torch.testing.assert_close(found[:1], REFERENCES["unbiased"](quiet))
    torch.testing.assert_close(found[1:], 30 * REFERENCES["unbiased"](loud), rtol=1e-4, atol=1e-4)


@dataclass(frozen=True)
class Wary:
    """Zero-filled, with a warning that has a number in it."""

    def __call__(self, acquisition):
        text = f"wary was not trained on {float(acquisition.kspace.abs().max()):.3g}"
        warnings.warn(text, OutsideTraining, stacklevel=2)
        return ZeroFilled()(acquisition)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "scan.h5"
    acq, _ = phantom("anatomy", (48, 40), n_coils=3, n_slices=3, snr=15.0)
    write_kspace(path, replace(acq, noise=None))
    return path


def masked(shape):
    return make_mask("random", shape, 2.0, 0.2, 0)


def test_compare_scores_against_the_reference_that_is_asked_for(file):
    results = {name: compare(open_scan(file), masked, ["zero-filled"], reference=name) for name in REFERENCES}
    rss, unbiased = results["rss"], results["unbiased"]
    scan = open_scan(file)
    for name, result in results.items():
        want = torch.cat([REFERENCES[name](scan.load(i))[None] for i in range(3)])
        torch.testing.assert_close(result.reference, want)
    assert rss.results["zero-filled"].scores["psnr"] != unbiased.results["zero-filled"].scores["psnr"]
    assert any("less its noise floor" in note for note in unbiased.notes)
    assert not any("noise floor" in note for note in rss.notes)
    with pytest.raises(ArgumentError, match="reference is 'truth'; wanted one of rss, unbiased"):
        compare(scan, masked, ["zero-filled"], reference="truth")


def test_warnings_of_a_network_become_one_note(file, monkeypatch):
    monkeypatch.setitem(METHODS, "wary", Wary)
    notes = compare(open_scan(file), masked, ["zero-filled", "wary"]).notes
    (note,) = [note for note in notes if "wary" in note]
    assert note.startswith("wary was not trained on ")
    assert note.endswith("(2 more slices like it)")


def test_each_kind_of_warning_is_noted_once():
    heard = ("a: 4 coils, noise of 0.3", "a: 4 coils, noise of 1.2e-05", "a: 3-fold")
    assert result_notes({"a": Result(warnings=heard)}) == [f"{heard[0]} (1 more slice like it)", "a: 3-fold"]


def test_other_warnings_are_passed_on(file, monkeypatch):
    class Loud(Wary):
        def __call__(self, acquisition):
            warnings.warn("loud", RuntimeWarning, stacklevel=2)
            return ZeroFilled()(acquisition)

    monkeypatch.setitem(METHODS, "loud", Loud)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        compare(open_scan(file), masked, ["loud"])
    assert [str(w.message) for w in caught] == ["loud"] * 3


@dataclass(frozen=True)
class Clean:
    """A network, as far as a report can see."""

    weights: str | None = None

    def __call__(self, acquisition):
        return ZeroFilled()(acquisition)


@dataclass(frozen=True)
class Broken(Clean):
    """One that fails."""

    def __call__(self, acquisition):
        raise ArgumentError("no")


def test_a_network_scored_against_a_noise_floor_gets_a_note(file, tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "clean", Clean)
    about = "clean: less noise in the image than in the reference, whose noise floor is "

    def said(path, methods=("zero-filled", "clean"), reference="rss"):
        notes = compare(open_scan(path), masked, methods, reference=reference).notes
        return [note for note in notes if note.startswith(about)]

    (note,) = said(file)
    assert note.endswith("% of white; --reference unbiased takes it away")
    monkeypatch.setattr(Clean, "denoise", True, raising=False)
    assert said(file) == [f"{note}; with --denoise no networks leave measured noise in their images"]
    monkeypatch.setattr(Clean, "denoise", False, raising=False)
    assert said(file) == [note]
    truth, floor = (float(f(open_scan(file).load(1)).max()) for f in (REFERENCES["rss"], noise_floor))
    assert float(note.removeprefix(about).split("%")[0]) == pytest.approx(100 * floor / truth, rel=0.2)
    monkeypatch.setitem(METHODS, "broken", Broken)
    assert said(file, ("clean", "broken")) == [note] and said(file, ("zero-filled", "broken")) == []
    assert said(file, reference="unbiased") == said(file, ("zero-filled",)) == []
    all_able = compare(open_scan(file), masked, ("sense", "tv", "clean")).notes
    assert any(note.startswith(f"tv, {about}") for note in all_able)
    y, x = torch.linspace(-6, 6, 96)[:, None], torch.linspace(-6, 6, 80)  # smooth: nothing at the edge of k-space
    write_kspace(
        tmp_path / "quiet.h5", acquire(fft2(torch.exp(-y.square() - x.square()).to(torch.complex64))[None, None])
    )
    assert said(tmp_path / "quiet.h5") == []
    assert reference_notes("rss", torch.tensor([3.0, 50.0]), 0.45, ["clean"]) == []
    assert len(reference_notes("rss", torch.tensor([3.0, 50.0]), 0.55, ["clean"])) == 1


@pytest.mark.parametrize("kind", ["anatomy", "shepp-logan"])
@pytest.mark.parametrize("n_coils", [1, 8])
def test_signal_at_the_edge_of_kspace_is_no_noise_floor(kind, n_coils):
    clean, _ = phantom(kind, (160, 129), n_coils=n_coils, snr=None)
    image = REFERENCES["rss"](clean)
    assert float(noise_floor(clean)) < 0.1 * float(noise_level(clean)) * n_coils**0.5
    assert float((REFERENCES["unbiased"](clean) - image).abs().max()) < 2e-3 * float(image.max())
    assert len(reference_notes("rss", image, float(noise_floor(clean)), ["tv"])) == 0
