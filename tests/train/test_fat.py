"""Fat: one phase for all of it, where the image is bright or under the skin."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from kolumn.train.fat import fat_phase
from kolumn.train.masks import RandomMasks
from kolumn.train.simulated import Simulated


def head(shape=(97, 120)):
    """Grey, with a bright disc in the middle, and air around; the distance from the middle, 1 at the skin."""
    y, x = ((torch.arange(n) - n // 2) / (0.4 * n) for n in shape)
    r = (y[:, None].square() + x.square()).sqrt()
    return torch.where(r < 0.3, 1.0, 0.2) * (r < 1), r


def test_it_is_bright_or_under_the_skin_or_both():
    image, r = head()
    seen = set()
    for seed in range(60):
        factor = fat_phase(image, torch.Generator().manual_seed(seed))
        assert factor.shape == image.shape and factor.dtype == torch.complex64 and factor.abs().max() < 1 + 1e-5
        places = {
            "air": r > 1.15,
            "skin": (r > 0.96) & (r < 0.985),
            "water": (r > 0.4) & (r < 0.65),
            "bright": r < 0.25,
        }
        turned = {name: bool((factor[place] - 1).abs().mean() > 0.3) for name, place in places.items()}
        assert not turned["air"] and not turned["water"]
        assert (factor[places["water"]] - 1).abs().max() < 0.3
        seen.add((turned["skin"], turned["bright"]))
    assert seen >= {(True, False), (False, True), (True, True)}


def test_all_of_it_has_one_phase_and_mixed_pixels_lose_brightness():
    image, _ = head((128, 128))
    angles, faint = [], 0
    for seed in range(40):
        factor = fat_phase(image, torch.Generator().manual_seed(seed))
        share = (factor - 1).abs()
        far = factor[share > 0.99 * share.max()]
        assert far.angle().max() - far.angle().min() < 0.1
        angles.append(float(far.angle().mean()))
        # (1 - f) + f exp(i phi) lies on the chord from 1 to exp(i phi)
        chord = factor.flatten()[share.flatten().argmax()] - 1
        across = ((factor - 1) * chord.conj()).imag.abs().max()
        assert across < 1e-4
        faint += bool(factor.abs().min() < 0.5)
    assert min(angles) < -2 and max(angles) > 2 and faint > 8


@pytest.mark.parametrize("value", [0.0, 0.7])
def test_images_without_contrast(value):
    for seed in range(9):
        factor = fat_phase(torch.full((40, 33), value), torch.Generator().manual_seed(seed))
        assert torch.isfinite(torch.view_as_real(factor)).all()
        assert value or (factor - 1).abs().max() < 0.01


def test_half_of_the_scans_have_some():
    """Without other phases than that of fat, an image has one angle where there is none, and two where there is."""

    def image(shape, generator):
        return head(shape)[0]

    source = Simulated(
        5,
        families={"head": image},
        sizes=(64,),
        coils={1: 1.0},
        masks=RandomMasks(kinds={"full": 1.0}, planes=0),
        snr=(300.0, 300.0),
        known=0.0,
        ripples=0.0,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "kolumn.train.simulated.random_phase", lambda shape, generator: torch.ones(shape, dtype=torch.complex64)
        )
        for fat, low, high in ((0.0, 0, 0), (source.fat, 14, 32), (1.0, 38, 48)):
            some = 0
            for i in range(48):
                target = replace(source, fat=fat)[i].target[0]
                body = target.abs() > 0.15 * target.abs().max()
                some += bool(target.angle()[body].abs().max() > 0.2)
            assert low <= some <= high
