"""A^H A with fewer coils: the same to what the docstring promises, with all coils where they are needed."""

from __future__ import annotations

import pytest
import torch

from kolumn.operators import Coils, Condensed, condensed
from kolumn.operators.condensed import _blocks, _needed
from kolumn.operators.uncentred import Uncentred
from kolumn.phantoms import ARRAYS

LIMIT = 1000 * torch.finfo(torch.float32).eps


def operator(shape=(45, 67), n_coils=8, n_sets=1, dtype=torch.complex64) -> Uncentred:
    """Smooth maps, and about every third column."""
    g = torch.Generator().manual_seed(3)
    maps = torch.stack([ARRAYS["biot-savart"](n_coils, shape).to(torch.complex128).roll(s, 0) for s in range(n_sets)])
    maps = maps / torch.linalg.vector_norm(maps, dim=(0, 1))
    mask = torch.rand(1, shape[1], generator=g) < 0.35
    return Uncentred(Coils(maps.to(dtype)), mask)


def image(A: Uncentred, *batch: int) -> torch.Tensor:
    g = torch.Generator().manual_seed(4)
    maps = A.coils.maps
    return torch.randn(maps.shape[0], *batch, *maps.shape[-2:], dtype=maps.dtype, generator=g)


def difference(A: Uncentred, x: torch.Tensor) -> float:
    wanted = A.normal(x)
    return float((condensed(A).normal(x) - wanted).norm() / wanted.norm())


@pytest.mark.parametrize(("n_coils", "n_sets", "most"), [(8, 1, 7), (20, 1, 9), (20, 2, 15)])
def test_it_is_a_h_a_with_fewer_coils(n_coils, n_sets, most):
    A = operator(n_coils=n_coils, n_sets=n_sets)
    G = condensed(A)
    assert isinstance(G, Condensed)
    assert max(block.coils.maps.shape[1] for _, block in G.blocks) <= most
    assert difference(A, image(A)) < 2e-5


def test_what_is_left_out_is_no_more_than_promised_and_no_less_than_allowed():
    A = operator(n_coils=12)
    G = condensed(A)
    assert isinstance(G, Condensed)
    kept = torch.cat([block.coils.maps.abs().square().sum(1) for _, block in G.blocks], 1)
    lost = A.coils.maps.abs().square().sum(1) - kept
    assert float(lost.max()) < LIMIT + 1e-6
    fewest = [block.coils.maps[:, :1].abs().square().amax() for _, block in G.blocks]
    assert min(fewest) > LIMIT / 12


def test_what_is_left_out_is_negligible_together():
    weak = (0.6 * LIMIT) ** 0.5
    maps = torch.full((1, 4, 2, 5), weak, dtype=torch.complex64)  # coils of 0.6 each: one can go, two cannot
    maps[:, 0, 1] = 0
    maps[:, 3] = 1
    assert _needed(maps).tolist() == [3, 2]
    assert _needed(torch.cat([maps, maps])).tolist() == [4, 3]  # of two sets they count together


def test_in_double_precision_it_is_closer():
    A = operator(dtype=torch.complex128, n_coils=24)
    assert isinstance(condensed(A), Condensed)
    assert difference(A, image(A)) < 1e-13


def test_a_series_has_its_maps_once_and_its_masks_each():
    A = operator()
    x, g = image(A, 3), torch.Generator().manual_seed(5)
    masks = torch.rand(3, 1, 1, A.coils.maps.shape[-1], generator=g) < 0.4
    frames = Uncentred(Coils(A.coils.maps[:, None]), masks)
    assert isinstance(condensed(frames), Condensed)
    assert difference(frames, x) < 2e-5


WHYS = ["maps that are not smooth", "single samples", "a mask for each coil", "two coils", "maps for each image"]


@pytest.mark.parametrize("why", WHYS)
def test_all_coils_stay(why):
    A = operator(n_coils=2 if why == "two coils" else 8)
    maps, mask = A.coils.maps, A.centred_mask
    g = torch.Generator().manual_seed(6)
    if why == "maps that are not smooth":
        maps = torch.randn(maps.shape, dtype=maps.dtype, generator=g)
    if why == "single samples":
        mask = torch.rand(45, 67, generator=g) < 0.4
    if why == "a mask for each coil":
        mask = torch.rand(8, 1, 67, generator=g) < 0.4
    if why == "maps for each image":
        maps = torch.stack([maps, maps.flip(1)], 1)
    A = Uncentred(Coils(maps), mask)
    assert condensed(A) is A


def test_rows_that_see_nothing_need_one_coil():
    A = operator()
    A.coils.maps[..., 32:, :] = 0
    G = condensed(A)
    assert isinstance(G, Condensed)
    assert G.blocks[-1][1].coils.maps.shape[1] == 1
    assert difference(A, image(A)) < 2e-5


def test_blocks_hold_neighbours_of_the_same_number():
    need = [3] * 40 + [5] + [3] * 60
    assert _blocks(need, 100) == [(slice(0, 32), 3), (slice(32, 64), 5), (slice(64, 101), 3)]
    assert _blocks([2] * 96, 2000) == [(slice(0, 32), 2), (slice(32, 64), 2), (slice(64, 96), 2)]
