"""Each check fires on its own disease, on simulated and on real scans, and on nothing else."""

from __future__ import annotations

import numpy as np
import pytest
from ward import ABSENT, DATA, HEALTHY, check, columns, healthy, names, real, store

from kolumn.doctor import CHECKS, diagnose, examine, facts, look
from kolumn.fourier import crop, fft1, fft2, ifft1, ifft2
from kolumn.io import open_scan, write_kspace
from kolumn.phantoms import phantom

SCALES = (1e-8, 1.0, 1e4)
CASES = ["anatomy", "no noise", "shepp-logan", "brain_gre_8coil.h5"]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.h5"


@pytest.fixture(params=CASES)
def k(request):
    """K-space (slice, coil, ky, kx) of a healthy scan, of a phantom or a real one."""
    if request.param.endswith(".h5"):
        if not DATA.is_dir():
            pytest.skip(ABSENT)
        return real(request.param)
    return healthy(request.param)


def tensor(transform, k, *args):
    import torch

    return transform(torch.from_numpy(np.array(k)), *args).numpy()


# ---------------------------------------------------------------- healthy


@pytest.mark.parametrize("scale", SCALES)
def test_healthy_scans_pass_whatever_their_units(path, k, scale):
    assert names(list(check(path, (k * scale).astype(np.complex64)).values())) == []


@pytest.mark.parametrize("scale", SCALES)
def test_healthy_scans_pass_undersampled(path, k, scale):
    mask = columns(k.shape[-1])
    assert names(list(check(path, (k * mask * scale).astype(np.complex64)).values())) == []


@pytest.mark.parametrize(("n_coils", "shape"), [(1, (64, 64)), (2, (65, 51)), (32, (96, 80))])
@pytest.mark.parametrize("case", HEALTHY)
def test_healthy_phantoms_of_any_number_of_coils(path, case, n_coils, shape):
    found = check(path, healthy(case, n_coils, shape))
    assert names(list(found.values()), "warning", "problem") == []


@pytest.mark.parametrize("suffix", [".mrd", ".npy", ".npz", ".cfl", ".h5"])
def test_healthy_in_every_format(tmp_path, suffix):
    acquisition, _ = phantom(shape=(64, 48), n_coils=3, n_slices=2)
    target = tmp_path / f"a{suffix}"
    write_kspace(target, acquisition)
    scan = open_scan(target)
    assert names(examine(scan)) == []
    assert facts(look(scan))["amplitude"]["largest"] == pytest.approx(float(acquisition.kspace.abs().max()), rel=1)


# ---------------------------------------------------------------- values


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_is_a_finding_not_a_crash(path, bad):
    k = healthy().copy()
    k[1, 2, 3, 4] = bad
    found = check(path, k)
    assert list(found) == ["values"]
    assert found["values"].severity == "problem"
    assert found["values"].what.startswith("slice 1: ")
    assert "1 of 46080 samples" in found["values"].what
    assert "nan_to_num" in found["values"].advice


def test_all_slices_empty(path):
    found = check(path, np.zeros((2, 3, 16, 16), np.complex64))
    assert found["values"].what == "slice 0, 1: kspace is all zero: there is nothing to reconstruct"
    assert facts(look(open_scan(path)))["examined slices"] == []


# ---------------------------------------------------------------- axes and order


def test_coils_last(path, k):
    found = check(path, np.moveaxis(k, 1, -1))
    assert (list(found), found["coil axis"].severity) == (["coil axis"], "problem")
    assert "np.moveaxis(kspace, -1, 1)" in found["coil axis"].advice


def test_coils_between_the_axes_of_kspace(path, k):
    found = check(path, np.moveaxis(k, 1, 2))
    assert "np.moveaxis(kspace, -2, 1)" in found["coil axis"].advice


def test_coils_last_without_slices(path, k):
    found = check(path, np.moveaxis(k[0], 0, -1))
    assert "np.moveaxis(kspace, -1, 0)" in found["coil axis"].advice


