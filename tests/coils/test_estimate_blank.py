"""An empty slice of a volume must not stop the others."""

from __future__ import annotations

import pytest
import torch

from kolumn.acquisition import Acquisition
from kolumn.coils import estimate_maps, soft_support
from kolumn.errors import CalibrationError
from kolumn.phantoms import phantom
from kolumn.recon import METHODS, reconstruct

IMAGES = [name for name, cls in METHODS.items() if not getattr(cls, "SERIES", False)]


def volume_with_a_blank_slice() -> tuple[Acquisition, torch.Tensor]:
    scan, _ = phantom("shepp-logan", (40, 44), n_coils=4, n_slices=3, snr=50.0)
    mask = torch.arange(44) % 2 == 0
    mask[14:30] = True
    kspace = scan.kspace * mask
    kspace[1] = 0
    return Acquisition(kspace, mask[None]), kspace


@pytest.mark.parametrize("method", IMAGES)
def test_a_blank_slice_is_blank_and_the_others_are_as_alone(method: str, two_threads: None) -> None:
    scan, kspace = volume_with_a_blank_slice()
    image = reconstruct(scan, method=method)
    assert not image[1].any()
    torch.set_num_threads(1)  # as each slice of the volume had; more round otherwise, and a U-Net amplifies that
    for i in (0, 2):
        alone = reconstruct(Acquisition(kspace[i], scan.mask), method=method)
        assert torch.allclose(image[i], alone, rtol=0, atol=1e-5 * float(alone.abs().max()))


def test_two_sets_of_maps_keep_their_axes_around_a_blank_slice() -> None:
    scan, _ = volume_with_a_blank_slice()
    maps = estimate_maps(scan, n_maps=2)
    assert maps.shape == (2, 3, 4, 40, 44)
    assert not maps[:, 1].any()
    assert maps[0, 0].any()
    assert maps[0, 2].any()


def test_nothing_but_blank_slices_is_an_error() -> None:
    scan, kspace = volume_with_a_blank_slice()
    with pytest.raises(CalibrationError, match="all zero"):
        estimate_maps(Acquisition(torch.zeros_like(kspace), scan.mask))


@pytest.mark.parametrize("how", ["espirit", "walsh"])
@pytest.mark.parametrize("method", IMAGES)
def test_maps_by_name_work_for_every_method(method: str, how: str) -> None:
    scan, _ = phantom("shepp-logan", (40, 44), n_coils=4, snr=50.0)
    image = reconstruct(scan.kspace, method=method, maps=how)
    assert image.is_complex()
    if method != "sense":
        whole = any(hasattr(METHODS[method], name) for name in ("solve", "weights"))
        air = {"outside": 1.0} if how == "espirit" and whole else {}
        maps = estimate_maps(scan, how, **air)
        if whole:
            maps = maps * soft_support(scan)
        assert torch.equal(image, reconstruct(scan.kspace, maps=maps, method=method))
        if how == "walsh" or not air:
            assert not torch.equal(image, reconstruct(scan.kspace, method=method))
