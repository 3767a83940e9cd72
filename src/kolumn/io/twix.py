"""Siemens raw data (twix, ``.dat``), software VB and VD/VE; ``twixtools`` reads the protocol.

The readouts are walked here, with every length checked, since a wrong one would lead a reader astray without end.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import FormatError, MissingExtraError
from .readouts import Complex, Grid, Ints, Readouts, geometry_of, loader, noise_covariance, sort
from .scan import Scan

# Bits of EvalInfoMask, from 0.
ACQEND, SYNCDATA, CALIBRATION, CALIBRATION_AND_IMAGING, REFLECT, NOISE = 0, 5, 22, 23, 24, 25
NEITHER = (1, 2, 14, 15, 21, 38, 39, 51, 56, 60)  # feedback, phase stabilisation and correction, dummies, navigators
MAX_ENTRIES = 64
MAX_HEADER = 1 << 26


@dataclass(frozen=True)
class Measurement:
    """One measurement of a file: its protocol, and the heads and places of its readouts."""

    protocol: dict[str, Any]
    heads: NDArray[Any]
    places: Ints

    def get(self, name: str, default: float) -> float:
        """A number from the protocol, such as ``sKSpace.lBaseResolution``, or the default."""
        value: Any = None
        for part in ("MeasYaps", "Meas"):
            value = self.protocol.get(part, {})
            for key in name.split("."):
                at = int(key) if key.isdigit() else key
                try:
                    value = value[at]
                except (KeyError, IndexError, TypeError):
                    value = None
                    break
            if isinstance(value, int | float) and np.isfinite(value) and abs(value) < 1 << 40:
                return float(value)
        return default


def sniff(path: Path, head: bytes) -> bool:
    """A raid file (VD/VE), or a single measurement (VB), by its first numbers."""
    if len(head) < 32:
        return False
    first, count = struct.unpack("<II", head[:8])
    if first < 10000 and 0 < count <= MAX_ENTRIES:
        (offset,) = struct.unpack("<Q", head[16:24])
        return 9736 <= int(offset) < path.stat().st_size
    return 10000 <= first < MAX_HEADER and re.match(rb"\w{4,}\x00", head[8:64]) is not None


def open_twix(path: Path, dataset: str | None = None) -> Scan:
    """Open a Siemens raw file; heads are read at once, samples an image at a time.

    Args:
        path: the file.
        dataset: number of the measurement, from 0; None: the last one, which is the image.

    Raises:
        FormatError: damaged, cut off, not Cartesian, or without imaging readouts.
        MissingExtraError: twixtools is not installed.
    """
    modern, spans = _spans(path)
    if dataset is not None and dataset not in map(str, range(len(spans))):
        raise FormatError(f"{path} has no measurement {dataset!r}; it has 0 to {len(spans) - 1}")
    chosen = len(spans) - 1 if dataset is None else int(dataset)
    parts = [_measurement(path, modern, i, span) for i, span in enumerate(spans)]
    main = parts[chosen]
    if not len(main.heads):
        raise FormatError(f"{path}: measurement {chosen} holds no readouts")
    _check_cartesian(path, main)
    r = _readouts(path, modern, parts, chosen)
    s = sort(r, _grid(main, r))
    noise, geometry = noise_covariance(s), geometry_of(s)
    apart, both = (r.calibration & ~r.imaging).any(), (r.calibration & r.imaging).any()
    kind = "separate" if apart else "embedded" if both else ""
    shape = (s.coils, *s.grid.encoded[:2])
    return Scan(
        path, "twix", shape, s.n_slices, loader(s, geometry, noise), geometry, noise is not None, kind, _details(main)
    )


def _spans(path: Path) -> tuple[bool, list[tuple[int, int]]]:
    """Whether the file is of VD/VE, and where each measurement begins and ends."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(8 + MAX_ENTRIES * 152)
    first, count = struct.unpack("<II", head[:8])
    if first >= 10000:
        return False, [(0, size)]
    spans = []
    for i in range(count):
        entry = head[8 + 152 * i : 8 + 152 * i + 24]
        if len(entry) < 24:
            raise FormatError(f"{path} is cut off in its table of measurements")
        _, _, start, length = struct.unpack("<IIQQ", entry)
        # An interrupted scan leaves length 0.
        end = start + length if length else size
        if not 8 <= start < end <= size:
            raise FormatError(f"{path} is cut off: measurement {i} should end at byte {end}, the file ends at {size}")
        spans.append((start, end))
    return True, spans


def _twixtools(name: str) -> Any:
    import importlib

    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            return importlib.import_module(name)
    except ImportError as error:
        raise MissingExtraError(
            'Siemens raw data needs twixtools; install it with: pip install "kolumn[twix]"'
        ) from error


