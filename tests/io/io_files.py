"""Small good files of every format, made here so that nothing has to be kept in the repository."""

from __future__ import annotations

import ctypes
import struct
from pathlib import Path

import h5py
import numpy as np
import torch

from kolumn.acquisition import Acquisition, Geometry, acquire
from kolumn.io import write_kspace

OBLIQUE = Geometry(
    matrix=(6, 7),
    fov=(120.0, 210.0, 4.0),
    positions=((10.0, -20.0, 30.0), (10.0, -20.0 + 6 * 0.6, 30.0 + 6 * 0.8)),
    read_dir=(1.0, 0.0, 0.0),
    phase_dir=(0.0, 0.8, -0.6),
    slice_dir=(0.0, 0.6, 0.8),
)


def random_kspace(*shape: int, seed: int = 0, scale: float = 1e-7) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return scale * torch.complex(torch.randn(shape, generator=g), torch.randn(shape, generator=g))


def covariance(n: int, seed: int = 5, scale: float = 1e-16) -> torch.Tensor:
    a = random_kspace(n, 2 * n, seed=seed, scale=1.0)
    return scale * (a @ a.mH)


def volume(coils: int = 3, ky: int = 12, kx: int = 7, geometry: Geometry | None = OBLIQUE, **more) -> Acquisition:
    """Two slices unlike in brightness, one column missing."""
    k = random_kspace(2, coils, ky, kx) * torch.tensor([1.0, 30.0]).reshape(2, 1, 1, 1)
    mask = torch.ones(kx, dtype=torch.bool)
    mask[1] = False
    return acquire(k, mask, geometry=geometry, **more)


def write_twix(path: Path, k: np.ndarray, noise: np.ndarray | None = None, first_line: int = 0, **flags) -> None:
    """A VD/VE file of k-space (slice, coil, ky, kx), each line twice: two averages that differ by +-10%."""
    from twixtools import mdh_def

    n, _, ky, kx = k.shape
    yaps = {
        "sKSpace.lBaseResolution": ky // 2,
        "sKSpace.lPhaseEncodingLines": kx,
        "sKSpace.ucDimension": 2,
        "sSliceArray.asSlice[0].dReadoutFOV": 200.0,
        "sSliceArray.asSlice[0].dPhaseFOV": 150.0,
        "sSliceArray.asSlice[0].dThickness": 4.0,
        "sRXSPEC.alDwellTime[0]": 5000,
    }
    text = "### ASCCONV BEGIN ###\n" + "".join(f"{a} = {b}\n" for a, b in yaps.items()) + "\n### ASCCONV END ###"
    buffers = {"Config": "<XProtocol>", "Meas": f'<ParamLong."iPEFTLength"> {{ {kx} }}', "MeasYaps": text}
    body = b"".join(name.encode() + b"\0" + struct.pack("<I", len(b)) + b.encode() for name, b in buffers.items())
    header = struct.pack("<II", 8 + len(body), len(buffers)) + body

    def line(samples: np.ndarray, mask: int, lin: int, sli: int, ave: int) -> bytes:
        h = mdh_def.Scan_header()
        h.SamplesInScan, h.UsedChannels = samples.shape[1], samples.shape[0]
        h.EvalInfoMask, h.CenterCol, h.CenterLin = mask, ky // 2, kx // 2
        h.Counter.Lin, h.Counter.Sli, h.Counter.Ave = lin, sli, ave
        h.SliceData.SlicePos.Sag, h.SliceData.SlicePos.Tra = 3.0, 10.0 * sli
        h.SliceData.Quaternion[0] = 1.0
        channels = b"".join(bytes(mdh_def.Channel_header()) + c.astype("<c8").tobytes() for c in samples)
        return bytes(h) + channels

    out = []
    if noise is not None:
        out.append(line(noise, 1 << 25, 0, 0, 0))
    out.append(line(99 * k[0, :, :, 0], 1 << 21, 0, 0, 0))  # phase correction: to be skipped
    for s in range(n):
        for c in range(first_line, kx):
            for ave, factor in enumerate((0.9, 1.1)):
                data = k[s, :, :, c] * factor
                back = c % 2 == 1
                out.append(line(data[:, ::-1] if back else data, (1 << 24) if back else 0, c, s, ave))
    end = mdh_def.Scan_header()
    end.EvalInfoMask = 1
    measurement = header + b"".join(out) + bytes(end)
    entry = struct.pack("<IIQQ", 1, 1, 10240, len(measurement)).ljust(152, b"\0")
    path.write_bytes((struct.pack("<II", 0, 1) + entry).ljust(10240, b"\0") + measurement)
    assert ctypes.sizeof(end) == 192


def make(folder: Path) -> dict[str, Path]:
    """One small file of each format that kolumn reads."""
    acquisition = volume(noise=covariance(3))
    names = {"ismrmrd": "a.mrd", "npy": "c.npy", "npz": "d.npz", "cfl": "e.cfl", "plain": "g.h5"}
    paths = {name: folder / file for name, file in names.items()}
    for path in paths.values():
        write_kspace(path, acquisition)
    paths["fastmri"] = folder / "b.h5"
    with h5py.File(paths["plain"]) as f, h5py.File(paths["fastmri"], "w") as g:
        g.create_dataset("kspace", data=f["kspace"][:], chunks=(1, 3, 6, 7), compression="gzip")
        for name in ("mask", "ismrmrd_header"):
            g[name] = f[name][()]
        g.attrs["max"] = 1.0
        g.attrs["acquisition"] = "test"
    paths["twix"] = folder / "f.dat"
    k = acquisition.kspace.numpy()
    write_twix(paths["twix"], k, noise=k[0, :, :, 0])
    return paths
