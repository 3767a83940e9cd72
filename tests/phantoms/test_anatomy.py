"""The head: air, range, seeds, the same head at every size, smooth along z."""

import pytest
import torch

from kolumn.errors import ArgumentError
from kolumn.phantoms import CONTRASTS, anatomy, anatomy_volume, field_of_view
from kolumn.phantoms.head import ellipse, stroke

SHAPES = [(96, 96), (97, 64), (50, 83), (16, 17)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("shape", SHAPES)
def test_range_and_air(shape, contrast):
    for seed in (0, 1, 2):
        image = anatomy(shape, seeded(seed), contrast)
        assert image.shape == shape
        assert image.dtype == torch.float32
        assert image.isfinite().all()
        assert image.min() >= 0
        assert 0.5 < image.max() < 1.2
        border = torch.cat((image[0], image[-1], image[:, 0], image[:, -1]))
        assert min(shape) < 50 or (border == 0).all()  # never cut off, and air is exactly 0
        assert 0.2 < (image > 0).float().mean() < 0.8


def test_the_seed_decides_and_nothing_else():
    a, b = anatomy((64, 64), seeded(3)), anatomy((64, 64), seeded(3))
    assert torch.equal(a, b)
    torch.manual_seed(5)
    assert torch.equal(a, anatomy((64, 64), seeded(3)))
    assert (a - anatomy((64, 64), seeded(4))).norm() > 0.1 * a.norm()


def test_the_same_head_at_twice_the_matrix():
    """A finer matrix shows the same head; pixels are averages, so averaging the finer one comes close."""
    coarse, fine = anatomy((96, 96), seeded()), anatomy((288, 288), seeded())
    # 3 to 1: pixel centres coincide, and index N // 2 = 48 is the middle of the fine pixels 144 - 1 .. 144 + 1.
    pooled = torch.nn.functional.avg_pool2d(fine.roll((1, 1), (0, 1))[None], 3)[0]
    assert (pooled - coarse).norm() < 0.1 * coarse.norm()
    assert (pooled.roll(1, 0) - coarse).norm() > 0.2 * coarse.norm()


def test_pixels_are_square_and_hold_the_head():
    assert field_of_view((256, 256)) == pytest.approx((220, 220))
    for shape in SHAPES:
        y, x = field_of_view(shape)
        assert y / shape[0] == pytest.approx(x / shape[1])
        assert y > 219.99
        assert x > 179.99
    wide, square = anatomy((96, 130), seeded()), anatomy((96, 96), seeded())
    assert torch.equal(wide[:, 17:113], square)
    assert torch.equal(anatomy((96, 97), seeded())[:, :96], square)  # N // 2 is the origin of odd sizes too


def test_slices_of_a_volume():
    volume = anatomy_volume(5, (96, 96), seeded())
    assert torch.equal(volume[2], anatomy((96, 96), seeded()))
    near = (volume[1:] - volume[:-1]).flatten(1).norm(dim=1)
    far = (volume[4] - volume[0]).norm()
    assert (near > 0.02 * volume[2].norm()).all()
    assert (near < 0.75 * far).all()
    thin = anatomy_volume(3, (96, 96), seeded(), thickness=0.01)
    assert (thin[2] - thin[0]).norm() < 0.01 * thin[1].norm()
    far_off = anatomy_volume(3, (64, 64), seeded(), thickness=150.0)
    assert far_off.isfinite().all()
    assert far_off[0].max() > 0.3


def test_tissues_have_the_order_of_their_contrast():
    t1, t2 = (anatomy((256, 256), seeded(), c) for c in ("t1", "t2"))
    y, x = slice(105, 112), slice(118, 123)  # frontal horn
    assert t1[y, x].min() < 0.25
    assert t2[y, x].max() > 0.8
    body = t1 > 0
    assert torch.corrcoef(torch.stack((t1[body], t2[body])))[0, 1] < 0.5


def test_edges_are_not_jagged():
    """The outermost pixel of a row is skin (0.45) in any share; jagged edges would know only thirds of it."""
    image = anatomy((256, 256), seeded())
    rim = torch.stack([row[row > 0][0] for row in image[60:200]])
    assert 0.05 < (rim < 0.25 * 0.45).float().mean() < 0.6


def test_the_folds_change_from_slice_to_slice():
    volume = anatomy_volume(3, (96, 96), seeded(), thickness=12.0)
    y, x = ((torch.arange(96) - 48) * 220 / 96 for _ in range(2))
    radius = torch.hypot(y[:, None] / 72, x / 52)
    cortex = (radius > 0.75) & (radius < 1)
    a, b = volume[0][cortex], volume[1][cortex]
    assert torch.corrcoef(torch.stack((a, b)))[0, 1] < 0.5


def test_distances():
    y, x = torch.meshgrid(torch.linspace(-9, 9, 37), torch.linspace(-9, 9, 37), indexing="ij")
    circle = ellipse(y, x, (1.0, -2.0), (3.0, 3.0), 33.0)
    exact = 3 - torch.hypot(x - 1, y + 2)
    off_centre = exact < 2.5
    torch.testing.assert_close(circle[off_centre], exact[off_centre], rtol=1e-4, atol=1e-4)
    tilted = ellipse(y, x, (0.0, 0.0), (2.0, 6.0), 90.0)
    assert tilted[18, 18 + 10] > 0 > tilted[18 + 10, 18]  # lies along x
    pen = stroke(y, x, (-3.0, 0.0), (3.0, 0.0), 1.0, 2.0)
    assert pen[18, 18] == pytest.approx(1.5)
    assert pen[18, 0] == pytest.approx(1 - 6)
    assert pen[36, 24] == pytest.approx(2 - 9)


def test_bad_arguments():
    with pytest.raises(ArgumentError, match="at least 16"):
        anatomy((8, 64), seeded())
    with pytest.raises(ArgumentError, match="t1, t2"):
        anatomy((64, 64), seeded(), "flair")
    with pytest.raises(ArgumentError, match="n_slices is 0"):
        anatomy_volume(0, (64, 64), seeded())
