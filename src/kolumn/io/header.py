"""The ISMRMRD header, XML, which fastMRI files carry as well: read once, tolerant to missing parts, and written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from math import isfinite
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from ..acquisition import Geometry
from ..errors import FormatError

LARGEST = 1 << 24  # of any size in the header
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class Space:
    """A matrix and its field of view, both (x = readout, y = phase encode, z); mm."""

    matrix: tuple[int, int, int]
    fov: Triple


@dataclass(frozen=True)
class Header:
    """What an ISMRMRD header says about its first encoding.

    Attributes:
        encoded: the space that was acquired, or None where the header does not say.
        recon: the space of the finished image, or None.
        limits: (minimum, maximum, centre) of each counter by name.
        trajectory: "cartesian", "radial", ... or "".
        calibration: "embedded", "separate", "interleaved", ... or "".
        bandwidth: relativeReceiverNoiseBandwidth, or 1.
        vendor: as written, or "".
        details: other facts worth showing, by name.
    """

    encoded: Space | None = None
    recon: Space | None = None
    limits: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    trajectory: str = ""
    calibration: str = ""
    bandwidth: float = 1.0
    vendor: str = ""
    details: dict[str, str] = field(default_factory=dict)


DETAILS = {
    "vendor": "acquisitionSystemInformation/systemVendor",
    "model": "acquisitionSystemInformation/systemModel",
    "field strength (T)": "acquisitionSystemInformation/systemFieldStrength_T",
    "protocol": "measurementInformation/protocolName",
    "patient position": "measurementInformation/patientPosition",
    "sequence": "sequenceParameters/sequence_type",
    "TR (ms)": "sequenceParameters/TR",
    "TE (ms)": "sequenceParameters/TE",
    "TI (ms)": "sequenceParameters/TI",
    "flip angle (deg)": "sequenceParameters/flipAngle_deg",
    "acceleration": "encoding/parallelImaging/accelerationFactor/kspace_encoding_step_1",
}


def parse_header(xml: bytes, where: str) -> Header:
    """Read an ISMRMRD header.

    Args:
        xml: as stored in the file, UTF-8.
        where: the file, for messages.

    Raises:
        FormatError: not XML, with a document type (which could define entities without end), or absurd sizes.
    """
    root = _tree(xml.rstrip(b"\0 \r\n\t"), where)
    encoding = root.find("encoding")
    if encoding is None:
        encoding = ElementTree.Element("encoding")
    details = {name: _text(root, path) for name, path in DETAILS.items()}
    bandwidth = _number(root, "acquisitionSystemInformation/relativeReceiverNoiseBandwidth", 1.0, where)
    return Header(
        encoded=_space(encoding.find("encodedSpace"), where),
        recon=_space(encoding.find("reconSpace"), where),
        limits=_limits(encoding.find("encodingLimits"), where),
        trajectory=_text(encoding, "trajectory").lower(),
        calibration=_text(encoding, "parallelImaging/calibrationMode").lower(),
        bandwidth=bandwidth if bandwidth > 0 else 1.0,
        vendor=details["vendor"],
        details={name: value for name, value in details.items() if value},
    )


def _tree(xml: bytes, where: str) -> ElementTree.Element:
    if b"\0" in xml:
        raise FormatError(f"{where}: the header is not UTF-8 text")
    words = re.sub(r"^\s*<\?xml.*?\?>", "", xml.decode("utf-8-sig", "replace"), count=1, flags=re.DOTALL)
    if "<!DOCTYPE" in words or "<!ENTITY" in words:
        raise FormatError(f"{where}: the XML header has a document type, which an ISMRMRD header never has")
    try:
        root = ElementTree.fromstring(words)
    except (ElementTree.ParseError, ValueError) as error:
        raise FormatError(f"{where}: the header is not well-formed XML ({error})") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _text(element: ElementTree.Element, path: str) -> str:
    return " ".join((element.findtext(path) or "").split())[:200]


def _number(element: ElementTree.Element, path: str, default: float, where: str) -> float:
    words = _text(element, path)
    try:
        value = float(words) if words else default
    except ValueError as error:
        raise FormatError(f"{where}: the header says {path} is {words!r}; wanted a number") from error
    if not isfinite(value) or abs(value) > LARGEST:
        raise FormatError(f"{where}: the header says {path} is {words}, which cannot be")
    return value


def _space(element: ElementTree.Element | None, where: str) -> Space | None:
    if element is None:
        return None
    x, y, z = (int(_number(element, f"matrixSize/{axis}", 1, where)) for axis in "xyz")
    fx, fy, fz = (_number(element, f"fieldOfView_mm/{axis}", 0, where) for axis in "xyz")
    if min(x, y, z) < 1:
        raise FormatError(f"{where}: the header says the matrix is {x} x {y} x {z}")
    # No field of view: pixels of 1 mm, so that the image has at least its proportions.
    return Space((x, y, z), (fx if fx > 0 else float(x), fy if fy > 0 else float(y), fz if fz > 0 else float(z)))


def _limits(element: ElementTree.Element | None, where: str) -> dict[str, tuple[int, int, int]]:
    found = {}
    for counter in element if element is not None else ():
        low, high = (int(_number(counter, name, 0, where)) for name in ("minimum", "maximum"))
        found[counter.tag] = (low, high, int(_number(counter, "center", (high + 1) // 2, where)))
    return found


def build_header(
    n_coils: int, ky: int, kx: int, geometry: Geometry | None, calibration: str = "", acceleration: int = 1
) -> bytes:
    """An ISMRMRD header for k-space (coil, ky, kx), with what the fastMRI loader and libismrmrd ask for.

    Args:
        n_coils: number of receive channels.
        ky: readout samples.
        kx: phase-encode columns.
        geometry: of the finished image; None: 1 mm pixels and no oversampling.
        calibration: "embedded" or "separate" writes the part on parallel imaging.
        acceleration: of that part, a whole number as the format wants it.
    """
    g = geometry or Geometry(matrix=(ky, kx), fov=(float(ky), float(kx), 5.0))
    full = (g.fov[0] * ky / g.matrix[0], g.fov[1] * kx / g.matrix[1], g.fov[2])
    parallel = (
        "<parallelImaging><accelerationFactor>"
        f"<kspace_encoding_step_1>{acceleration}</kspace_encoding_step_1>"
        "<kspace_encoding_step_2>1</kspace_encoding_step_2></accelerationFactor>"
        f"<calibrationMode>{escape(calibration)}</calibrationMode></parallelImaging>"
    )
    n = len(g.positions)
    # No <version>: libismrmrd refuses a file whose version is not its own.
    return (
        '<?xml version="1.0" encoding="utf-8"?><ismrmrdHeader xmlns="http://www.ismrm.org/ISMRMRD">'
        "<acquisitionSystemInformation><systemVendor>kolumn</systemVendor>"
        f"<receiverChannels>{n_coils}</receiverChannels></acquisitionSystemInformation>"
        "<experimentalConditions><H1resonanceFrequency_Hz>63500000</H1resonanceFrequency_Hz></experimentalConditions>"
        f"<encoding>{_space_xml('encodedSpace', (ky, kx, 1), full)}{_space_xml('reconSpace', (*g.matrix, 1), g.fov)}"
        f"<encodingLimits>{_limit_xml('kspace_encoding_step_1', kx - 1, kx // 2)}{_limit_xml('slice', n - 1, n // 2)}"
        "</encodingLimits><trajectory>cartesian</trajectory>"
        f"{parallel if calibration else ''}</encoding></ismrmrdHeader>"
    ).encode()


def _space_xml(name: str, matrix: tuple[int, int, int], fov: Triple) -> str:
    sizes = "".join(f"<{axis}>{n}</{axis}>" for axis, n in zip("xyz", matrix, strict=True))
    lengths = "".join(f"<{axis}>{mm:.9g}</{axis}>" for axis, mm in zip("xyz", fov, strict=True))
    return f"<{name}><matrixSize>{sizes}</matrixSize><fieldOfView_mm>{lengths}</fieldOfView_mm></{name}>"


def _limit_xml(name: str, maximum: int, center: int) -> str:
    return f"<{name}><minimum>0</minimum><maximum>{maximum}</maximum><center>{center}</center></{name}>"
