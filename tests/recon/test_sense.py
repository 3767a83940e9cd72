"""SENSE against a dense solve and the textbook's iterates."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.coils import estimate_maps
from kolumn.errors import ArgumentError
from kolumn.fourier import fft2
from kolumn.phantoms import ARRAYS, phantom
from kolumn.recon import Sense, reconstruct
from kolumn.recon.sense import noise_to_signal

SHAPE = (5, 6)


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def dft(n):
    c = np.arange(n) - n // 2
    return np.exp(-2j * np.pi * np.outer(c, c) / n) / np.sqrt(n)


def dense(maps, mask):
    """M F S, (coil ky kx, set y x), for maps (set, coil, y, x)."""
    n_sets, n_coils = maps.shape[:2]
    F = np.kron(dft(SHAPE[0]), dft(SHAPE[1]))
    S = np.block([[np.diag(maps[s, c].numpy().ravel()) for s in range(n_sets)] for c in range(n_coils)])
    M = np.broadcast_to(mask.numpy(), (n_coils, *SHAPE)).ravel()
    return M[:, None] * (np.kron(np.eye(n_coils), F) @ S)


def problem(n_sets=1, plane=False):
    maps = 0.5 * draw(n_sets, 3, *SHAPE)
    mask = torch.tensor([1, 0, 1, 1, 0, 1], dtype=torch.bool)
    mask = mask & (torch.arange(5) != 1)[:, None] if plane else mask[None]
    return maps, mask, draw(3, *SHAPE, seed=1) * mask


def iterates(A, y, lam, n):
    """z_1 .. z_n of conjugate gradients on (A^H A + lam) z = A^H y from 0, and their relative residuals."""
    H, b = A.conj().T @ A + lam * np.eye(A.shape[1]), A.conj().T @ y
    z, r = np.zeros_like(b), b.copy()
    p, found = r.copy(), []
    for _ in range(n):
        alpha = np.vdot(r, r).real / np.vdot(p, H @ p).real
        z, new = z + alpha * p, r - alpha * (H @ p)
        p, r = new + np.vdot(new, new).real / np.vdot(r, r).real * p, new
        found.append((z, np.linalg.norm(r) / np.linalg.norm(b)))
    return found


def as_image(z, maps):
    """|s| z for each set, joined: root sum of squares with the phase of the strongest."""
    x = z.reshape(len(maps), *SHAPE) * np.sqrt((np.abs(maps.numpy()) ** 2).sum(1))
    strongest = np.take_along_axis(x, np.abs(x).argmax(0)[None], 0)[0]
    return np.sqrt((np.abs(x) ** 2).sum(0)) * strongest / np.abs(strongest)


@pytest.mark.parametrize("lam", [1e-3, 0.05, 2.0])
@pytest.mark.parametrize("plane", [False, True])
@pytest.mark.parametrize("n_sets", [1, 2])
def test_the_least_squares(n_sets, plane, lam):
    maps, mask, y = problem(n_sets, plane)
    A = dense(maps, mask)
    z = np.linalg.solve(A.conj().T @ A + lam * np.eye(A.shape[1]), A.conj().T @ y.numpy().ravel())
    x = Sense(lam=lam, tolerance=1e-12, max_iterations=500)(acquire(y, mask, maps))
    np.testing.assert_allclose(x.numpy(), as_image(z, maps), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_so_many_iterations_and_no_more(n):
    maps, mask, y = problem()
    want = iterates(dense(maps, mask), y.numpy().ravel(), 0.01, n)[-1][0]
    x = Sense(lam=0.01, tolerance=1e-12, max_iterations=n)(acquire(y, mask, maps))
    np.testing.assert_allclose(x.numpy(), as_image(want, maps), rtol=1e-8)


@pytest.mark.parametrize("tolerance", [0.3, 0.1, 0.02])
def test_it_stops_at_the_tolerance(tolerance):
    maps, mask, y = problem()
    found = iterates(dense(maps, mask), y.numpy().ravel(), 0.01, 30)
    first = next(z for z, residual in found if residual <= tolerance)
    x = Sense(lam=0.01, tolerance=tolerance)(acquire(y, mask, maps))
    np.testing.assert_allclose(x.numpy(), as_image(first, maps), rtol=1e-7)


def test_every_entry_stops_on_its_own():
    maps, mask, y = problem()
    easy = maps[0] / maps[0].norm(dim=0)
    many = torch.stack([y, 30 * draw(3, *SHAPE, seed=5) * mask, 0.1 * y])
    of_each = torch.stack([maps[0], easy, maps[0]])
    for n in (1, 3, 50):
        sense = Sense(lam=0.01, tolerance=0.05, max_iterations=n)
        together = sense(acquire(many, mask, of_each))
        for i in range(3):
            torch.testing.assert_close(together[i], sense(acquire(many[i], mask, of_each[i])), rtol=1e-10, atol=0)


def test_the_defaults_estimate_maps_as_told():
    acq, _ = phantom("anatomy", (48, 50), n_coils=5, snr=40.0)
    mask = torch.arange(50) % 2 == 1
    mask[16:36] = True
    acq = acquire(acq.kspace, mask)
    room = min(0.5, 10 * float(noise_to_signal(acq)) ** 0.5)
    for sense, given in (
        (Sense(), estimate_maps(acq, outside=room)),
        (Sense(outside=0.0), estimate_maps(acq)),
        (Sense(n_maps=2), estimate_maps(acq, n_maps=2, outside=room)),
        (Sense(maps="walsh"), estimate_maps(acq, "walsh")),
    ):
        assert torch.equal(sense(acq), sense(acquire(acq.kspace, mask, given)))
    assert not Sense(outside=0.0)(acq)[:, :2, :2].any()
    assert Sense()(acq)[:, :2, :2].abs().min() > 0


def test_the_true_maps_unfold_exactly():
    """Without noise and penalty, threefold aliasing of eight coils comes apart."""
    maps = ARRAYS["biot-savart"](8, (40, 45)).to(torch.complex128)
    image = draw(40, 45)
    mask = torch.arange(45) % 3 == 1
    x = Sense(lam=0, tolerance=1e-10, max_iterations=400)(acquire(fft2(maps * image), mask, maps))
    assert float((x - image).norm() / image.norm()) < 1e-5


def test_two_sets_of_maps_where_the_object_wraps_around():
    """84 columns of object in a field of view of 64: with one set of maps the ends that wrap around cannot be right."""
    shape = (60, 96)
    big = ARRAYS["biot-savart"](8, shape)
    y, x = torch.meshgrid(torch.linspace(-1, 1, 60), torch.arange(96) - 48.0, indexing="ij")
    texture = torch.rand(1, *shape, generator=torch.Generator().manual_seed(0))
    image = (0.5 + torch.nn.functional.avg_pool2d(texture, 5, 1, 2)[0]) * ((y / 0.8) ** 2 + (x / 42) ** 2 < 1)
    z = big * image
    folded = z[..., 16:80].clone()
    folded[..., :16] += z[..., 80:]
    folded[..., 48:] += z[..., :16]
    k, mask = fft2(folded), torch.arange(64) % 2 == 0
    mask[20:44] = True
    reference = folded.abs().square().sum(0).sqrt()
    one, two = (float((Sense(n_maps=n)(acquire(k, mask)).abs() - reference).norm() / reference.norm()) for n in (1, 2))
    assert two < 0.06
    assert one > 2 * two


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lam": -1.0}, "lam is -1.0; wanted a number >= 0"),
        ({"lam": float("nan")}, "lam is nan; wanted"),
        ({"tolerance": 0.0}, "tolerance is 0.0; wanted a number between 0 and 1"),
        ({"tolerance": 1.0}, "tolerance is 1.0; wanted"),
        ({"tolerance": float("nan")}, "tolerance is nan; wanted"),
        ({"max_iterations": 0}, "max_iterations is 0; wanted at least 1"),
        ({"outside": -0.1}, "outside is -0.1; wanted a number from 0 to 1"),
        ({"outside": 1.1}, "outside is 1.1; wanted"),
        ({"maps": "magic"}, "maps is 'magic'; wanted espirit or walsh"),
        ({"n_maps": 2, "maps": "walsh"}, "n_maps is 2 with maps='walsh'; only espirit gives several sets"),
    ],
)
def test_errors(options, text):
    with pytest.raises(ArgumentError, match=text):
        Sense(**options)


# The default penalty.


def noisy(n_slices=1, shape=(96, 80), noise=None):
    """Flat k-space of noise of variance 4 but for a loud middle, and every other column skipped."""
    g = torch.Generator().manual_seed(0)
    k = 2 * torch.randn(n_slices, 4, *shape, dtype=torch.complex128, generator=g)
    k[..., 44:52, 30:50] += 120
    mask = torch.arange(80) % 2 == 0
    mask[30:50] = True
    return acquire(k, mask, noise=noise)


def wiener(acq, variance):
    """3 sigma^2 over the mean of |x|^2 that the noise does not explain."""
    y = acq.kspace.numpy()
    sampled = acq.mask.float().mean().item()
    mean = (np.abs(y) ** 2).sum((-3, -2, -1)) / (y.shape[-2] * y.shape[-1])
    return 3 * variance / (mean - variance * y.shape[-3] * sampled)


def test_the_default_penalty_is_the_noise_over_the_signal():
    psi = torch.diag(torch.tensor([1.0, 2.0, 3.0, 10.0])).to(torch.complex128)
    acq = noisy(2, noise=psi)
    lam = noise_to_signal(acq)
    assert lam.shape == (1, 2, 1, 1)
    np.testing.assert_allclose(lam.flatten().numpy(), wiener(acq, 4.0), rtol=1e-9)
    assert 1e-3 < float(lam[0, 0]) < 0.03
    edge = noise_to_signal(replace(acq, noise=None))  # found in the data
    np.testing.assert_allclose(edge.flatten().numpy(), lam.flatten().numpy(), rtol=0.3)
    assert torch.equal(Sense()(acq)[1], Sense(lam=float(lam[0, 1]))(acq.entry(1)))


def test_the_default_penalty_has_no_unit_and_is_for_each_entry():
    acq = noisy(3)
    acq.kspace[1, :, 44:52, 30:50] *= 3
    lam = noise_to_signal(acq).flatten()
    assert float(lam[1]) < 0.5 * float(lam[0])
    scaled = acq.kspace * torch.tensor([1.0, 30.0, 1e-7])[:, None, None, None]
    torch.testing.assert_close(noise_to_signal(replace(acq, kspace=scaled)).flatten(), lam, rtol=1e-6, atol=0)
    for i in range(3):
        torch.testing.assert_close(noise_to_signal(acq.entry(i)).flatten()[0], lam[i])


def test_the_default_penalty_where_it_cannot_or_need_not_be_known():
    acq = noisy()
    assert float(noise_to_signal(acquire(acq.kspace, torch.ones(80)))) == 0
    assert float(noise_to_signal(acquire(acq.kspace[:, :1], acq.mask))) == 0
    assert float(noise_to_signal(acquire(acq.kspace[..., :8, 40:50]))) == 0
    small = acquire(acq.kspace[..., 44:52, 40:52], torch.arange(12) % 4 > 0)
    assert float(noise_to_signal(small)) == 0.005
    only_noise = replace(acq, noise=1e4 * torch.eye(4, dtype=torch.complex128))
    assert float(noise_to_signal(only_noise)) == 0.03  # it explains more than there is
    assert float(noise_to_signal(replace(acq, noise=40 * torch.eye(4, dtype=torch.complex128)))) == 0.03


def test_air_gets_room_for_its_noise_entry_by_entry(monkeypatch):
    """Norm of the maps outside the body: 10 sqrt(lam) of the noise, at most 0.5, and 0.5 where lam is 0."""
    acq, _ = phantom("shepp-logan", (64, 66), n_coils=4, n_slices=3, snr=math.inf)
    mask = torch.arange(66) % 2 == 0
    mask[22:44] = True
    masked = acquire(acq.kspace, mask)
    lam = torch.tensor([0.0, 1e-4, 0.02]).reshape(1, 3, 1, 1)
    monkeypatch.setattr("kolumn.recon.sense.noise_to_signal", lambda acquisition: lam)
    for sense in (Sense(), Sense(lam=0.3)):
        norm = torch.linalg.vector_norm(sense._estimate(masked), dim=-3)
        outside = norm < 0.9
        for i, wanted in enumerate((0.5, 0.1, 0.5)):
            assert outside[i].any()
            assert torch.allclose(norm[i][outside[i]], torch.tensor(wanted), atol=1e-3)


@pytest.mark.parametrize("factor", [0.01, 300.0, 2j])
@pytest.mark.parametrize("method", ["zero-filled", "sense", "grappa"])
def test_the_unit_of_maps_does_not_matter(method, factor):
    acq, _ = phantom("anatomy", (48, 50), n_coils=5, snr=40.0)
    mask = torch.arange(50) % 2 == 1
    mask[16:36] = True
    maps = ARRAYS["biot-savart"](5, (48, 50))
    image, other = (reconstruct(acq.kspace, mask, m, method).abs() for m in (maps, factor * maps))
    assert torch.allclose(image, other, rtol=1e-3, atol=1e-3 * float(image.max()))