def _measurement(path: Path, modern: bool, number: int, span: tuple[int, int]) -> Measurement:
    start, end = span
    with path.open("rb") as file:
        file.seek(start)
        header = file.read(min(MAX_HEADER, end - start))
    if len(header) < 8:
        raise FormatError(f"{path} is cut off in the header of measurement {number}")
    (length,) = struct.unpack("<I", header[:4])
    if not 8 <= length <= len(header):
        raise FormatError(f"{path}: the header of measurement {number} claims {length} bytes, {len(header)} are there")
    protocol = _protocol(path, header[:length])
    heads, places = _walk(path, modern, start + length, end)
    return Measurement(protocol, heads, places)


def _protocol(path: Path, header: bytes) -> dict[str, Any]:
    # twixtools fills lists up to any index it reads, and its patterns take time quadratic in a run without a break.
    if re.search(rb"\[\d{5,}\]|\S{50000}|\s{5000}", header):
        raise FormatError(f"{path}: the protocol is damaged")
    twixprot = _twixtools("twixtools.twixprot")
    (count,) = struct.unpack("<I", header[4:8])
    found: dict[str, Any] = {}
    at = 8
    try:
        for _ in range(min(count, 64)):
            match = re.search(rb"(\w{4,})\x00(.{4})", header[at : at + 48], re.DOTALL)
            if match is None:
                break
            at += len(match.group())
            (size,) = struct.unpack("<I", match.group(2))
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
                warnings.simplefilter("ignore")
                found[match.group(1).decode("latin1")] = twixprot.parse_buffer(header[at : at + size].decode("latin1"))
            at += size
    except (ValueError, TypeError, AttributeError, KeyError, IndexError, RecursionError, MemoryError) as error:
        raise FormatError(f"{path}: the protocol is damaged ({error})") from error
    return found


def _walk(path: Path, modern: bool, at: int, end: int) -> tuple[NDArray[Any], Ints]:
    """The heads of the readouts from byte ``at`` on, and where their samples begin."""
    definitions = _twixtools("twixtools.mdh_def")
    dtype = np.dtype(definitions.Scan_header if modern else definitions.VB17_header)
    heads, places = [], []
    with path.open("rb") as file:
        while at + dtype.itemsize <= end:
            file.seek(at)
            raw = file.read(dtype.itemsize)
            head = np.frombuffer(raw, dtype)[0]
            flags = int(head["EvalInfoMask"])
            if flags >> ACQEND & 1:
                break
            coils, samples = int(head["UsedChannels"]), int(head["SamplesInScan"])
            if flags >> SYNCDATA & 1:
                length = int(head["FlagsAndDMALength"]) % (1 << 25)
            else:
                length = dtype.itemsize + coils * (32 + 8 * samples) if modern else coils * (128 + 8 * samples)
                heads.append(raw)
                places.append(at + dtype.itemsize if modern else at)
            if length < dtype.itemsize or at + length > end:
                raise FormatError(f"{path} is cut off or damaged: a readout at byte {at} does not fit")
            at += length
        else:
            raise FormatError(f"{path} is cut off: the end-of-measurement mark is missing at byte {end}")
    return np.frombuffer(b"".join(heads), dtype), np.array(places, np.int64)


def _flag(heads: NDArray[Any], *bits: int) -> NDArray[np.bool_]:
    return np.asarray((heads["EvalInfoMask"] & np.uint64(sum(1 << bit for bit in bits))) != 0)


def _readouts(path: Path, modern: bool, parts: list[Measurement], chosen: int) -> Readouts:
    heads = np.concatenate([part.heads for part in parts])
    places = np.concatenate([part.places for part in parts])
    here = np.repeat(np.arange(len(parts)) == chosen, [len(part.heads) for part in parts])
    counters = heads["Counter"]
    skipped, noise = _flag(heads, *NEITHER), _flag(heads, NOISE)
    alone, both, reverse = _flag(heads, CALIBRATION), _flag(heads, CALIBRATION_AND_IMAGING), _flag(heads, REFLECT)
    pre, post = heads["CutOff"]["Pre"].astype(np.int64), heads["CutOff"]["Post"].astype(np.int64)
    samples, first = heads["SamplesInScan"].astype(np.int64), np.where(reverse, post, pre)
    position = np.stack([heads["SliceData"]["SlicePos"][axis] for axis in ("Sag", "Cor", "Tra")], axis=1)
    turn = _rotations(heads["SliceData"]["Quaternion"].astype(np.float64))
    dwell = np.repeat([part.get("sRXSPEC.alDwellTime.0", 0) for part in parts], [len(part.heads) for part in parts])

    def fetch(indices: Ints, coils: int, n: int) -> Complex:
        skip = 32 if modern else 128
        block = np.dtype([("skip", f"V{skip}"), ("data", "<c8", (n,))])
        data = np.empty((len(indices), coils, n), np.complex64)
        with path.open("rb") as file:
            for row, i in zip(data, indices, strict=True):
                file.seek(int(places[i]))
                raw = file.read(coils * block.itemsize)
                if len(raw) < coils * block.itemsize:
                    raise FormatError(f"{path} is cut off at readout {i}")
                row[:] = np.frombuffer(raw, block)["data"]
        return data

    return Readouts(
        path=path,
        imaging=here & ~skipped & ~noise & (~alone | both),
        calibration=here & ~skipped & ~noise & (alone | both),
        noise=noise & ~skipped,
        reverse=reverse,
        image=np.stack([counters[n].astype(np.int64) for n in ("Rep", "Set", "Phs", "Eco", "Sli")], axis=1),
        line=counters["Lin"].astype(np.int64) - heads["CenterLin"],
        partition=counters["Par"].astype(np.int64) - heads["CenterPar"],
        coils=heads["UsedChannels"].astype(np.int64),
        samples=samples,
        first=first,
        kept=samples - pre - post,
        centre=heads["CenterCol"].astype(np.int64) - first,
        dwell=np.asarray(dwell, np.float64),
        position=position.astype(np.float64),
        read_dir=turn[:, :, 1],
        phase_dir=turn[:, :, 0],
        slice_dir=turn[:, :, 2],
        fetch=fetch,
    )


