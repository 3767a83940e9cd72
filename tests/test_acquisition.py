"""Acquisition and acquire: what is cleaned, what is found, what is refused and in which words."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from kolumn.acquisition import Acquisition, Geometry, acquire, sampled
from kolumn.errors import ArgumentError, KolumnError
from kolumn.shapes import require_broadcast, shape_text

K = (3, 8, 6)  # coil, ky, kx


def draw(*shape, seed=0, dtype=torch.complex64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def columns(*which, n=6):
    mask = torch.zeros(n, dtype=torch.bool)
    mask[list(which)] = True
    return mask


NAN = torch.full(K, math.nan)
SOME_NAN = draw(*K)
SOME_NAN[0, 0, 1], SOME_NAN[1, 2, 3] = math.inf, complex(0, math.nan)
SPIKE = draw(*K)
SPIKE[1, 2, 3] = complex(1, -3e38)
ERRORS = {
    "one axis": (lambda: acquire(np.ones(4)), r"kspace is 4 of torch.complex64; wanted complex \(\*batch, coil"),
    "no axis": (lambda: acquire(3.0), r"kspace is a scalar of torch.complex64; wanted complex"),
    "no samples": (lambda: acquire(torch.ones(2, 0, 4)), "kspace is empty: 2 x 0 x 4"),
    "no slices": (lambda: acquire(torch.ones(0, 2, 4, 4), torch.ones(4)), "kspace is empty: 0 x 2 x 4 x 4"),
    "words": (lambda: acquire(np.array([["a"]])), "kspace has dtype <U1; wanted complex numbers"),
    "nothing": (lambda: acquire(None), "kspace has dtype object; wanted complex numbers"),
    "ragged": (lambda: acquire([[1, 2], [3]]), "kspace is no array: .* wanted complex numbers in rows of one length"),
    "all nan": (lambda: acquire(NAN), r"kspace holds NaN or infinity in 144 of 144 samples; replace"),
    "some infinite": (lambda: acquire(SOME_NAN), r"kspace holds NaN or infinity in 2 of 144 samples"),
    "nan and a mask": (lambda: acquire(SOME_NAN, torch.ones(6)), r"kspace holds NaN or infinity in 2 of 144"),
    "all zero": (lambda: acquire(torch.zeros(K)), "kspace is all zero: there is nothing to reconstruct"),
    "too large": (
        lambda: acquire(1e20 * draw(*K)),
        r"kspace goes up to 2\.\de\+20; wanted 1e-22 to 1e\+16, .*scale it",
    ),
    "too small": (lambda: acquire(1e-23 * draw(*K)), r"kspace goes up to 2\.\de-23; wanted 1e-22 to"),
    "a spike": (lambda: acquire(SPIKE), r"kspace goes up to 3\.0e\+38; .* replace samples that are spoilt by 0"),
    "mask of another width": (
        lambda: acquire(draw(*K), torch.ones(7)),
        "mask has shape 1 x 7; wanted a mask .* that broadcasts to 3 x 8 x 6",
    ),
    "mask of another height": (lambda: acquire(draw(*K), torch.eye(6)), "mask has shape 6 x 6; wanted a mask"),
    "mask with more axes": (lambda: acquire(draw(*K), torch.ones(1, 1, 1, 6)), "mask has shape 1 x 1 x 1 x 6; wanted"),
    "mask of two entries": (lambda: acquire(draw(1, *K), torch.ones(2, 1, 1, 6)), "mask has shape 2 x 1 x 1 x 6; wan"),
    "mask of nothing": (lambda: acquire(draw(*K), torch.zeros(6)), "the mask samples nothing: every entry is 0"),
    "mask a number": (lambda: acquire(draw(*K), 1), r"mask is a single number; wanted \(kx,\), \(ky, kx\)"),
    "mask a tensor of a number": (lambda: acquire(draw(*K), torch.tensor(1)), "mask is a single number; wanted"),
    "mask of words": (lambda: acquire(draw(*K), np.array(["a"] * 6)), "mask has dtype <U1; wanted zeros and ones"),
    "real maps": (
        lambda: Acquisition(draw(*K), columns(1)[None], maps=torch.ones(K)),
        r"maps are 3 x 8 x 6 of torch.float32; wanted complex \(\*batch, coil, y, x\)",
    ),
    "flat maps": (
        lambda: acquire(draw(*K), maps=torch.ones(8, 6)),
        "maps are 8 x 6 of torch.complex64; wanted complex",
    ),
    "maps of another plane": (lambda: acquire(draw(*K), maps=torch.ones(3, 8, 5)), "maps has shape 3 x 8 x 5; wanted"),
    "maps of fewer coils": (
        lambda: acquire(draw(*K), maps=torch.ones(1, 8, 6)),
        "maps are 1 x 8 x 6 and kspace is 3 x 8 x 6; coil, y and x must be the same",
    ),
    "maps of other entries": (
        lambda: acquire(draw(2, *K), maps=torch.ones(2, 4, *K)),
        "maps has shape 4 x 3 x 8 x 6; wanted maps .* that broadcasts to 2 x 3 x 8 x 6",
    ),
    "maps of too many axes": (lambda: acquire(draw(*K), maps=torch.ones(1, 1, *K)), "maps has shape 1 x 3 x 8 x 6"),
    "maps with nan": (lambda: acquire(draw(*K), maps=NAN), "maps hold NaN or infinity; estimate them again"),
    "noise of other coils": (
        lambda: acquire(draw(*K), noise=torch.eye(2)),
        "noise covariance is 2 x 2; wanted 3 x 3, one row a coil",
    ),
    "noise a row": (lambda: acquire(draw(*K), noise=torch.ones(3)), "noise covariance is 3; wanted 3 x 3"),
    "noise with nan": (lambda: acquire(draw(*K), noise=np.full((3, 3), math.nan)), "noise holds NaN or infinity"),
    "calibration of other coils": (
        lambda: acquire(draw(*K), calibration=torch.ones(2, 4, 4)),
        "calibration is 2 x 4 x 4; wanted the batch and coils of 3 x 8 x 6",
    ),
    "calibration of one entry": (
        lambda: acquire(draw(2, *K), calibration=torch.ones(3, 4, 4)),
        "calibration is 3 x 4 x 4; wanted the batch and coils of 2 x 3 x 8 x 6",
    ),
    "calibration with nan": (lambda: acquire(draw(*K), calibration=NAN), "calibration holds NaN or infinity"),
    "a real kspace": (lambda: Acquisition(torch.ones(K), columns(1)[None]), "of torch.float32; wanted complex"),
    "a mask of numbers": (
        lambda: Acquisition(draw(*K), torch.ones(1, 6)),
        "mask has dtype torch.float32; wanted bool",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_one_clear_line(case):
    make, text = ERRORS[case]
    with pytest.raises(ArgumentError, match=text) as error:
        make()
    assert isinstance(error.value, (KolumnError, ValueError))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300


@pytest.mark.parametrize(
    ("given", "dtype"),
    [
        (np.ones((8, 6), np.int16), torch.complex64),
        (np.ones((8, 6), np.uint16), torch.complex64),
        (np.ones((8, 6), bool), torch.complex64),
        (np.ones((8, 6), np.float16), torch.complex64),
        (np.ones((8, 6), np.float64), torch.complex64),
        (np.ones((8, 6), ">c8"), torch.complex64),
        (np.ones((8, 6), ">c16"), torch.complex128),
        (np.ones((8, 6), np.clongdouble), torch.complex128),
        (np.broadcast_to(np.complex64(1), (8, 6)), torch.complex64),  # read-only
        ([[1, 2], [3, 4j]], torch.complex128),
        (torch.ones(8, 6, dtype=torch.int32), torch.complex64),
        (torch.ones(8, 6, dtype=torch.complex128), torch.complex128),
    ],
    ids=lambda v: str(getattr(v, "dtype", v)),
)
def test_types(given, dtype):
    acq = acquire(given)
    assert acq.kspace.dtype == dtype
    assert acq.kspace.ndim == 3
    assert acq.n_coils == 1
    np.testing.assert_array_equal(acq.kspace[0].numpy(), np.asarray(given).astype(np.complex128))


def test_big_endian_masks_and_masks_of_any_number():
    k = draw(*K)
    want = columns(0, 3, 5)
    for mask in (
        want,
        want.int(),
        want * 0.5,
        want * 2j,
        want.numpy(),
        want.numpy().astype(">i4"),
        np.flip(want.flip(0).numpy()),
        np.broadcast_to(want.numpy(), (8, 6)),
        want.tolist(),
    ):
        assert torch.equal(acquire(k, mask).mask, want[None])


def test_conjugated_tensors_count_as_any_other():
    k, maps = draw(*K), draw(*K, seed=1)
    acq = acquire(k.conj(), maps=maps.conj())
    assert torch.equal(acq.kspace, k.conj())
    assert torch.equal(acq.maps, maps.conj())
    assert not acq.kspace.is_conj()


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_everything_in_the_precision_of_kspace(dtype):
    for other in (torch.complex64, torch.complex128, torch.float64):
        acq = acquire(
            draw(*K, dtype=dtype),
            maps=torch.ones(K, dtype=other),
            noise=torch.eye(3, dtype=other),
            calibration=torch.ones(3, 4, 4, dtype=other),
        )
        assert {acq.maps.dtype, acq.noise.dtype, acq.calibration.dtype} == {dtype}


def test_arguments_stay_as_they_are():
    k, mask, maps = draw(2, *K), columns(1, 2, 4), draw(*K, seed=1)
    before = [x.clone() for x in (k, mask, maps)]
    acq = acquire(k, mask, maps)
    assert not acq.kspace[..., ~mask].any()
    assert torch.equal(acq.kspace[..., mask], k[..., mask])
    acq.kspace.zero_()
    assert all(torch.equal(a, b) for a, b in zip((k, mask, maps), before, strict=True))
    array = k.numpy().copy()
    acquire(array).kspace.zero_()
    np.testing.assert_array_equal(array, k.numpy())


def test_a_zero_that_is_not_sampled_has_no_sign():
    k = -torch.ones(K, dtype=torch.complex64)
    left = acquire(k, columns(1)).kspace[..., ~columns(1)]
    assert not torch.signbit(torch.view_as_real(left)).any()


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        acquire(draw(*K)).kspace = None


def test_geometry_passes_through():
    geometry = Geometry((8, 6), (200.0, 150.0, 5.0))
    assert acquire(draw(*K), geometry=geometry).geometry is geometry


@pytest.mark.parametrize(
    ("mask", "shape", "only"),
    [
        (columns(1, 2), (1, 6), True),
        (columns(1, 2)[None], (1, 6), True),
        (columns(1, 2).expand(8, 6), (1, 6), True),
        (columns(1, 2).expand(3, 8, 6), (3, 1, 6), True),
        (torch.eye(8, 6), (8, 6), False),
        (torch.eye(8, 6)[None], (1, 8, 6), False),
        (torch.stack([columns(1, 2), columns(0, 5)])[:, None, None], (2, 1, 1, 6), True),
    ],
)
def test_shapes_of_masks(mask, shape, only):
    acq = acquire(draw(2, *K), mask)
    assert tuple(acq.mask.shape) == shape
    assert acq.mask.dtype == torch.bool
    assert acq.columns_only is only
    assert torch.equal(acq.kspace != 0, (mask != 0).expand(2, *K))


# What sampled() finds.


def test_found_columns():
    k = draw(4, *K) * columns(0, 2, 3)
    assert torch.equal(sampled(k), columns(0, 2, 3).reshape(1, 1, 6))
    assert acquire(k).columns_only


def test_found_full():
    assert torch.equal(sampled(draw(*K)), torch.ones(1, 1, 6, dtype=torch.bool))


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e9])
def test_found_where_a_tiny_number_stands_for_zero(scale):
    k = draw(*K) * columns(0, 2, 3)
    k[..., 4] = 1e-17
    assert torch.equal(sampled(scale * k), columns(0, 2, 3).reshape(1, 1, 6))
    k[..., 4] = 1e-5  # but weak signal is signal
    assert torch.equal(sampled(scale * k), columns(0, 2, 3, 4).reshape(1, 1, 6))


def test_found_in_any_coil():
    k = draw(*K) * columns(0, 2, 3)
    k[0] = 0  # a dead coil
    k[1, :, 2] = 0
    assert torch.equal(sampled(k), columns(0, 2, 3).reshape(1, 1, 6))


def test_found_rows_of_a_partial_readout():
    k = draw(*K) * columns(0, 2, 3)
    k[:, :3] = 0
    mask = sampled(k)
    rows = torch.arange(8) >= 3
    assert torch.equal(mask, (rows[:, None] & columns(0, 2, 3))[None])


def test_found_plane():
    pattern = torch.rand(16, 12, generator=torch.Generator().manual_seed(0)) > 0.6
    assert torch.equal(sampled(draw(2, 3, 16, 12) * pattern), pattern[None])
    diagonal = torch.eye(8, dtype=torch.bool)
    assert torch.equal(sampled(draw(2, 8, 8) * diagonal), diagonal[None])


def test_isolated_zeros_of_integer_data_are_samples():
    k = torch.ones(2, 20, 30, dtype=torch.complex64) * columns(*range(0, 30, 2), n=30)
    for y, x in ((0, 0), (5, 4), (7, 4), (19, 28), (11, 10)):
        k[:, y, x] = 0
    assert torch.equal(sampled(k), columns(*range(0, 30, 2), n=30).reshape(1, 1, 30))
    k[:, :4] = 0  # and so they are with a partial readout
    mask = sampled(k)
    assert mask.shape == (1, 20, 30)
    assert torch.equal(mask[0, 4:], columns(*range(0, 30, 2), n=30).expand(16, 30))
    assert not mask[0, :4].any()


def test_found_masks_of_unlike_entries():
    one, two = columns(0, 2, 3), columns(1, 2, 5)
    mask = sampled(torch.stack([draw(*K) * one, 1e-9 * draw(*K) * two]))
    assert torch.equal(mask, torch.stack([one, two]).reshape(2, 1, 1, 6))
    mask = sampled(draw(2, 2, *K) * torch.stack([one, two])[:, None, None, None])
    assert mask.shape == (2, 2, 1, 1, 6)
    assert torch.equal(mask[1, 0].flatten(), two)


def test_a_blank_entry_does_not_make_columns_a_plane():
    k = draw(3, *K) * columns(0, 2, 3)
    k[1] = 0
    mask = sampled(k)
    assert mask.shape == (3, 1, 1, 6)
    assert torch.equal(mask.flatten(1).any(1), torch.tensor([True, False, True]))
    assert torch.equal(mask[2].flatten(), columns(0, 2, 3))


# Entries of a batch.


def test_an_entry_has_its_own_of_everything():
    k, calibration = draw(2, 4, *K), draw(2, 4, 3, 5, 5, seed=3)
    mask = torch.rand(2, 1, 1, 1, 6, generator=torch.Generator().manual_seed(0)) > 0.4
    maps = draw(4, *K, seed=1)  # the same for both
    acq = acquire(k, mask, maps, noise=torch.eye(3), calibration=calibration)
    for i in range(2):
        for j in range(4):
            one = acq.entry(i, j)
            assert torch.equal(one.kspace, acq.kspace[i, j])
            assert torch.equal(one.mask.reshape(6), mask[i].reshape(6))
            assert torch.equal(one.maps, maps[j])
            assert torch.equal(one.calibration, calibration[i, j])
            assert one.noise is acq.noise


def test_an_entry_of_one_batch_axis():
    mask = torch.stack([columns(0, 2), columns(1, 3)])[:, None, None]
    acq = acquire(draw(2, *K), mask, draw(1, *K))
    assert torch.equal(acq.entry(1).mask, mask[1])
    assert torch.equal(acq.entry(1).maps, acq.maps[0])
    shared = acquire(draw(2, *K), columns(0, 2), draw(*K))
    assert torch.equal(shared.entry(1).mask, columns(0, 2)[None])
    assert torch.equal(shared.entry(1).maps, shared.maps)
    assert shared.entry(1).calibration is None


def test_an_entry_keeps_all_sets_of_maps():
    maps = draw(2, 4, *K)
    one = acquire(draw(4, *K), maps=maps).entry(3)
    assert torch.equal(one.maps, maps[:, 3])
    alone = acquire(draw(*K), maps=maps[:, 0])
    assert torch.equal(alone.entry().maps, maps[:, 0])


def test_moving_moves_everything(monkeypatch):
    monkeypatch.setattr("kolumn.acquisition._check_maps", lambda *_: None)  # the meta device has no values to check
    acq = acquire(draw(*K), maps=draw(*K), noise=torch.eye(3), calibration=draw(3, 4, 4))
    moved = acq.to("meta")
    for name in ("kspace", "mask", "maps", "noise", "calibration"):
        assert getattr(moved, name).device.type == "meta"
    assert acquire(draw(*K)).to("meta").maps is None


# The axes.


def test_shape_text():
    assert shape_text(torch.ones(2, 8, 5)) == "2 x 8 x 5"
    assert shape_text(torch.tensor(1)) == "a scalar"


@pytest.mark.parametrize("shape", [(4, 5), (1, 5), (5,), (1, 1, 1), (3, 4, 5), (3, 1, 1), ()])
def test_what_broadcasts(shape):
    require_broadcast("x", torch.ones(shape), (3, 4, 5), "this")


@pytest.mark.parametrize("shape", [(4,), (5, 4), (2, 4, 5), (1, 3, 4, 5), (3, 4, 0)])
def test_what_does_not(shape):
    with pytest.raises(ArgumentError, match=r"^x has shape .*; wanted this that broadcasts to 3 x 4 x 5$"):
        require_broadcast("x", torch.ones(shape), (3, 4, 5), "this")
