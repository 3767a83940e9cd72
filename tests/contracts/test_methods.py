"""What every method of the table promises, whatever it does inside."""

import functools

import numpy as np
import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.coils import linear_image
from kolumn.errors import ArgumentError, CalibrationError
from kolumn.fourier import fft2
from kolumn.masks import make_mask
from kolumn.metrics import score
from kolumn.phantoms import ARRAYS, phantom
from kolumn.recon import METHODS, Grappa, Sense, ZeroFilled, choose_method, make_method, method_class, reconstruct
from kolumn.recon.learned import _load_once

pytestmark = pytest.mark.filterwarnings("ignore::kolumn.errors.OutsideTraining")  # such small and odd scans

SHAPES = [(40, 44), (41, 45)]
BRIGHTNESS = torch.tensor([1.0, 30.0, 0.1])
IMAGES = [name for name, cls in METHODS.items() if not getattr(cls, "SERIES", False)]  # llr has tests of its own
ITERATIVE = [name for name in IMAGES if hasattr(METHODS[name], "solve")]
NETWORKS = [name for name in IMAGES if hasattr(METHODS[name], "weights")]
NEED_CALIBRATION = {"sense", "grappa", *NETWORKS, *ITERATIVE}


def options(name):
    """Enough for what is asked here, and much faster than the defaults."""
    return {"lam": "0.002max", "max_iterations": 20} if name in ITERATIVE else {}


@functools.cache
def scan(shape=(41, 45), n_coils=5, snr=None):
    """Fully sampled k-space of three slices, their image and the maps."""
    acq, image = phantom("anatomy", shape, n_coils=n_coils, n_slices=3, snr=snr, array="birdcage", seed=1)
    return acq.kspace, image, ARRAYS["birdcage"](n_coils, shape)