@pytest.mark.parametrize("n_coils", [1, 6])
def test_few_columns_are_not_coils(path, n_coils):
    narrow = np.tile(healthy()[:1, :n_coils, :, 28:52], (40, 1, 1, 1))
    assert "coil axis" not in check(path, narrow)


@pytest.mark.parametrize("mask", [1, columns()], ids=["full", "undersampled"])
@pytest.mark.parametrize("case", ["anatomy", "no noise"])
def test_coils_and_slices_swapped(path, case, mask):
    found = check(path, np.swapaxes(healthy(case), 0, 1) * mask)
    assert found["coil and slice"].severity == "problem"
    assert "np.swapaxes(kspace, 0, 1)" in found["coil and slice"].advice


@pytest.mark.parametrize("name", ["brain_gre_8coil.h5", "brain_t1_7coil.h5"])
@pytest.mark.skipif(not DATA.is_dir(), reason=ABSENT)
def test_coils_taken_for_slices(path, name):
    loud = real(name)[0][[0, 1, 3]]
    found = check(path, loud)
    assert "kspace[None]" in found["coil and slice"].advice


def test_coils_taken_for_slices_simulated(path):
    assert "coil and slice" in check(path, healthy("no noise")[0])


def test_repetitions_are_not_coils(path):
    k = healthy("no noise")[0]
    assert "coil and slice" not in check(path, np.stack([k[0], 2 * k[0], 3 * k[0]]))
    assert "coil and slice" not in check(path, np.stack([k, 2 * k, 3 * k]))


def test_image_instead_of_kspace(path, k):
    found = check(path, tensor(ifft2, k))
    assert (list(found), found["domain"].severity) == (["domain"], "problem")
    assert "fft2(image)" in found["domain"].advice


@pytest.mark.parametrize("dim", [-2, -1])
def test_half_transformed(path, k, dim):
    found = check(path, tensor(ifft1, k, dim))
    assert list(found) == ["domain"]
    assert f"fft1(kspace, dim={dim})" in found["domain"].advice


@pytest.mark.parametrize("n_coils", [1, 4])
def test_noise_alone(path, n_coils):
    parts = np.random.default_rng(3).standard_normal((2, 1, n_coils, 64, 48))
    found = check(path, (parts[0] + 1j * parts[1]).astype(np.complex64))
    assert (list(found), found["signal"].severity) == (["signal"], "problem")
    assert "as noise alone has" in found["signal"].what


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (1, 3, 1, 1), (2, 1, 1, 8), (1, 1, 8, 1)])
def test_tiny_files_have_facts(path, shape):
    patient = look(open_scan(store(path, np.ones(shape, np.complex64))))
    assert facts(patient)["calibration"]["rows"] == shape[-2]
    assert facts(patient)["calibration"]["columns"] == shape[-1]
    diagnose(patient)


@pytest.mark.parametrize("axes", [(-2, -1), (-2,), (-1,)])
def test_fft_order(path, k, axes):
    found = check(path, np.fft.ifftshift(k, axes))
    assert (list(found), found["centre"].severity) == (["centre"], "problem")
    assert f"axes=({', '.join(map(str, axes))},)" in found["centre"].advice


@pytest.mark.parametrize("shift", [(9, 0), (0, -11), (7, 7)])
def test_far_off_the_centre(path, k, shift):
    found = check(path, np.roll(k, shift, (-2, -1)))
    assert found["centre"].severity == "warning"


def test_far_off_the_centre_says_how_far(path):
    found = check(path, np.roll(healthy(), (9, -11), (-2, -1)))
    assert "+9 rows and -11 columns" in found["centre"].what
    assert "np.roll(kspace, (-9, 11), axis=(-2, -1))" in found["centre"].advice


