"""The figure, the page and the record, from comparisons made by hand."""

from __future__ import annotations

import base64
import hashlib
import html.parser
import io
import json
import math
import re
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from kolumn.acquisition import Geometry, acquire
from kolumn.errors import OutputError
from kolumn.masks import Mask
from kolumn.report import files, save_report, undersampled
from kolumn.report.compare import Comparison, Result
from kolumn.report.figure import error_scale, grey_window, middle, printable, save_figure
from kolumn.report.run import file_hash, run_record
from kolumn.report.table import HEADER, rows

RUN = {"command": ["kolumn", "compare"], "threads": 1}
SCORES = {"nmse": 0.0123456, "psnr": 31.4159, "ssim": 0.98765, "hfen": 0.4321}


def comparison(shape=(30, 20), slices=3, scored=True, errors=(0.02, 0.3), **changes) -> Comparison:
    """Slices 0.1 : 1 : 7 in brightness, so that the middle one decides everything."""
    ramp = torch.linspace(0, 1, math.prod(shape)).reshape(shape) * torch.tensor([0.1, 1.0, 7.0])[:slices, None, None]
    mask = Mask("random", torch.arange(shape[1])[None] % 3 == 0, 3.0, 0.1, 0)
    results = {}
    for i, error in enumerate(errors):
        scores = dict(SCORES) if scored else {}
        results[f"method-{i}"] = Result(ramp + error, 1.234 * (i + 1), scores)
    parts = {
        "reference": ramp if scored else None,
        "samples": mask.samples,
        "mask": mask.to_dict(),
        "results": results,
    }
    return Comparison(**{**parts, **changes})


def opened(picture) -> tuple[int, int]:
    """Width and height of a picture that decodes to its end."""
    with Image.open(picture) as image:
        image.load()
        return image.size