def columns(nx, acceleration=2, centre=14):
    mask = torch.arange(nx) % acceleration == (nx // 2) % acceleration
    mask[nx // 2 - centre // 2 : nx // 2 - centre // 2 + centre] = True
    return mask


def error(image, reference):
    return float((image.abs() - reference.abs()).norm() / reference.abs().norm())


def close(a, b, within=1e-5):
    assert a.shape == b.shape
    assert float((a - b).norm() / b.norm()) < within


@pytest.mark.parametrize("with_maps", [False, True])
@pytest.mark.parametrize("n_coils", [1, 5])
@pytest.mark.parametrize("batch", [(), (3,), (3, 1), (1, 3, 1)])
@pytest.mark.parametrize("name", IMAGES)
def test_any_leading_batch(name, batch, n_coils, with_maps):
    shape = (41, 45)
    k, _, maps = scan(shape, n_coils)
    k = (k if batch else k[0]).reshape(*batch, n_coils, *shape)
    before = k.clone(), maps.clone(), columns(45)
    mask = columns(45)
    image = reconstruct(k, mask, maps if with_maps else None, name, **options(name))
    assert image.shape == (*batch, *shape)
    assert image.dtype == torch.complex64
    assert torch.isfinite(torch.view_as_real(image)).all()
    assert image.abs().max() > 0
    for now, then in zip((k, maps, mask), before, strict=True):
        assert torch.equal(now, then)


@pytest.mark.parametrize("name", IMAGES)
def test_a_method_leaves_its_acquisition_alone(name):
    k, _, maps = scan()
    for given in (None, maps):
        acq = acquire(k.clone(), columns(45), given, calibration=k[..., 10:30, 10:30].clone())
        before = [x.clone() for x in (acq.kspace, acq.mask, acq.calibration)]
        first = make_method(name, **options(name))(acq)
        assert torch.equal(make_method(name, **options(name))(acq), first)  # and nothing is random
        assert all(torch.equal(a, b) for a, b in zip((acq.kspace, acq.mask, acq.calibration), before, strict=True))


@pytest.mark.parametrize("name", IMAGES)
def test_a_method_leaves_the_shared_generators_alone(name):
    _load_once.cache_clear()  # a network is built anew
    torch.manual_seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    k, _, _ = scan()
    make_method(name)(acquire(k[0], columns(45)))
    assert torch.equal(torch.get_rng_state(), before[0])
    assert np.random.get_state()[1].tolist() == before[1]


@pytest.mark.parametrize("name", IMAGES)
def test_kspace_of_any_layout(name):
    k = scan()[0][0]
    want = reconstruct(k, columns(45), method=name, **options(name))
    for same in (k.mT.contiguous().mT, k.movedim(0, -1).contiguous().movedim(-1, 0), k.conj().resolve_conj().conj()):
        close(reconstruct(same, columns(45), method=name, **options(name)), want, 1e-4)


@pytest.mark.parametrize("name", IMAGES)
def test_double_precision_stays(name):
    k, _, maps = scan()
    double = k[0].to(torch.complex128)
    for given in (None, maps):
        image = reconstruct(double, columns(45), given, name, **options(name))
        assert image.dtype == torch.complex128
        close(reconstruct(k[0], columns(45), given, name, **options(name)).to(image.dtype), image, 2e-3)


@pytest.mark.parametrize("scale", [1e-7, 1e5])
@pytest.mark.parametrize("with_maps", [False, True])
@pytest.mark.parametrize("name", IMAGES)
def test_the_image_scales_with_kspace(name, with_maps, scale):
    k, _, maps = scan(snr=50.0)
    given = maps if with_maps else None
    one = reconstruct(k[0], columns(45), given, name, **options(name))
    close(reconstruct(scale * k[0], columns(45), given, name, **options(name)) / scale, one, 2e-3)


@pytest.mark.parametrize("with_maps", [False, True])
@pytest.mark.parametrize("name", IMAGES)
def test_entries_unlike_in_brightness_and_mask_are_as_if_alone(name, with_maps):
    k, _, maps = scan(snr=50.0)
    k = k * BRIGHTNESS[:, None, None, None]
    mask = torch.stack([columns(45), columns(45, 3), columns(45, 2, 20)])[:, None, None]
    given = maps if with_maps else None
    together = reconstruct(k, mask, given, name, **options(name))
    for i in range(3):
        close(together[i], reconstruct(k[i], mask[i, 0], given, name, **options(name)), 2e-4)


@pytest.mark.parametrize("with_maps", [False, True])
@pytest.mark.parametrize("n_coils", [1, 5])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", IMAGES)
def test_fully_sampled_is_the_reference(name, shape, n_coils, with_maps):
    k, image, maps = scan(shape, n_coils)
    found = reconstruct(k, None, maps if with_maps else None, name)
    within = 0.012 if name in {"sense", *ITERATIVE} else 1e-5  # these have their penalty
    within = 0.1 if name in NETWORKS else within  # what was learned on larger images, with noise
    assert error(found, image) < within
    assert error(found, linear_image(k)) < within
    if with_maps or n_coils == 1:
        close(found, image, within)  # the phase too


@pytest.mark.parametrize("with_maps", [False, True])
@pytest.mark.parametrize("acceleration", [2, 3])
@pytest.mark.parametrize("name", [n for n in IMAGES if n != "zero-filled"])
def test_better_than_zero_filled(name, acceleration, with_maps):
    acq, image = phantom("anatomy", (96, 80), n_coils=8, snr=60.0, seed=3)
    mask = make_mask("equispaced", (96, 80), acceleration, 0.2).samples
    maps = ARRAYS["biot-savart"](8, (96, 80)) if with_maps else None
    reference = image.abs()
    zero, ours = (score(reference, reconstruct(acq.kspace, mask, maps, n).abs()) for n in ("zero-filled", name))
    nmse, hfen, gain = (0.8, 1.0, 0.5) if name == "unet" else (0.35, 0.6, 4)  # which sees the aliased image alone
    assert ours["nmse"] < nmse * zero["nmse"]
    assert ours["hfen"] < hfen * zero["hfen"]
    assert ours["psnr"] > zero["psnr"] + gain
    assert ours["ssim"] > zero["ssim"]


@pytest.mark.parametrize("name", [n for n in IMAGES if n != "unet"])  # which has the last word itself
def test_one_coil_of_fewer_columns_has_the_samples_that_came(name):
    """With one coil nothing is known of what is missing but its neighbours; what was measured stays about the same."""
    k, _, _ = scan((41, 45), 1)
    image = reconstruct(k[0], columns(45), method=name)
    within = 0.1 if name in NETWORKS else 0.02
    assert error(fft2(image)[..., columns(45)], k[0, 0][..., columns(45)]) < within


@pytest.mark.parametrize("name", IMAGES)
def test_no_calibration_lines(name):
    k, _, maps = scan()
    mask = torch.arange(45) % 2 == 1  # the centre, 22, is not among them
    if name in NEED_CALIBRATION:
        with pytest.raises(CalibrationError, match="fully sampled centre of k-space is 0 columns by 0 rows") as found:
            reconstruct(k[0], mask, method=name)
        assert "\n" not in str(found.value)
    if name != "grappa":
        assert torch.isfinite(reconstruct(k[0], mask, maps, name).abs()).all()
    apart = acquire(k[0], mask, calibration=k[0, :, 8:33, 10:34])
    # So small a k-space has signal at its edge, which the defaults of sense take for noise.
    method = make_method(name, **({"lam": 0.005, "outside": 0.4} if name == "sense" else {}))
    within = {"zero-filled": 0.8, "unet": 0.8, "unrolled": 0.25, "learned-cs": 0.25}.get(name, 0.1)
    assert error(method(apart), linear_image(k[0])) < within


@pytest.mark.parametrize("name", IMAGES)
def test_a_calibration_of_zeros(name):
    k = scan()[0][0].clone()
    k[..., 12:33] = 0
    if name in NEED_CALIBRATION:
        with pytest.raises(CalibrationError, match="the calibration lines are all zero"):
            reconstruct(k, columns(45), method=name)
    else:
        assert torch.isfinite(reconstruct(k, columns(45), method=name).abs()).all()


@pytest.mark.parametrize("name", IMAGES)
def test_unknown_options(name):
    with pytest.raises(ArgumentError, match=f"method '{name}' has no option 'magic'; it has ") as found:
        make_method(name, magic=1)
    assert "\n" not in str(found.value)


def test_the_table():
    assert METHODS["zero-filled"] is ZeroFilled
    assert METHODS["sense"] is Sense
    assert METHODS["grappa"] is Grappa
    assert method_class("sense") is Sense
    assert make_method("sense", lam=0.1) == Sense(lam=0.1)
    assert make_method("grappa", rows=3) == Grappa(rows=3)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("sens", "unknown method 'sens'; there is zero-filled, sense, .*; did you mean 'sense'\\?"),
        ("qqqq", "unknown method 'qqqq'; there is zero-filled, sense, [^;]*$"),
    ],
)
def test_unknown_methods(name, text):
    for call in (
        lambda: method_class(name),
        lambda: make_method(name),
        lambda: reconstruct(torch.ones(4, 4), None, None, name),
    ):
        with pytest.raises(ArgumentError, match=text):
            call()


