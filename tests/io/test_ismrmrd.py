"""Sorting readouts, with files written by the ismrmrd package itself as oracle."""

from __future__ import annotations

import ismrmrd
import numpy as np
import pytest
import torch
from io_files import OBLIQUE, random_kspace, volume

from kolumn.errors import FormatError
from kolumn.fourier import fft1
from kolumn.io import open_scan, read, write_kspace

F = {"noise": 19, "calibration": 20, "both": 21, "reverse": 22, "navigator": 23, "phasecorr": 24, "dummy": 27}

XML = """<ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">
<acquisitionSystemInformation><systemVendor>{vendor}</systemVendor>
<relativeReceiverNoiseBandwidth>0.8</relativeReceiverNoiseBandwidth></acquisitionSystemInformation>
<encoding><encodedSpace><matrixSize><x>{nx}</x><y>{ny}</y><z>{nz}</z></matrixSize>
<fieldOfView_mm><x>200</x><y>140</y><z>{zz}</z></fieldOfView_mm></encodedSpace>
<reconSpace><matrixSize><x>{nx}</x><y>{ny}</y><z>{rz}</z></matrixSize>
<fieldOfView_mm><x>100</x><y>140</y><z>{rzz}</z></fieldOfView_mm></reconSpace>
<encodingLimits><kspace_encoding_step_1><minimum>0</minimum><maximum>9</maximum><center>{c1}</center>
</kspace_encoding_step_1><kspace_encoding_step_2><minimum>0</minimum><maximum>9</maximum><center>{c2}</center>
</kspace_encoding_step_2></encodingLimits><trajectory>{trajectory}</trajectory>
<parallelImaging><calibrationMode>{mode}</calibrationMode></parallelImaging></encoding></ismrmrdHeader>"""


class Writer:
    """A file written readout by readout."""

    def __init__(self, path, group="dataset", **xml):
        values = {"nx": 12, "ny": 7, "nz": 1, "zz": 5, "rz": 1, "rzz": 5, "c1": 3, "c2": 0}
        values |= {"trajectory": "cartesian", "mode": "other", "vendor": "X", **xml}
        self.d = ismrmrd.Dataset(str(path), group)
        self.d.write_xml_header(XML.format(**values).encode())

    def add(self, data, e1=0, flags=(), centre=6, **more):
        a = ismrmrd.Acquisition.from_array(np.ascontiguousarray(data).astype(np.complex64))
        a.center_sample, a.sample_time_us = centre, more.pop("dwell", 4.0)
        a.read_dir[:], a.phase_dir[:], a.slice_dir[:] = (1, 0, 0), (0, 1, 0), (0, 0, 1)
        a.idx.kspace_encode_step_1 = e1
        for flag in flags:
            a.setFlag(F.get(flag, flag))
        for name, value in more.items():
            if name in ("discard_pre", "discard_post", "encoding_space_ref"):
                setattr(a, name, value)
            elif name == "position":
                a.position[:] = value
            else:
                setattr(a.idx, name, value)
        self.d.append_acquisition(a)

    def close(self):
        self.d.close()


@pytest.fixture
def k():
    return random_kspace(3, 12, 7).numpy()


def test_lines_go_to_their_columns(tmp_path, k):
    """Centre line 1 of lines 0..5: partial Fourier; what comes before column 2 was not measured."""
    w = Writer(tmp_path / "a", c1=1)
    for e1 in (3, 0, 4, 1, 2):
        w.add(k[:, :, e1 + 2], e1)
    w.close()
    a = read(tmp_path / "a")
    assert a.mask.flatten().tolist() == [False, False, True, True, True, True, True]
    assert np.array_equal(a.kspace[0, ..., 2:].numpy(), k[..., 2:])


def test_asymmetric_echo_and_discarded_samples(tmp_path, k):
    """9 of 12 samples, the echo at the third kept; 2 before and 1 after them are to be dropped."""
    w = Writer(tmp_path / "a")
    for e1 in range(7):
        line = np.concatenate([np.full((3, 2), 9), k[:, 3:, e1], np.full((3, 1), 9)], axis=1)
        w.add(line, e1, centre=5, discard_pre=2, discard_post=1)
    w.close()
    a = read(tmp_path / "a")
    assert np.array_equal(a.kspace[0, :, 3:].numpy(), k[:, 3:])
    assert (a.kspace[0, :, :3] == 0).all()
    assert a.mask.expand(a.kspace.shape)[0, 0, :, 0].tolist() == [False] * 3 + [True] * 9


def test_reversed_readouts_are_flipped(tmp_path, k):
    w = Writer(tmp_path / "a")
    for e1 in range(7):
        odd = e1 % 2 == 1
        w.add(k[:, ::-1, e1] if odd else k[:, :, e1], e1, ("reverse",) if odd else ())
    w.close()
    assert np.array_equal(read(tmp_path / "a").kspace[0].numpy(), k)


