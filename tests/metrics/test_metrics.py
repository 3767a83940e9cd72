"""Each metric against fastMRI's evaluation, scikit-image and SciPy: see tests/golden/make_metrics_golden.py."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from kolumn.errors import ArgumentError
from kolumn.metrics import METRICS, hfen, nmse, psnr, score, ssim
from kolumn.metrics.hfen import laplacian_of_gaussian

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "metrics.npz", allow_pickle=False)
CASES = range(5)
COLUMN = {"nmse": 0, "psnr": 1, "ssim": 2}


def volumes(i):
    return torch.from_numpy(GOLDEN[f"reference_{i}"]), torch.from_numpy(GOLDEN[f"image_{i}"])


def some(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.rand(shape, generator=generator)
    return x, x + 0.2 * torch.rand(shape, generator=generator)


@pytest.mark.parametrize("i", CASES)
@pytest.mark.parametrize("name", COLUMN)
def test_against_fastmri_and_scikit_image(name, i):
    fastmri32, fastmri64, skimage = GOLDEN[f"scores_{i}"][:, COLUMN[name]]
    reference, image = volumes(i)
    wide = METRICS[name](reference.double(), image.double())
    assert wide == pytest.approx(fastmri64, rel=1e-11)
    assert wide == pytest.approx(skimage, rel=1e-11)
    narrow = METRICS[name](reference, image)
    assert narrow == wide  # float64 inside
    assert narrow == pytest.approx(fastmri32, rel=2e-6)  # theirs computes in float32


@pytest.mark.parametrize("i", CASES)
def test_hfen_against_scipy(i):
    assert hfen(*volumes(i)) == pytest.approx(float(GOLDEN[f"hfen_{i}"]), rel=1e-11)


def test_the_kernel_of_hfen():
    h = laplacian_of_gaussian()
    assert h.shape == (15, 15)
    assert abs(h.sum().item()) < 1e-15
    assert torch.equal(h, h.T)
    assert torch.equal(h, h.flip(0))
    # the Laplacian of x^2 is 2 (the kernel is cut off at 5 sigma and its mean removed, hence the tolerance)
    u = torch.arange(15, dtype=torch.float64) - 7
    assert (h * u**2).sum().item() == pytest.approx(2, rel=0.01)


@pytest.mark.parametrize("name", METRICS)
def test_a_slice_is_a_volume_of_one(name):
    x, y = some(21, 18)
    assert METRICS[name](x, y) == METRICS[name](x[None], y[None])


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("unit", [1e-30, 1e-6, 1e4, 1e30])
def test_the_unit_does_not_matter(name, unit):
    x, y = (v.double() for v in some(3, 19, 15))
    assert METRICS[name](unit * x, unit * y) == pytest.approx(METRICS[name](x, y), rel=1e-9)


def test_the_volume_is_one(tmp_path):
    x, y = (v * torch.tensor([1.0, 30.0, 0.1])[:, None, None] for v in some(3, 19, 15))
    for name, metric in METRICS.items():
        alone = sum(metric(a, b) for a, b in zip(x, y, strict=True)) / 3
        assert abs(metric(x, y) / alone - 1) > 1e-3, name


@pytest.mark.parametrize(("name", "perfect"), [("nmse", 0), ("psnr", math.inf), ("ssim", 1), ("hfen", 0)])
def test_perfect(name, perfect):
    x, _ = some(2, 16, 17)
    assert METRICS[name](x, x.clone()) == pytest.approx(perfect, abs=1e-12)


def test_an_empty_image():
    x, _ = some(2, 16, 17)
    assert nmse(x, torch.zeros_like(x)) == 1
    assert hfen(x, torch.zeros_like(x)) == 1


def test_the_order_of_the_arguments_matters():
    x, y = some(2, 16, 17)
    assert all(metric(x, y) != metric(y, x) for metric in METRICS.values())


def test_score_has_them_all():
    x, y = some(2, 16, 17)
    scores = score(x, y)
    assert scores == {name: metric(x, y) for name, metric in METRICS.items()}
    assert list(scores) == ["nmse", "psnr", "ssim", "hfen"]
    assert all(type(v) is float for v in scores.values())


def test_arguments_are_left_alone():
    x, y = some(2, 16, 17)
    a, b = x.double(), y.double().requires_grad_()
    before = a.clone(), b.detach().clone()
    score(a, b)
    assert torch.equal(a, before[0])
    assert torch.equal(b, before[1])


def test_whole_numbers():
    x, y = ((100 * v).int() for v in some(2, 16, 17))
    assert score(x, y) == score(x.double(), y.double())


X = torch.ones(2, 9, 8)
HOLE = X.clone()
HOLE[1, 4, 4] = torch.nan
ENDLESS = X.clone()
ENDLESS[0, 0, 0] = torch.inf
BAD = {
    "complex image": (X, X + 0j, r"image is complex.*image\.abs\(\)"),
    "complex reference": (X + 0j, X, r"reference is complex.*reference\.abs\(\)"),
    "transposed": (X, X.mT, "image is 2 x 8 x 9 and reference is 2 x 9 x 8"),
    "one slice": (X, X[:1], "image is 1 x 9 x 8 and reference is 2 x 9 x 8"),
    "NaN": (X, HOLE, "image holds NaN"),
    "NaN in reference": (HOLE, X, "reference holds NaN"),
    "infinity": (X, ENDLESS, "image holds NaN or infinity"),
    "zeros": (0 * X, X, "all zero"),
    "one axis": (X[0, 0], X[0, 0], "reference is 8; wanted"),
    "four axes": (X[None], X[None], "reference is 1 x 2 x 9 x 8; wanted"),
    "no slice": (X[:0], X[:0], "not empty"),
}


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("bad", BAD)
def test_refused(name, bad):
    reference, image, message = BAD[bad]
    with pytest.raises(ArgumentError, match=message) as error:
        METRICS[name](reference, image)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("metric", [psnr, ssim])
def test_a_reference_without_a_peak(metric):
    with pytest.raises(ArgumentError, match="the maximum of reference is -1"):
        metric(-X, X)


@pytest.mark.parametrize("shape", [(6, 20), (20, 6), (1, 6, 7)])
def test_smaller_than_the_window(shape):
    with pytest.raises(ArgumentError, match=f"{shape[-2]} x {shape[-1]} pixels; SSIM wants at least 7 x 7"):
        ssim(torch.ones(shape), torch.ones(shape))
    assert ssim(torch.ones(7, 7), torch.ones(7, 7)) == 1