def test_what_auto_means():
    k = scan()[0]
    one = scan(n_coils=1)[0]
    assert choose_method(acquire(k)) == "zero-filled"
    assert choose_method(acquire(k, columns(45))) == "sense"
    assert choose_method(acquire(one, columns(45))) == "zero-filled"
    assert torch.equal(reconstruct(k, columns(45)), reconstruct(k, columns(45), method="sense"))
    assert torch.equal(reconstruct(k), reconstruct(k, method="zero-filled"))
    assert torch.equal(reconstruct(k, columns(45), lam=0.3), reconstruct(k, columns(45), None, "sense", lam=0.3))
    assert not torch.equal(reconstruct(k, columns(45), lam=0.3), reconstruct(k, columns(45)))
    assert torch.equal(reconstruct(k * columns(45)), reconstruct(k, columns(45)))  # the mask is found


def test_the_front_door():
    k, _, maps = scan()
    mask = columns(45)
    acq = acquire(k, mask, maps)
    assert torch.equal(reconstruct(acq, method="sense"), reconstruct(k.numpy(), mask.numpy(), maps.numpy(), "sense"))
    assert torch.equal(reconstruct(k, mask, "walsh", "sense"), Sense(maps="walsh")(acquire(k, mask)))
    assert not torch.equal(reconstruct(k, mask, "walsh", "sense"), reconstruct(k, mask, "espirit", "sense"))
    assert reconstruct(k[0, 0]).shape == (41, 45)
    for wrong in ({"mask": mask}, {"maps": maps}):
        with pytest.raises(ArgumentError, match="an Acquisition came, which has its own mask and maps"):
            reconstruct(acq, **wrong)
    with pytest.raises(ArgumentError, match="maps is 'magic'; wanted espirit or walsh"):
        reconstruct(k, mask, "magic", "sense")