class Page(html.parser.HTMLParser):
    """What a page refers to, and whether its elements close."""

    def __init__(self, text):
        super().__init__()
        self.references, self.open, self.text, self.tags, self.bad = [], [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.references += [v for k, v in attrs if k in ("src", "href", "srcset", "data", "action", "poster")]
        if tag not in ("meta", "img", "input", "br", "hr", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.bad.append(tag)

    def handle_data(self, data):
        self.text.append(data)


def report(folder, c, name="head.h5", **options):
    save_report(folder, c, name, RUN, **options)
    return Page((folder / "report.html").read_text(encoding="utf-8"))


def test_page_is_one_file(tmp_path):
    page = report(tmp_path / "r", comparison())
    assert page.open == page.bad == []
    assert len(page.references) == 4  # reference, two methods, the figure
    assert not {"link", "script", "iframe", "object"} & set(page.tags)
    for reference in page.references:
        kind, _, data = reference.partition(",")
        assert kind == "data:image/png;base64"
        assert opened(io.BytesIO(base64.b64decode(data, validate=True)))
    raw = (tmp_path / "r" / "report.html").read_text()
    assert not re.search(r"https?://|file:|@import|url\(", raw)
    embedded = base64.b64decode(page.references[-1].partition(",")[2])
    assert embedded == (tmp_path / "r" / "report.png").read_bytes()
    with Image.open(io.BytesIO(base64.b64decode(page.references[0].partition(",")[2]))) as picture:
        grey = np.asarray(picture)
    c = comparison()
    expected = np.clip(c.reference[1].numpy() / grey_window(c) * 255, 0, 255)
    np.testing.assert_allclose(grey, expected, atol=1)
    text = "".join(page.text)
    for word in ("head.h5: random mask", "0.01235", "31.42", "0.9877", "0.4321", "1.23", "2.47", "3.0x asked for"):
        assert word in text
    assert '"command"' in text and "not a medical device" in text


def test_page_without_a_reference(tmp_path):
    page = report(tmp_path / "r", comparison(scored=False, notes=["no <reference>"]))
    assert len(page.references) == 3
    assert "no <reference>" in "".join(page.text)
    assert opened(tmp_path / "r" / "report.png")[1] < 0.7 * opened(_figure(tmp_path, comparison()))[1]


def _figure(folder, c, title="title"):
    save_figure(folder / "figure.png", c, title)
    return folder / "figure.png"


NAMES = [
    "<b>&\"'.h5",
    "a$\\frac{$.h5",
    "\u8133.h5",
    "\udcff.h5",
    "a\nb\x1b[1m.h5",
    "x" * 240,
    "{{ 7 * 7 }}.h5",
    "100%.h5",
]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_any_name_of_a_file(tmp_path, name):
    mask = {**comparison().mask, "kind": f"/folder/{name}"}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = report(tmp_path / "r", comparison(mask=mask), name)
    assert page.open == page.bad == [] and "b" not in page.tags
    assert json.loads((tmp_path / "r" / "metrics.json").read_text())["file"] == name
    text = "".join(page.text)
    assert (name in text or len(name) > 60 or not name.isprintable()) and "49" not in text
    assert opened(tmp_path / "r" / "report.png") == opened(_figure(tmp_path, comparison()))


def test_printable():
    assert printable("/a/b/head.h5") == "head.h5"
    assert printable("\u8133.h5") == "\u8133.h5"
    assert printable("a\nb\udcff") == "a?b?"
    assert printable("y" * 28 + "x" * 5 + "z" * 28) == "y" * 28 + " ... " + "z" * 28
    assert printable("x" * 60) == "x" * 60


@pytest.mark.parametrize("shape", [(30, 20), (20, 30), (24, 24), (90, 20), (20, 90)])
def test_figure_shows_every_method(tmp_path, shape):
    for n in (1, 3):
        width, height = opened(_figure(tmp_path, comparison(shape, errors=(0.1,) * n)))
        assert width == pytest.approx(110 * (3.2 * (n + 1) + 0.7), abs=2)
        tall = 3.2 * min(max(shape[0] / shape[1], 0.5), 2)
        assert height == pytest.approx(110 * (2 * tall + 0.8), abs=2)


def drawn(monkeypatch, tmp_path, c):
    """What the panels of a figure are made of."""
    from matplotlib.figure import Figure

    kept = []
    draw = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (kept.append(self), draw(self, *a, **k)))
    save_figure(tmp_path / "f.png", c, "title")
    return kept[0]


def test_errors_share_one_scale(tmp_path, monkeypatch):
    c = comparison()
    figure = drawn(monkeypatch, tmp_path, c)
    by_title = {axis.get_title().split("\n")[0]: axis for axis in figure.axes}
    window, scale = grey_window(c), error_scale(c)
    assert window == pytest.approx(np.percentile(c.reference[1].numpy(), 99.8))
    for i, error in enumerate((0.02, 0.3)):
        (image,) = by_title[f"method-{i}"].images
        assert image.get_clim() == (0, window)
        np.testing.assert_allclose(image.get_array(), c.reference[1].numpy() + error, rtol=1e-6)
        (image,) = by_title[f"error of method-{i}"].images
        assert image.get_clim() == (0, scale)
        np.testing.assert_allclose(image.get_array(), error / window, rtol=1e-4)
        assert by_title[f"method-{i}"].get_title().endswith("PSNR 31.42 dB, SSIM 0.988")
    (image,) = by_title["full reference, slice 1 of 0 to 2"].images
    assert image.get_clim() == (0, window)
    np.testing.assert_array_equal(image.get_array(), c.reference[1].numpy())
    (mask,) = by_title["mask: random, truly 2.86x"].images
    np.testing.assert_array_equal(np.asarray(mask.get_array())[0], c.samples[0].numpy())
    bar = figure.axes[-1]
    assert f"|error| / {window:.3g}" in bar.get_ylabel()
    assert bar.get_ylim() == pytest.approx((0, scale))
    assert figure.get_suptitle() == "title"


def test_times_where_there_are_no_scores(tmp_path, monkeypatch):
    figure = drawn(monkeypatch, tmp_path, comparison(scored=False))
    titles = [axis.get_title() for axis in figure.axes]
    assert titles == ["mask: random, truly 2.86x\n0 calibration columns", "method-0\n1.23 s", "method-1\n2.47 s"]


@pytest.mark.parametrize(
    ("errors", "scale"),
    [((0.012, 0.012), 0.02), ((0.5,), 0.5), ((0.55,), 1.0), ((0.0,), 0.01), ((0.01, 0.03, 9), 0.05)],
)
def test_scale_of_the_errors(errors, scale):
    """The median over the methods, up to the next 1, 2 or 5."""
    flat = torch.ones(1, 20, 20)
    results = {str(e): Result(flat + e) for e in errors}
    c = comparison(reference=flat, results=results)
    assert error_scale(c) == pytest.approx(scale)


def test_nothing_to_scale():
    failed = {"a": Result(error="no")}
    assert error_scale(comparison(results=failed)) == 1
    assert grey_window(comparison(reference=None, results=failed)) == 1
    assert grey_window(comparison(reference=torch.zeros(1, 8, 8))) == 1
    assert middle(torch.arange(4)) == 2


def test_a_failed_method(tmp_path):
    c = comparison()
    c.results["broken"] = Result(error="no calibration")
    report(tmp_path / "r", c)
    assert rows(c)[-1] == ("broken", *["-"] * 8)
    saved = json.loads((tmp_path / "r" / "metrics.json").read_text())["methods"]
    assert saved["broken"] == {**dict.fromkeys(SCORES), "seconds": None, "error": "no calibration"}
    assert saved["method-0"] == {**SCORES, "seconds": 1.234}


def test_table():
    c = comparison()
    c.results["method-0"].scores["psnr"] = math.inf
    assert HEADER == ("method", "NMSE", "PSNR / dB", "SSIM", "HFEN", "iterations", "seconds", "objective", "lambda")
    assert rows(c)[0] == ("method-0", "0.01235", "inf", "0.9877", "0.4321", "-", "1.23", "-", "-")
    assert rows(comparison(scored=False))[1] == ("method-1", "-", "-", "-", "-", "-", "2.47", "-", "-")


def test_json_is_strict(tmp_path):
    c = comparison()
    c.results["method-0"].scores["psnr"] = math.inf
    save_report(tmp_path / "r", c, "a", {"settings": {"lam": math.nan, "more": [math.inf, 1.5, True]}})
    for name in ("metrics.json", "run.json"):
        text = (tmp_path / "r" / name).read_text()
        assert "Infinity" not in text and "NaN" not in text and text.endswith("}\n")
    assert json.loads((tmp_path / "r" / "run.json").read_text()) == {
        "settings": {"lam": "nan", "more": ["inf", 1.5, True]}
    }
    assert json.loads((tmp_path / "r" / "metrics.json").read_text())["methods"]["method-0"]["psnr"] is None


def test_all_or_nothing(tmp_path, monkeypatch):
    """Whatever fails, and however late: an old report stays as it is, and a new folder is not there."""
    old = tmp_path / "old"
    report(old, comparison())
    before = {p.name: p.read_bytes() for p in old.iterdir()}

    def full(*args, **kwargs):
        args[0].write_bytes(b"half")
        raise OSError(28, "No space left on device")

    for name in ("save_figure", "save_page"):
        with monkeypatch.context() as patch:
            patch.setattr(files, name, full)
            for target in (old, tmp_path / "new"):
                with pytest.raises(OutputError, match=f"cannot write .*{target.name}: No space left"):
                    save_report(target, comparison(errors=(1,)), "b", RUN, overwrite=True)
    with monkeypatch.context() as patch:
        patch.setattr(files, "save_page", lambda *a, **k: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            save_report(tmp_path / "new", comparison(), "b", RUN)
    assert {p.name: p.read_bytes() for p in old.iterdir()} == before
    assert list(tmp_path.iterdir()) == [old]
    with pytest.raises(OutputError, match="already holds"):
        save_report(old, comparison(), "b", RUN)
    report(old, comparison(errors=(1,)), overwrite=True)
    assert {p.name for p in old.iterdir()} == set(before)


def test_an_existing_folder_is_all_that_must_be_writable(tmp_path, monkeypatch):
    """It may lie on another disk than the folder above it."""
    made = []
    make = files.tempfile.mkdtemp

    def note(suffix=None, prefix=None, dir=None):
        made.append(dir)
        return make(suffix, prefix, dir)

    monkeypatch.setattr(files.tempfile, "mkdtemp", note)
    (tmp_path / "r").mkdir()
    report(tmp_path / "r", comparison())
    assert set(made) == {tmp_path / "r"}
    assert {p.name for p in (tmp_path / "r").iterdir()} == set(files.NAMES)
    report(tmp_path / "new", comparison())
    assert made[-1] == tmp_path


def test_undersampled():
    """What both the mask and the scan have; the noise and the place stay, a calibration scan of its own does not."""
    geometry = Geometry((6, 8), (6.0, 8.0, 1.0))
    k = torch.randn(2, 6, 8, dtype=torch.complex64, generator=torch.Generator().manual_seed(0))
    whole = acquire(k, torch.arange(8) > 0, noise=2 * torch.eye(2), calibration=k[..., 2:6], geometry=geometry)
    less = undersampled(whole, (torch.arange(8) % 2 == 0)[None])
    kept = [2, 4, 6]
    assert less.mask.reshape(-1, 8)[0].nonzero().flatten().tolist() == kept
    expected = torch.zeros_like(k)
    expected[..., kept] = k[..., kept]
    torch.testing.assert_close(less.kspace, expected, rtol=0, atol=0)
    torch.testing.assert_close(less.noise.real, 2 * torch.eye(2))
    assert less.geometry is geometry and less.calibration is None and whole.calibration is not None


def test_record(tmp_path):
    data = bytes(range(256)) * 9000  # more than one piece
    (tmp_path / "a.h5").write_bytes(data)
    record = run_record(["kolumn"], tmp_path / "a.h5", {"seed": 3})
    assert record["file"] == {"name": "a.h5", "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    assert file_hash(tmp_path / "a.h5") == record["file"]["sha256"]
    assert record["settings"] == {"seed": 3} and record["command"] == ["kolumn"]
    assert record["versions"].keys() >= {"kolumn", "torch", "numpy"}
