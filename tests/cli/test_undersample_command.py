"""``kolumn undersample`` keeps whose scan it is, and ``kolumn recon`` the k-space it reads."""

import h5py
import numpy as np
import pytest
from typer.testing import CliRunner

from kolumn.cli.app import app
from kolumn.io import write_kspace
from kolumn.phantoms import phantom


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "scan.h5"
    write_kspace(path, phantom("shepp-logan", (32, 32), 1, snr=None)[0])
    return path


def run(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_person_and_the_kind_of_scan_stay(file):
    with h5py.File(file, "a") as scan:
        scan.attrs["patient_id"], scan.attrs["acquisition"] = "ann", "T1"
    out = file.with_name("other.h5")
    assert run("undersample", file, "-o", out, "--mask", "full").exit_code == 0
    with h5py.File(out) as made:
        assert (made.attrs["patient_id"], made.attrs["acquisition"]) == ("ann", "T1")


def test_without_a_person_it_is_the_name_of_the_input(file):
    with h5py.File(file, "a") as scan:
        del scan.attrs["patient_id"]
    out = file.with_name("other.h5")
    assert run("undersample", file, "-o", out, "--mask", "full").exit_code == 0
    with h5py.File(out) as made:
        assert made.attrs["patient_id"] == "scan"


def test_an_image_never_replaces_the_kspace_it_is_of(file):
    before = file.read_bytes()
    link = file.with_name("link.h5")
    link.symlink_to(file)
    for target in (file, link):
        result = run("recon", file, "--method", "zero-filled", "-o", target, "--overwrite")
        assert result.exit_code != 0
        assert "is the input itself" in f"{result.output}{result.exception}"
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "factor"),
    [
        (["--mask", "full"], None),
        (["--mask", "equispaced", "--acceleration", "4", "--center", "0.25"], 4),  # 2.2 in all
        (["--mask", "random", "--acceleration", "3", "--center", "0.1"], 3),
    ],
)
def test_the_header_of_an_ismrmrd_file_has_the_acceleration(file, words, factor):
    ismrmrd = pytest.importorskip("ismrmrd")
    out = file.with_name("u.mrd.h5")
    assert run("undersample", file, "-o", out, *words).exit_code == 0
    encoding = ismrmrd.xsd.CreateFromDocument(ismrmrd.Dataset(str(out), create_if_needed=False).read_xml_header())
    parallel = encoding.encoding[0].parallelImaging
    found = None if parallel is None else parallel.accelerationFactor.kspace_encoding_step_1
    assert found == factor


@pytest.mark.parametrize(("columns", "factor"), [([*range(12, 20), 31], 4), ([*range(31)], 1)])
def test_one_odd_gap_is_no_acceleration(file, columns, factor):
    ismrmrd = pytest.importorskip("ismrmrd")
    mask, out = file.with_name("mask.npy"), file.with_name("u.mrd.h5")
    np.save(mask, np.isin(np.arange(32), columns))
    said = run("undersample", file, "-o", out, "--mask", mask)
    assert said.exit_code == 0 and "besides" not in said.output
    encoding = ismrmrd.xsd.CreateFromDocument(ismrmrd.Dataset(str(out), create_if_needed=False).read_xml_header())
    assert encoding.encoding[0].parallelImaging.accelerationFactor.kspace_encoding_step_1 == factor
