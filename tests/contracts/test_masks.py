"""What every mask of the tables promises."""

import json

import pytest
import torch

from kolumn.errors import ArgumentError
from kolumn.masks import FASTMRI, KINDS, MASKS, make_mask
from kolumn.masks.counts import centred

SHAPES = [(96, 128), (33, 217), (50, 64)]
PLANES = {"gaussian2d", "poisson"}
FIXED = {"partial", "full"}  # nothing random
EXACT = {"random", "offset", "gaussian", "gaussian2d", "poisson", "partial"}
ACCELERATION = {"partial": 1.4}


def make(kind, shape, center=0.1, seed=0, acceleration=None):
    return make_mask(kind, shape, acceleration or ACCELERATION.get(kind, 4.0), center, seed)


def test_the_kinds_are_those_of_both_tables():
    assert tuple(KINDS) == (*MASKS, *FASTMRI)
    assert set(MASKS) == EXACT | {"equispaced", "full"}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_type_and_shape(kind, shape):
    samples = make(kind, shape).samples
    assert samples.dtype == torch.bool
    assert samples.shape == (shape if kind in PLANES else (1, shape[1]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_seed_alone_decides(kind):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one = make(kind, (40, 128), seed=5).samples
    torch.rand(3)
    two = make(kind, (40, 128), seed=5).samples
    torch.set_rng_state(state)
    make(kind, (40, 128), seed=5)
    assert torch.equal(one, two)
    assert torch.equal(torch.get_rng_state(), state)  # the global generator is left alone
    others = [make(kind, (40, 128), seed=s).samples for s in range(6, 12)]
    assert all(torch.equal(one, o) for o in others) == (kind in FIXED)


@pytest.mark.parametrize("seed", [0, 3])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_centre_is_acquired(kind, shape, seed):
    mask = make(kind, shape, seed=seed)
    width = round(shape[1] * 0.1)
    columns = centred(shape[1], width)
    rows = centred(shape[0], round(shape[0] * 0.1)) if kind in PLANES else slice(None)
    if kind in FASTMRI:  # theirs is one column off for odd columns and an even width
        assert mask.calibration_width >= width
    else:
        assert mask.samples[rows, columns].all()


@pytest.mark.parametrize("acceleration", [1.0, 1.3, 1.9, 2.5, 4.0, 6.3])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", sorted(EXACT - {"partial"}))
def test_the_acceleration_is_met_to_one_sample(kind, shape, acceleration):
    for seed in range(3):
        samples = make(kind, shape, center=0.08, seed=seed, acceleration=acceleration).samples
        assert int(samples.sum()) == round(samples.numel() / acceleration)


@pytest.mark.parametrize("kind", KINDS)
def test_json(kind):
    mask = make(kind, (40, 128), seed=5)
    saved = json.loads(json.dumps(mask.to_dict()))
    assert saved["kind"] == kind
    assert saved["seed"] == (None if kind == "full" else 5)
    assert saved["acceleration"] == (None if kind == "full" else ACCELERATION.get(kind, 4.0))
    assert saved["center"] == (None if kind == "full" else 0.1)
    assert saved["true_acceleration"] == mask.samples.numel() / int(mask.samples.sum())
    assert saved["calibration_width"] == mask.calibration_width
    assert saved["shape"] == list(mask.samples.shape)


BAD = {
    "slower than full": ({"acceleration": 0.5}, "acceleration is 0.5"),
    "acceleration nan": ({"acceleration": float("nan")}, "acceleration is nan"),
    "acceleration infinite": ({"acceleration": float("inf")}, "acceleration is inf"),
    "center below 0": ({"center": -0.1}, "center is -0.1"),
    "center above 1": ({"center": 1.5}, "center is 1.5"),
    "center nan": ({"center": float("nan")}, "center is nan"),
    "seed below 0": ({"seed": -1}, "seed is -1"),
    "seed too large": ({"seed": 2**32}, "seed is 4294967296"),
    "no rows": ({"shape": (0, 128)}, r"shape is \(0, 128\)"),
    "one axis": ({"shape": (128,)}, r"shape is \(128,\)"),
}


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("kind", KINDS)
def test_arguments_out_of_range(kind, bad):
    arguments, message = BAD[bad]
    with pytest.raises(ArgumentError, match=message) as error:
        make_mask(**{"kind": kind, "shape": (40, 128), "acceleration": 1.5, "center": 0.1} | arguments)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("kind", [k for k in KINDS if k != "full"])
def test_a_centre_beyond_the_budget(kind):
    acceleration = 1.9 if kind == "partial" else 8.0
    with pytest.raises(ArgumentError, match="center"):
        make_mask(kind, (60, 60), acceleration, 0.5)


@pytest.mark.parametrize("kind", [k for k in KINDS if k not in FIXED])
def test_too_few_columns(kind):
    with pytest.raises(ArgumentError, match="leaves none of the"):
        make_mask(kind, (1, 10), 30.0, 0.0)


@pytest.mark.parametrize("kind", KINDS)
def test_narrow_planes(kind):
    for n in (1, 2, 3, 4, 5):
        for acceleration in (1.0, 1.2, 2.0):
            for center in (0.0, 0.5, 1.0):
                try:
                    samples = make_mask(kind, (n, n), acceleration, center).samples
                except ArgumentError:
                    continue
                assert samples.shape[-1] == n
