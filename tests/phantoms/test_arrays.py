"""Coil arrays: the loop on its axis and the straight wire in closed form, unit root sum of squares, smooth."""

import math

import pytest
import torch

from kolumn.errors import ArgumentError
from kolumn.phantoms import ARRAYS, biot_savart, birdcage, loop_field

SHAPES = [(64, 64), (65, 48), (50, 83)]


@pytest.mark.parametrize("normal", [(0.0, 0.0, 1.0), (0.6, -0.8, 0.0), (0.48, 0.6, 0.64)])
def test_field_on_the_axis_of_a_loop(normal):
    """B = mu_0 I R^2 / (2 (R^2 + z^2)^(3/2)) along the normal; mu_0 I = 4 pi here."""
    normal = torch.tensor(normal, dtype=torch.float64)
    centre = torch.tensor((0.3, -0.2, 0.7), dtype=torch.float64)
    z = torch.linspace(-3, 3, 13, dtype=torch.float64)
    field = loop_field(centre + z[:, None] * normal, centre, normal, 0.5)
    expected = 2 * math.pi * 0.25 / (0.25 + z**2) ** 1.5
    torch.testing.assert_close(field, expected[:, None] * normal)


def test_field_off_the_axis_is_free_of_divergence_and_curl():
    """Maxwell away from the wire, by automatic differentiation; a wrong sign inside the cross product breaks it."""
    normal = torch.tensor((0.6, -0.8, 0.0), dtype=torch.float64)
    points = torch.randn(20, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 0.2

    def field(p):
        return loop_field(p[None], torch.zeros(3, dtype=torch.float64), normal, 1.0)[0]

    for p in points:
        J = torch.autograd.functional.jacobian(field, p)
        assert J.norm() > 0.05
        assert J.trace().abs() < 1e-6 * J.norm()
        assert (J - J.T).norm() < 1e-6 * J.norm()


def test_a_far_loop_is_a_dipole():
    """B = (3 (m . r) r / r^2 - m) / r^3, m = pi R^2."""
    normal = torch.tensor((0.0, 1.0, 0.0), dtype=torch.float64)
    r = torch.tensor([[30.0, 20.0, -10.0], [0.0, -40.0, 5.0]], dtype=torch.float64)
    m = math.pi * 0.25 * normal
    n = r.norm(dim=1, keepdim=True)
    dipole = (3 * (r @ m)[:, None] * r / n**2 - m) / n**3
    torch.testing.assert_close(
        loop_field(r, torch.zeros(3, dtype=torch.float64), normal, 0.5), dipole, rtol=2e-3, atol=1e-9
    )


def test_loops_receive_the_left_turning_field():
    """In the centre the field of the loop at angle a points along -(cos a, sin a), so B_x - i B_y = -exp(-i a)."""
    maps = biot_savart(8, (33, 33))[:, 16, 16]
    a = torch.arange(8) * (2 * math.pi / 8)
    torch.testing.assert_close(maps, torch.polar(torch.full((8,), -(8**-0.5)), -a), atol=1e-4, rtol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_birdcage_rungs_are_straight_wires(shape):
    """Relative strength is the inverse distance; relative phase the difference of the angles."""
    n = 5
    maps = birdcage(n, shape, distance=1.5)
    i, j = 11, 29
    half = [s / max(shape) for s in shape]
    y, x = -(i - shape[0] // 2) * 2 / max(shape), (j - shape[1] // 2) * 2 / max(shape)
    wires = [
        1.5 * complex(half[1] * math.cos(a), half[0] * math.sin(a)) for a in [2 * math.pi * c / n for c in range(n)]
    ]
    ideal = torch.tensor([1 / abs(w - complex(x, y)) for w in wires])
    torch.testing.assert_close(maps[:, i, j].abs(), ideal / ideal.norm())
    for c, w in enumerate(wires):
        phase = 2 * math.pi * c / n - torch.tensor(w - complex(x, y)).angle()
        assert torch.polar(torch.ones(()), maps[c, i, j].angle() - phase).real == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_coils", [2, 3, 8, 12, 20])
def test_every_array(array, shape, n_coils):
    maps = ARRAYS[array](n_coils, shape)
    assert maps.shape == (n_coils, *shape)
    assert maps.dtype == torch.complex64
    torch.testing.assert_close(maps.abs().square().sum(0), torch.ones(shape))
    assert torch.equal(maps, ARRAYS[array](n_coils, shape))
    # Each coil sees another part best, and the coils are not copies of each other.
    gram = torch.einsum("iyx,jyx->ij", maps.conj(), maps)
    size = gram.diagonal().real.sqrt()
    alike = (gram.abs() / size / size[:, None]).fill_diagonal_(0)
    assert alike.max() < 0.99


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n_coils", [2, 3, 8, 12])
def test_maps_are_smooth(array, shape, n_coils):
    """At twice the matrix the step from pixel to pixel halves, everywhere; in the body it is small as well."""
    maps = ARRAYS[array](n_coils, shape)
    finer = ARRAYS[array](n_coils, (2 * shape[0], 2 * shape[1]))
    y, x = ((torch.arange(n) - n // 2) / (0.4 * n) for n in shape)
    body = torch.hypot(y[:, None], x) < 1
    for dim in (1, 2):
        step = maps.diff(dim=dim).abs()
        assert finer.diff(dim=dim).abs().max() < 0.75 * step.max()
        assert step[:, body[: step.shape[1], : step.shape[2]]].max() < 5 / min(shape)


@pytest.mark.parametrize("array", ARRAYS)
def test_the_first_coil_is_on_the_right_and_they_go_round_upwards(array):
    maps = ARRAYS[array](4, (64, 64)).abs()
    brightest = [maps[c, y, x] for c, (y, x) in enumerate([(32, 60), (4, 32), (32, 4), (60, 32)])]
    for c, value in enumerate(brightest):
        assert value > 0.8 if array == "biot-savart" else value > 0.6
        assert value > 0.95 * maps[c, 8:-8, 8:-8].max()


@pytest.mark.parametrize("array", ARRAYS)
def test_one_coil_sees_everything_alike(array):
    assert torch.equal(ARRAYS[array](1, (20, 31)), torch.ones(1, 20, 31, dtype=torch.complex64))


@pytest.mark.parametrize("array", ARRAYS)
def test_bad_arguments(array):
    with pytest.raises(ArgumentError, match="n_coils is 0"):
        ARRAYS[array](0, (32, 32))
    with pytest.raises(ArgumentError, match="at least 16"):
        ARRAYS[array](4, (32, 15))
