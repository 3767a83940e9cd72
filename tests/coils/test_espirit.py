"""ESPIRiT against maps that are known, and against its equations written out pixel by pixel."""

import functools

import numpy as np
import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.coils import calibration_block, espirit, estimate_maps, root_sum_of_squares
from kolumn.errors import ArgumentError, CalibrationError
from kolumn.fourier import fft2, ifft2
from kolumn.phantoms import ARRAYS, phantom

SHAPES = [(64, 64), (57, 72)]


@functools.cache
def scan(array="birdcage", shape=(57, 72), snr=None):
    acq, image = phantom("anatomy", shape, n_coils=6, snr=snr, array=array, seed=2)
    maps = ARRAYS[array](6, shape)
    return calibration_block(acq.entry(0), limit=(24, 24)), maps, image[0].abs() > 0.05 * image.abs().max()


def projection_error(maps, truth):
    """1 - |<a, b>|^2 / (|a| |b|)^2 at each pixel: the energy that the maps miss, whatever their phase."""
    norms = torch.linalg.vector_norm(maps, dim=0) * torch.linalg.vector_norm(truth, dim=0)
    return 1 - ((maps.conj() * truth).sum(0).abs() / norms.clamp_min(1e-6)) ** 2


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("array", ARRAYS)
def test_known_maps(array, shape):
    block, truth, body = scan(array, shape)
    error = projection_error(espirit(block, shape), truth)[body]
    assert float(error.median()) < 1e-4
    assert float(error.quantile(0.95)) < 1e-3
    assert float(error.max()) < 5e-3


def test_known_maps_in_noise():
    block, truth, body = scan(snr=30.0)
    error = projection_error(espirit(block, truth.shape[1:]), truth)[body]
    assert float(error.quantile(0.95)) < 5e-3