def test_a_little_off_the_centre_matters_for_few_calibration_lines_only(path, k):
    moved = np.roll(k, (2, 3), (-2, -1))
    assert "centre" not in check(path, moved)
    assert "centre" not in check(path, moved * columns(k.shape[-1], width=24))
    assert check(path, moved * columns(k.shape[-1], width=8))["centre"].severity == "note"


def test_rows_skipped(path, k):
    mask = columns(k.shape[-2])[:, None]
    found = check(path, k * mask)
    assert found["transposed"].severity == "warning"
    assert "np.swapaxes(kspace, -1, -2)" in found["transposed"].advice


def test_asymmetric_echo_and_two_dimensional_masks_are_not_transposed(path):
    k = healthy().copy()
    k[..., :20, :] = 0
    assert "transposed" not in check(path, k)
    mask = np.random.default_rng(0).random((96, 80)) < 0.5
    mask[40:56, 32:48] = True
    assert "transposed" not in check(path, healthy() * mask)


# ---------------------------------------------------------------- oversampling


def oversampled(k):
    """The image with air above and below."""
    import torch

    image = ifft2(torch.from_numpy(np.array(k)))
    n = image.shape[-2]
    wide = torch.nn.functional.pad(torch.view_as_real(image), (0, 0, 0, 0, n // 2, n // 2))
    return fft2(torch.view_as_complex(wide)).numpy()


def test_oversampled_readout_without_header(path, k):
    found = check(path, oversampled(k))
    assert found["oversampling"].severity == "note"
    assert f"remove_oversampling(kspace, {k.shape[-2]})" in found["oversampling"].advice


def test_oversampled_last_axis(path, k):
    found = check(path, np.swapaxes(oversampled(k), -1, -2))
    assert "np.swapaxes(kspace, -1, -2)" in found["oversampling"].advice


def test_oversampled_readout_with_header(path):
    acquisition, _ = phantom(shape=(64, 48), n_coils=2)
    from kolumn.acquisition import acquire

    wide = acquire(oversampled(acquisition.kspace.numpy()), geometry=acquisition.geometry)
    write_kspace(path, wide)
    found = examine(open_scan(path))
    assert names(found) == ["oversampling"]
    assert "oversampled 2 times: 128 samples for 64 pixels" in found[0].what


# ---------------------------------------------------------------- samples that should not be


@pytest.mark.parametrize("scale", SCALES)
def test_mask_that_was_not_applied(path, k, scale):
    mask = columns(k.shape[-1])
    found = check(path, (k * scale).astype(np.complex64), mask=mask)
    assert found["unsampled"].severity == "warning"
    assert f"{int((~mask).sum())} columns" in found["unsampled"].what


@pytest.mark.parametrize("with_mask", [False, True])
def test_rounding_errors_where_nothing_was_sampled(path, k, with_mask):
    mask = columns(k.shape[-1])
    dusty = np.where(mask, k, 1e-17 * np.abs(k).max()).astype(np.complex64)
    found = check(path, dusty, **({"mask": mask} if with_mask else {}))
    assert list(found) == ["unsampled"]
    assert found["unsampled"].severity == "note"
    assert "1e-17" in found["unsampled"].what


def test_applied_mask_is_fine(path, k):
    mask = columns(k.shape[-1])
    assert check(path, k * mask, mask=mask) == {}
    mask = np.arange(k.shape[-1]) > 2
    assert check(path, k * mask, mask=mask) == {}


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
def test_numpy_files_are_read_raw_too(tmp_path, suffix):
    mask = columns()
    dusty = np.where(mask, healthy(), 1e-12).astype(np.complex64)
    target = tmp_path / f"a{suffix}"
    np.save(target, dusty) if suffix == ".npy" else np.savez(target, kspace=dusty, mask=mask)
    assert names(examine(open_scan(target))) == ["unsampled"]


def test_dust_outside_a_two_dimensional_mask(path):
    mask = np.random.default_rng(0).random((96, 80)) < 0.5
    mask[40:56, 32:48] = True
    found = check(path, healthy(), mask=mask)
    assert f"{int((~mask).sum())} samples" in found["unsampled"].what


@pytest.mark.parametrize("value", [0, 1e-17])
def test_a_few_empty_columns(path, k, value):
    k = k.copy()
    k[..., [0, 1, -1]] = value * np.abs(k).max()
    found = check(path, k)
    n = k.shape[-1]
    assert list(found) == ["gaps"]
    assert found["gaps"].severity == "note"
    assert f"3 of {n} (0-1, {n - 1})" in found["gaps"].what
    assert ("1e-17" in found["gaps"].what) == (value > 0)


def test_faint_columns(path, k):
    mask = columns(k.shape[-1])
    found = check(path, np.where(mask, k, 1e-4 * k))
    assert found["faint"].severity == "warning"
    assert f"{int((~mask).sum())} columns" in found["faint"].what


# ---------------------------------------------------------------- calibration


@pytest.mark.parametrize(("width", "fires"), [(0, True), (5, True), (6, False)])
def test_calibration(path, k, width, fires):
    mask = columns(k.shape[-1], step=7, width=0)
    middle = k.shape[-1] // 2
    mask[middle - 3 : middle + 4] = False
    mask[middle - width // 2 : middle - width // 2 + width] = True
    found = check(path, k * mask)
    assert ("calibration" in found) == fires
    if fires:
        assert f"has {width} columns" in found["calibration"].what


def test_one_coil_needs_no_calibration(path):
    mask = columns(step=4, width=0)
    assert "calibration" not in check(path, healthy()[:, :1] * mask)


def test_calibration_acquired_apart(path):
    from dataclasses import replace

    import torch

    patient = look(open_scan(store(path, healthy() * columns(width=2))))
    assert "calibration" in names(diagnose(patient))
    block = torch.from_numpy(healthy()[0, :, 36:60, 28:52].copy())
    apart = tuple(replace(one, calibration=block) for one in patient.slices)
    assert "calibration" not in names(diagnose(replace(patient, slices=apart)))


# ---------------------------------------------------------------- coils


def test_dead_coil(path, k):
    k = k.copy()
    k[:, 1] = 0
    found = check(path, k)
    assert (list(found), found["dead coils"].severity) == (["dead coils"], "warning")
    assert "np.delete(kspace, [1], axis=-3)" in found["dead coils"].advice


@pytest.mark.parametrize("scale", SCALES)
def test_noise_only_coils(path, k, scale):
    k = k.copy()
    rng = np.random.default_rng(0)
    edge = np.abs(k[..., :4, :]).std()
    for coil in (0, 4):
        k[:, coil] = edge * (rng.standard_normal(k[:, 0].shape) + 1j * rng.standard_normal(k[:, 0].shape))
    found = check(path, (k * scale).astype(np.complex64))
    assert found["weak coils"].severity == "warning"
    assert "np.delete(kspace, [0, 4], axis=-3)" in found["weak coils"].advice


def test_unlike_noise(path):
    rng = np.random.default_rng(0)
    k = healthy()
    more = np.abs(k[..., :4, :]).std() * (rng.standard_normal(k.shape) + 1j * rng.standard_normal(k.shape))
    gains = np.array([1, 1, 5, 1, 1, 1]).reshape(-1, 1, 1)
    found = check(path, ((k + more) * gains).astype(np.complex64))
    assert list(found) == ["noise"]
    assert found["noise"].severity == "note"
    assert "--whiten edge" in found["noise"].advice


# ---------------------------------------------------------------- spikes and clipping


def test_spike(path, k):
    k = k.copy()
    y, x = 7, k.shape[-1] - 9
    k[0, :, y, x] += 0.3 * np.abs(k).max()
    found = check(path, k)
    assert (list(found), found["spikes"].severity) == (["spikes"], "warning")
    assert f"1 spike at (slice, row, column) (0, {y}, {x})" in found["spikes"].what
    k[0, :, y, x] = 0
    assert "spikes" not in check(path, k)


def test_a_spike_louder_than_the_middle_does_not_move_it(path, k):
    k = k.copy()
    k[0, :, 7, 9] += 2 * np.abs(k).max()
    assert "centre" not in check(path, k)


def test_clipping(path, k):
    k = np.array(k)
    top = 0.3 * max(np.abs(k.real).max(), np.abs(k.imag).max())
    clipped = k.real.clip(-top, top) + 1j * k.imag.clip(-top, top)
    several = ((np.abs(clipped.real) == top).sum((-1, -2)) + (np.abs(clipped.imag) == top).sum((-1, -2))).max()
    assert several >= 4
    assert check(path, clipped.astype(np.complex64))["clipping"].severity == "warning"


# ---------------------------------------------------------------- the table, and real files as they are


def test_findings_carry_the_name_of_their_check(path):
    assert set(CHECKS) == {
        "values", "coil axis", "domain", "signal", "centre", "coil and slice", "transposed", "oversampling",
        "unsampled", "gaps", "faint", "calibration", "dead coils", "weak coils", "spikes", "clipping", "noise",
        "header",
    }  # fmt: skip
    k = healthy().copy()
    k[:, 1] = 0
    k[0, 0, 7, 9] += 0.3 * np.abs(k).max()
    k[..., 0] = 0
    patient = look(open_scan(store(path, k)))
    found = {name: check(patient) for name, check in CHECKS.items()}
    fired = {name: f for name, f in found.items() if f is not None}
    assert set(fired) == {"dead coils", "spikes", "gaps"}
    assert all(name == f.check and "\n" not in f.what + f.advice for name, f in fired.items())
    assert [f.severity for f in diagnose(patient)] == ["warning", "warning", "note"]


REAL = {
    "brain_t1_7coil.h5": ["weak coils"],
    "brain_gre_8coil.h5": [],
    **{f"brain_55mT_p{p}_{kind}.h5": ["gaps"] for p in (1, 2, 3) for kind in ("fse", "flair")},
    "siemens_phantom_bssfp_r3_14coil.mrd.h5": ["oversampling"],
    "phantom_48mT_tse3d_1coil.mrd.h5": ["header"],
    "siemens_phantom_gre_2coil.dat": ["oversampling"],
}


@pytest.mark.parametrize("name", REAL)
@pytest.mark.skipif(not DATA.is_dir(), reason=ABSENT)
def test_real_files(name):
    if name.endswith(".dat"):
        pytest.importorskip("twixtools")
    found = examine(open_scan(DATA / name))
    assert names(found) == REAL[name]
    assert names(found, "warning", "problem") == (["weak coils"] if name == "brain_t1_7coil.h5" else [])


@pytest.mark.skipif(not DATA.is_dir(), reason=ABSENT)
def test_the_weak_coils_of_the_real_brain():
    found = examine(open_scan(DATA / "brain_t1_7coil.h5"))
    assert "coils 2, 5-6" in found[0].what
    assert "--coils 4" in found[0].advice


@pytest.mark.skipif(not DATA.is_dir(), reason=ABSENT)
def test_the_empty_columns_of_the_real_low_field_scan():
    found = examine(open_scan(DATA / "brain_55mT_p1_flair.h5"))
    assert "9 of 126 (0-4, 122-125) hold at most 5e-17" in found[0].what


def test_crop_is_the_inverse_of_oversampled():
    import torch

    k = healthy()
    back = crop(ifft2(torch.from_numpy(oversampled(k))), k.shape[-2:])
    assert torch.allclose(fft2(back), torch.from_numpy(np.array(k)), atol=1e-5 * float(np.abs(k).max()))
    assert torch.allclose(fft1(ifft1(back, -1), -1), back, atol=1e-4)
