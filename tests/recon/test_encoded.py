"""What slices with the same maps and mask share: it is found once, and makes no difference."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.masks import make_mask
from kolumn.phantoms import ARRAYS, anatomy, simulate, smooth_phase
from kolumn.recon import encoded as module
from kolumn.recon import make_method
from kolumn.recon.encoded import encode
from kolumn.recon.task import Task

SHAPE = (61, 54)


def volume(n=3, n_coils=6):
    """Slices of unlike anatomy in the same coils; all samples, and maps."""
    g = torch.Generator().manual_seed(0)
    maps = ARRAYS["biot-savart"](n_coils, SHAPE)
    slices = [simulate(anatomy(SHAPE, g) * smooth_phase(SHAPE, g), maps, snr=30.0, generator=g) for _ in range(n)]
    return torch.stack([s.kspace for s in slices]), maps


def mask(seed=0):
    return make_mask("random", SHAPE, 3.0, 0.15, seed).samples


@pytest.fixture
def found(monkeypatch):
    """How many coils the operators had whose coils were condensed, in order."""
    calls = []
    real = module.condensed

    def counting(A):
        calls.append(A.coils.maps.shape[1])
        return real(A)

    monkeypatch.setattr(module, "condensed", counting)
    return calls


@pytest.mark.parametrize("factor", [1.0, 0.4])
@pytest.mark.parametrize("name", ["tv", "tgv"])
def test_slices_share_it_and_are_as_if_alone(name, factor, found):
    kspace, maps = volume()
    acq = acquire(kspace, mask(), factor * maps)
    method = make_method(name, lam=0.002, max_iterations=6, tolerance=0)
    together = method.solve(acq)
    assert found == [6]
    for i, image in enumerate(together.image):
        alone = method.solve(acquire(kspace[i], mask(), maps))  # whose factor does not matter
        assert (image - alone.image).norm() <= 2e-5 * alone.image.norm()  # threads may sum in another order
        assert together.objective[i] == pytest.approx(alone.objective[0], rel=1e-4)


@pytest.mark.parametrize("what", ["masks", "maps", "no maps", "air in the maps"])
def test_what_differs_is_not_shared(what, found):
    kspace, maps = volume(2)
    masks = torch.stack([mask(0), mask(1)])[:, None] if what == "masks" else mask()
    if what == "maps":
        maps = torch.stack([maps, maps.flip(-1)])
    acq = acquire(kspace, masks, None if what == "no maps" else maps)
    name = "wavelet" if what == "air in the maps" else "tv"
    method = make_method(name, lam=0.002, max_iterations=6, tolerance=0)
    together = method.solve(acq)
    assert len(found) == 2
    for i, image in enumerate(together.image):
        alone = method.solve(acq.entry(i)).image
        assert (image - alone).norm() <= 2e-5 * alone.norm()


def test_wavelets_share_it_where_air_counts_as_all_else(found):
    kspace, maps = volume(2)
    make_method("wavelet", lam=0.002, max_iterations=3, air=1).solve(acquire(kspace, mask(), maps))
    assert found == [6]


def test_a_metric_that_grows_is_that_of_one_slice():
    kspace, maps = volume(2)
    method = make_method("tv")
    acq = acquire(kspace, mask(), maps)
    entries = [method.problem(acq.entry(i)) for i in range(2)]
    shared = encode(entries[0][0])
    one, other = (Task(*entry, shared) for entry in entries)
    before = one._metric.gamma
    assert one._metric.grow(1.5)
    assert other._metric.gamma == before == shared.metric.gamma < one._metric.gamma


def test_the_operator_is_one_only_if_maps_and_masks_are():
    kspace, maps = volume(2)
    acq = acquire(kspace, mask(), maps)
    assert acq.one_encoding
    assert replace(acq, maps=None).one_encoding
    assert replace(acq, maps=maps[None]).one_encoding
    assert replace(acq, maps=maps[None, None].expand(2, 1, *maps.shape)).one_encoding  # two sets
    assert not replace(acq, maps=torch.stack([maps, maps])).one_encoding
    assert not replace(acq, maps=maps[None, None].expand(2, 2, *maps.shape)).one_encoding
    assert not acquire(kspace, torch.stack([mask(0), mask(1)])[:, None], maps).one_encoding