def oracle(block, shape, kernel, threshold):
    """M(r) of every pixel by the definition, and its eigenvalues and eigenvectors: numpy, no shortcuts.

    M(r) = 1 / kernel^2 sum over d, d' of exp(2 pi i (d - d') r / N) Q[(c, d), (c', d')]
    """
    block = block.numpy()
    n, cy, cx = block.shape
    windows = [
        block[:, y : y + kernel, x : x + kernel].ravel() for y in range(cy - kernel + 1) for x in range(cx - kernel + 1)
    ]
    U, s, _ = np.linalg.svd(np.array(windows).T, full_matrices=False)
    U = U[:, s > threshold * s[0]]
    d = np.arange(kernel)
    values, vectors = np.zeros((*shape, n)), np.zeros((*shape, n, n), complex)
    for y in range(shape[0]):
        for x in range(shape[1]):
            wave = np.exp(
                2j * np.pi * (d[:, None] * (y - shape[0] // 2) / shape[0] + d * (x - shape[1] // 2) / shape[1])
            )
            G = (U.reshape(n, kernel, kernel, -1) * wave[None, :, :, None]).sum((1, 2)) / kernel
            values[y, x], vectors[y, x] = np.linalg.eigh(G @ G.conj().T)
    return torch.from_numpy(values), torch.from_numpy(vectors)


@pytest.mark.parametrize(("kernel", "threshold"), [(3, 0.3), (4, 0.2), (5, 0.02)])
@pytest.mark.parametrize("shape", [(20, 17), (17, 22)])
def test_the_equations(shape, kernel, threshold):
    g = torch.Generator().manual_seed(1)
    maps = ARRAYS["birdcage"](4, shape).to(torch.complex128)
    image = torch.randn(shape, dtype=torch.complex128, generator=g)
    image[:, 12:] = 0
    k = fft2(maps * image)
    block = k[:, 3:15, 4:15] + 0.3 * torch.randn(4, 12, 11, dtype=torch.complex128, generator=g)
    values, vectors = oracle(block, shape, kernel, threshold)
    largest, clear = values[..., -1], values[..., -2] < 0.8 * values[..., -1]
    assert clear.float().mean() > 0.3
    for crop in (largest.median().item(), largest.quantile(0.2).item()):
        norm = torch.linalg.vector_norm(espirit(block, shape, kernel, threshold, crop), dim=0)
        sure = clear & ((largest - crop).abs() > 1e-9)
        torch.testing.assert_close(norm[sure], (largest > crop)[sure].to(norm.dtype))
    found = espirit(block, shape, kernel, threshold, crop=-1.0)
    error = projection_error(found, vectors[..., -1].permute(2, 0, 1))
    assert float(error[clear].max()) < 1e-8


def test_the_phase_is_that_of_the_first_virtual_coil():
    block, _, body = scan()
    maps = espirit(block, tuple(body.shape), crop=0.0)
    U, _, _ = np.linalg.svd(block.flatten(1).numpy(), full_matrices=False)
    first = torch.from_numpy(U[:, 0])
    loudest = first[first.abs().argmax()]
    s = torch.einsum("c,cyx->yx", (first * loudest.conj() / loudest.abs()).conj(), maps)
    assert s.imag.abs().max() < 1e-4
    assert s.real.min() > 0


def test_the_phase_is_smooth_and_stable():
    block, truth, body = scan()
    maps = espirit(block, tuple(body.shape))
    both = body[:, 1:] & body[:, :-1]
    for of in (maps, truth):
        turn = (of[:, :, 1:].conj() * of[:, :, :-1]).sum(0).angle().abs()[both]
        assert float(turn.max()) < 0.25
    # A slice that is turned in phase and of another brightness has the same maps: the reference turns with it.
    other = espirit(3 * torch.polar(torch.tensor(1.0), torch.tensor(1.0)) * block, tuple(body.shape))
    torch.testing.assert_close(other, maps, atol=2e-3, rtol=0)


@pytest.mark.parametrize("scale", [1e-24, 1e-8, 1e6, 1e24])
@pytest.mark.parametrize("n_maps", [1, 2])
def test_the_unit_of_kspace_does_not_matter(scale, n_maps):
    block, _, body = scan(snr=30.0)
    one, other = (espirit(b, tuple(body.shape), n_maps=n_maps) for b in (block, scale * block))
    inside = body if n_maps == 1 else body.expand(2, *body.shape) & (root_sum_of_squares(one) > 0)
    difference = (one - other).movedim(-3, -1)[inside].abs()
    assert float(difference.quantile(0.99)) < 2e-3
    assert (root_sum_of_squares(one) > 0).float().mean() > 0.2


def test_crop_and_outside():
    block, _, body = scan()
    shape = tuple(body.shape)
    everywhere = espirit(block, shape, crop=0.0)
    norm = torch.linalg.vector_norm(everywhere, dim=0)
    torch.testing.assert_close(norm, torch.ones_like(norm))
    sizes = []
    for crop in (0.6, 0.9, 0.99):
        black = espirit(block, shape, crop=crop)
        inside = torch.linalg.vector_norm(black, dim=0) > 0
        sizes.append(int(inside.sum()))
        assert torch.equal(black, torch.where(inside, everywhere, torch.zeros(())))
        for outside in (0.4, 1.0):
            dim = espirit(block, shape, crop=crop, outside=outside)
            torch.testing.assert_close(dim, torch.where(inside, everywhere, outside * everywhere))
    assert sizes[0] > sizes[1] > sizes[2] > 0
    inside = torch.linalg.vector_norm(espirit(block, shape), dim=0) > 0
    assert bool(inside[body].all())
    assert not bool(inside[:3, :3].any())


def test_precision_and_arguments():
    block = scan()[0]
    before = block.clone()
    assert espirit(block, (16, 17)).dtype == torch.complex64
    assert espirit(block.to(torch.complex128), (16, 17)).dtype == torch.complex128
    assert torch.equal(block, before)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"n_maps": 0}, ArgumentError, "n_maps is 0; wanted 1 to 6, the number of coils"),
        ({"n_maps": 7}, ArgumentError, "n_maps is 7; wanted 1 to 6"),
        ({"kernel": 25}, CalibrationError, "ESPIRiT needs at least 25 x 25 .* and got 24 x 24; acquire more"),
    ],
)
def test_errors(options, error, text):
    block, _, body = scan()
    with pytest.raises(error, match=text):
        espirit(block, tuple(body.shape), **options)


def test_empty_calibration():
    with pytest.raises(CalibrationError, match="the calibration lines are all zero"):
        espirit(torch.zeros(3, 8, 8, dtype=torch.complex64), (16, 16))


# An object that is larger than the field of view.