def test_reversed_with_discard(tmp_path, k):
    w = Writer(tmp_path / "a")
    for e1 in range(7):
        padded = np.concatenate([np.full((3, 1), 9), k[:, :, e1], np.full((3, 2), 9)], axis=1)
        w.add(padded[:, ::-1], e1, ("reverse",), centre=7, discard_pre=2, discard_post=1)
    w.close()
    assert np.array_equal(read(tmp_path / "a").kspace[0].numpy(), k)


def test_other_readouts_are_skipped_and_averages_averaged(tmp_path, k):
    w = Writer(tmp_path / "a")
    for name in ("navigator", "phasecorr", "dummy", 26, 28, 29):
        w.add(99 * k[:, :, 0], 2, (name,))
    for e1 in range(7):
        for average, factor in enumerate((0.5, 1.5, 1.0)[: 3 if e1 == 4 else 2]):
            w.add(k[:, :, e1] * factor, e1, average=average)
    w.close()
    assert np.allclose(read(tmp_path / "a").kspace[0].numpy(), k, rtol=1e-6, atol=0)


def test_one_image_for_each_combination_there_is(tmp_path, k):
    w = Writer(tmp_path / "a")
    there = [(0, 0, 1), (0, 1, 0), (1, 0, 0), (0, 0, 0)]
    for n, (repetition, contrast, slice_) in enumerate(there):
        for e1 in range(7):
            position = (0, 0, 8 * slice_)
            w.add(k[:, :, e1] * (n + 1), e1, repetition=repetition, contrast=contrast, slice=slice_, position=position)
    w.close()
    scan = open_scan(tmp_path / "a")
    assert scan.n_slices == 4
    order = [n + 1 for n, _ in sorted(enumerate(there), key=lambda p: p[1])]
    for a, factor in zip(scan, order, strict=True):
        assert np.allclose(a.kspace.numpy(), k * factor, rtol=1e-6)
    assert [p[2] for p in scan.geometry.positions] == [0, 8, 0, 0]


@pytest.mark.parametrize("mode", ["embedded", "separate"])
def test_calibration_lines(mode, tmp_path, k):
    """Columns 0, 3, 6 are imaging; 2 and 4 are calibration only (other values); 3 is both."""
    w = Writer(tmp_path / "a", mode=mode)
    other = 2 * k
    for e1 in (0, 6):
        w.add(k[:, :, e1], e1)
    w.add(k[:, :, 3], 3, ("both",))
    for e1 in (2, 4):
        w.add(other[:, :, e1], e1, ("calibration",))
    w.close()
    scan = open_scan(tmp_path / "a")
    a = scan.load(0)
    assert scan.calibration == mode
    if mode == "embedded":
        assert a.calibration is None
        assert a.mask.flatten().nonzero().flatten().tolist() == [0, 2, 3, 4, 6]
        assert np.array_equal(a.kspace[..., 4].numpy(), other[..., 4])
    else:
        assert a.mask.flatten().nonzero().flatten().tolist() == [0, 3, 6]
        assert np.array_equal(a.calibration.numpy(), np.stack([other[..., 2], k[..., 3], other[..., 4]], axis=-1))


def test_separate_calibration_with_fewer_samples_and_an_even_width(tmp_path, k):
    w = Writer(tmp_path / "a", mode="separate")
    for e1 in range(0, 7, 2):
        w.add(k[:, :, e1], e1)
    for e1 in (1, 2, 3, 4):
        w.add(k[:, 2:10, e1], e1, ("calibration",), centre=4)
    w.close()
    a = open_scan(tmp_path / "a").load(0)
    assert np.array_equal(a.calibration.numpy(), k[:, 2:10, 1:5])  # the centre, column 3, is entry 4 // 2


def test_noise_covariance_is_scaled_to_the_imaging_bandwidth(tmp_path, k):
    rng = np.random.default_rng(0)
    noise = (rng.standard_normal((3, 64)) + 1j * rng.standard_normal((3, 64))).astype(np.complex64)
    w = Writer(tmp_path / "a")
    w.add(noise, 0, ("noise",), centre=0, dwell=10.0)
    for e1 in range(7):
        w.add(k[:, :, e1], e1, dwell=2.5)
    w.close()
    wanted = noise @ noise.conj().T / 64 * (10 / (2.5 * 0.8))
    scan = open_scan(tmp_path / "a")
    assert scan.has_noise
    assert np.allclose(scan.load(0).noise.numpy(), wanted, rtol=1e-5)