def _rotations(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns phase, read, slice in the patient's LPS system, from quaternions (n, 4), scalar first.

    Phase and read are negated: the image from the inverse transform is turned by 180 degrees in the plane, as in
    ``twixtools.geometry``.
    """
    r, i, j, k = q.T
    rows = [
        [2 * (j * j + k * k) - 1, 2 * (k * r - i * j), 2 * (i * k + j * r)],
        [-2 * (i * j + k * r), 2 * (i * i + k * k) - 1, 2 * (j * k - i * r)],
        [2 * (j * r - i * k), -2 * (j * k + i * r), 1 - 2 * (i * i + j * j)],
    ]
    return np.moveaxis(np.array(rows), -1, 0)


def _check_cartesian(path: Path, main: Measurement) -> None:
    if main.get("sKSpace.ucTrajectory", 1) != 1:
        raise FormatError(f"{path} has a non-Cartesian trajectory; kolumn reconstructs Cartesian scans only")
    if main.get("alRegridMode.0", 1) not in (0, 1):
        raise FormatError(f"{path} was sampled on the gradient's ramps (EPI), which kolumn does not regrid")


def _grid(main: Measurement, r: Readouts) -> Grid:
    longest = int(r.kept[r.imaging].max()) if r.imaging.any() else 1
    base = int(main.get("sKSpace.lBaseResolution", longest))
    base = base if base > 0 else longest
    over = 2 if longest > base else 1
    lines = int(max(main.get("iPEFTLength", 0), main.get("sKSpace.lPhaseEncodingLines", 0))) or 1
    three_d = main.get("sKSpace.ucDimension", 2) == 4
    parts = int(main.get("iNoOfFourierPartitions", main.get("sKSpace.lPartitions", 1))) if three_d else 1
    if max(base, lines, parts) > 1 << 20:
        raise FormatError(f"{r.path}: the protocol claims {base} x {lines} x {parts} samples, which cannot be")
    slab = "sSliceArray.asSlice.0."
    fov = [main.get(slab + name, 0) for name in ("dReadoutFOV", "dPhaseFOV", "dThickness")]
    y, x, z = (mm if mm > 0 else float(n) for mm, n in zip(fov, (base, lines, 1), strict=True))
    wide = [1 + max(0.0, min(main.get(f"sKSpace.d{axis}OversamplingForDialog", 0), 9)) for axis in ("Phase", "Slice")]
    parts = max(parts, 1)
    return Grid(
        encoded=(base * over, lines, parts),
        encoded_fov=(y * over, x * wide[0], z * wide[1]),
        matrix=(base, max(1, round(lines / wide[0])), max(1, round(parts / wide[1]))),
        fov=(y, x, z),
    )


def _details(main: Measurement) -> dict[str, str]:
    meas, yaps = main.protocol.get("Meas", {}), main.protocol.get("MeasYaps", {})
    dicom = main.protocol.get("Dicom", {})
    found = {
        "vendor": "SIEMENS",
        "model": dicom.get("ManufacturersModelName"),
        "field strength (T)": dicom.get("flMagneticFieldStrength"),
        "protocol": meas.get("tProtocolName"),
        "patient position": meas.get("tPatientPosition"),
        "TR (ms)": main.get("alTR.0", 0) / 1000 or None,
        "TE (ms)": main.get("alTE.0", 0) / 1000 or None,
        "flip angle (deg)": main.get("adFlipAngleDegree.0", 0) or None,
        "acceleration": yaps.get("sPat", {}).get("lAccelFactPE") if isinstance(yaps.get("sPat"), dict) else None,
    }
    return {name: str(value)[:200] for name, value in found.items() if value not in (None, "", [])}