@functools.cache
def wrapped():
    """K-space of an object of 84 of 96 columns, in a field of view of 64, folded back into it."""
    shape, fov = (60, 96), 64
    maps = ARRAYS["biot-savart"](8, shape)
    y, x = torch.meshgrid(torch.linspace(-1, 1, shape[0]), torch.arange(96) - 48.0, indexing="ij")
    g = torch.Generator().manual_seed(0)
    texture = 1 + 0.5 * torch.nn.functional.avg_pool2d(torch.randn(1, *shape, generator=g), 5, 1, 2)[0]
    image = texture * ((y / 0.8) ** 2 + (x / 42) ** 2 < 1)
    big = maps * image
    folded = big[..., 16:80].clone()
    folded[..., :16] += big[..., 80:]  # what sticks out on the right comes in on the left
    folded[..., 48:] += big[..., :16]
    assert folded.shape[-1] == fov
    return fft2(folded)


def missed(k, maps):
    """The part of fully sampled coil images that no image explains: 1 - |projection|^2 / |z|^2."""
    z = ifft2(k).permute(1, 2, 0)
    S = (maps if maps.ndim == 4 else maps[None]).permute(2, 3, 1, 0)
    x = torch.linalg.pinv(S, rtol=1e-4) @ z[..., None]
    return float((z - (S @ x)[..., 0]).norm() ** 2 / z.norm() ** 2)


def test_two_sets_where_the_object_wraps_around():
    k = wrapped()
    block = calibration_block(acquire(k), limit=(24, 24))
    one, two = (espirit(block, (60, 64), n_maps=n) for n in (1, 2))
    assert two.shape == (2, *one.shape)
    torch.testing.assert_close(two[0], one)
    assert missed(k, two) < 1e-3
    assert missed(k, one) > 10 * missed(k, two)
    norm = torch.linalg.vector_norm(two[1], dim=0)
    assert {round(n, 4) for n in norm.unique().tolist()} == {0.0, 1.0}
    assert (
        float(norm[:, 25:40].mean()) < 0.1 < float(norm[20:40, [2, 61]].mean())
    )  # only at the sides is there a second
    both = norm > 0
    assert float((two[0].conj() * two[1]).sum(0).abs()[both].max()) < 1e-2


def test_outside_concerns_the_first_set_only():
    block = calibration_block(acquire(wrapped()), limit=(24, 24))
    sets = espirit(block, (60, 64), n_maps=2, outside=0.4)
    first, second = torch.linalg.vector_norm(sets, dim=1)
    assert {round(n, 4) for n in first.unique().tolist()} == {0.4, 1.0}
    assert {round(n, 4) for n in second.unique().tolist()} == {0.0, 1.0}


# A whole acquisition.


def test_each_entry_from_its_own_lines():
    acq, _ = phantom("anatomy", (40, 44), n_coils=4, n_slices=3, snr=None, array="birdcage")
    k = (acq.kspace * torch.tensor([1.0, 30.0, 0.1])[:, None, None, None]).reshape(3, 1, 4, 40, 44)
    k[2] = k[2].flip(2)  # other coils, another place
    many = estimate_maps(acquire(k))
    assert many.shape == k.shape
    two = estimate_maps(acquire(k), n_maps=2)
    assert two.shape == (2, *k.shape)
    for i in range(3):
        torch.testing.assert_close(many[i, 0], espirit(k[i, 0], (40, 44)), atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(two[:, i, 0], espirit(k[i, 0], (40, 44), n_maps=2), atol=1e-4, rtol=1e-4)
    assert (many[0, 0] - many[2, 0]).norm() > 0.5 * many[0, 0].norm()


def test_only_the_calibration_lines_count():
    acq, _ = phantom("anatomy", (40, 80), n_coils=4, snr=None)
    mask = torch.zeros(80, dtype=torch.bool)
    mask[::3] = True
    mask[31:52] = True
    other = acq.kspace.clone()
    other[..., :30] *= 5
    maps = [estimate_maps(acquire(k, mask)) for k in (acq.kspace, other)]
    assert torch.equal(*maps)


def test_not_more_than_48_lines():
    acq, _ = phantom("anatomy", (70, 80), n_coils=4, snr=None)
    want = espirit(acq.kspace[0, :, 11:59, 16:64], (70, 80))
    assert torch.equal(estimate_maps(acq)[0], want)


def test_one_coil_and_unknown_ways():
    one = estimate_maps(acquire(torch.ones(2, 1, 5, 6)))
    assert torch.equal(one, torch.ones(2, 1, 5, 6, dtype=torch.complex64))
    with pytest.raises(ArgumentError, match="unknown way to estimate maps: 'magic'; there is espirit, walsh"):
        estimate_maps(acquire(torch.ones(2, 5, 6)), "magic")