@pytest.mark.parametrize("rz", [(4, 8.0), (2, 4.0)])
def test_full_3d_becomes_slices(rz, tmp_path):
    """Partitions are slices after the transform; slice oversampling is cut away around the centre."""
    slices = random_kspace(4, 3, 12, 7)
    kz = fft1(slices, 0).numpy()
    w = Writer(tmp_path / "a", nz=4, zz=8, rz=rz[0], rzz=rz[1], c2=2)
    for e2 in range(4):
        for e1 in (0, 1, 3, 4, 5, 6):
            w.add(kz[e2, :, :, e1], e1, kspace_encode_step_2=e2, position=(0, 0, 50))
    w.close()
    scan = open_scan(tmp_path / "a")
    assert scan.n_slices == rz[0]
    a = scan.volume()
    wanted = slices.clone()
    wanted[..., 2] = 0
    first = 2 - rz[0] // 2
    assert (a.kspace - wanted[first : first + rz[0]]).abs().max() < 1e-5 * wanted.abs().max()
    assert a.mask.flatten().tolist() == [True, True, False, True, True, True, True]
    assert scan.geometry.fov[2] == 2.0
    assert [p[2] for p in scan.geometry.positions] == [50 + 2.0 * (i + first - 2) for i in range(rz[0])]


def test_undersampled_3d_is_refused(tmp_path, k):
    w = Writer(tmp_path / "a", nz=4, zz=8, c2=2)
    for e2 in range(4):
        for e1 in range(7 - e2):
            w.add(k[:, :, e1], e1, kspace_encode_step_2=e2)
    w.close()
    with pytest.raises(FormatError, match="not support yet"):
        read(tmp_path / "a")


def test_the_last_measurement_is_the_image(tmp_path, k):
    for group, factor in (("dataset", 1), ("dataset_2", 2), ("dataset_10", 3)):
        w = Writer(tmp_path / "a", group)
        for e1 in range(7):
            w.add(k[:, :, e1] * factor, e1)
        w.close()
    assert np.allclose(read(tmp_path / "a").kspace[0].numpy(), 3 * k)
    assert np.allclose(open_scan(tmp_path / "a", dataset="dataset_2").load(0).kspace.numpy(), 2 * k)
    with pytest.raises(FormatError, match="dataset, dataset_2, dataset_10"):
        open_scan(tmp_path / "a", dataset="other")


@pytest.mark.parametrize(("vendor", "sign"), [("SIEMENS", -1.0), ("GE", 1.0)])
def test_siemens_images_are_turned_by_180_degrees(vendor, sign, tmp_path, k):
    w = Writer(tmp_path / "a", vendor=vendor)
    w.add(k[:, :, 3], 3)
    w.close()
    g = open_scan(tmp_path / "a").geometry
    assert (g.read_dir[0], g.phase_dir[1], g.slice_dir[2]) == (sign, sign, 1.0)
    assert g.matrix == (6, 7)
    assert g.fov == (100, 140, 5)


@pytest.mark.parametrize(
    ("xml", "add", "says"),
    [
        ({"trajectory": "radial"}, {}, "radial"),
        ({}, {"flags": (53,)}, "compressed"),
        ({}, {"flags": ("noise",)}, "no imaging"),
        ({}, {"e1": 20}, "outside the encoded matrix"),
        ({"nx": 8}, {}, "only 8"),
        ({}, {"centre": 11}, "outside the encoded matrix"),
    ],
)
def test_refusals(xml, add, says, tmp_path, k):
    w = Writer(tmp_path / "a", **xml)
    w.add(k[:, :, 3], **{"e1": 3, **add})
    w.close()
    with pytest.raises(FormatError, match=says):
        open_scan(tmp_path / "a")


def test_our_files_are_read_by_the_ismrmrd_package(tmp_path):
    a = volume(noise=torch.eye(3).to(torch.complex64))
    write_kspace(tmp_path / "a.mrd", a)
    d = ismrmrd.Dataset(str(tmp_path / "a.mrd"), "dataset", mode="r")
    header = ismrmrd.xsd.CreateFromDocument(d.read_xml_header())
    assert header.encoding[0].encodedSpace.matrixSize.x == 12
    assert header.version is None
    rows = [d.read_acquisition(i) for i in range(d.number_of_acquisitions())]
    d.close()
    assert rows[0].is_flag_set(ismrmrd.ACQ_IS_NOISE_MEASUREMENT)
    assert len(rows) == 1 + 2 * 6
    line = rows[-1]
    assert line.is_flag_set(ismrmrd.ACQ_LAST_IN_SLICE)
    assert (line.idx.slice, line.idx.kspace_encode_step_1, line.center_sample) == (1, 6, 6)
    assert np.array_equal(line.data, a.kspace[1, :, :, 6].numpy())
    assert np.allclose(line.phase_dir, OBLIQUE.phase_dir)
    assert np.allclose(line.position, OBLIQUE.positions[1])
