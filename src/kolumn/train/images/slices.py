"""Magnitude slices of a user's file as texture to train on, apart by person."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Generator, Tensor

from ...errors import ArgumentError, FormatError
from ...io.guard import check_readable
from ..draw import chance, pick, uniform, whole

_DARK = 0.1  # of the brightest pixel: where a part has no more, it is air


@dataclass(frozen=True)
class Slices:
    """Volumes (slice, y, x) by person; each call gives a random slice, zoomed or cropped to the shape asked for.

    Attributes:
        people: the volumes of each person; float16, the brightest about 1.
        licences: of each person's volumes, as the file says.
    """

    people: dict[str, list[Tensor]]
    licences: dict[str, str] = field(default_factory=dict)

    def __call__(self, shape: tuple[int, int], generator: Generator) -> Tensor:
        """A slice of a random person, (y, x): the whole in half of the cases and where a part is air, else a part."""
        volume = pick(generator, self.people[pick(generator, sorted(self.people))])
        image = volume[whole(generator, 0, len(volume) - 1)].float()
        zoomed = chance(generator, 0.5) or min(n / m for n, m in zip(image.shape, shape, strict=True)) < 0.9
        if not zoomed:
            part = _fit(image, shape, generator)
            if part.max() >= _DARK * image.max():
                return part
        zoom = uniform(generator, 0.85, 1.15) * min(m / n for n, m in zip(image.shape, shape, strict=True))
        size = [max(16, round(n * zoom)) for n in image.shape]
        resize = torch.nn.functional.interpolate
        image = resize(image[None, None], size, mode="bilinear", antialias=True, align_corners=False)[0, 0]
        return _fit(image, shape, generator)

    def without(self, people: Collection[str]) -> Slices:
        """The same without some people.

        Raises:
            ArgumentError: a name that is not there, or nobody left.
        """
        unknown = sorted(set(people) - set(self.people))
        if unknown:
            raise ArgumentError(
                f"no person {unknown[0]!r} in the file of images; it has {', '.join(sorted(self.people))}"
            )
        left = {name: volumes for name, volumes in self.people.items() if name not in people}
        if not left:
            raise ArgumentError(f"holding out {', '.join(sorted(people))} leaves nobody to train on")
        return Slices(left, {name: self.licences[name] for name in left if name in self.licences})

    def only(self, people: Collection[str]) -> Slices:
        """The same with these people alone."""
        return self.without(set(self.people) - set(people))


def read_slices(path: Path) -> Slices:
    """Read an HDF5 file with one dataset (slice, y, x) for each volume; its attribute ``subject`` names the person.

    A volume without that attribute counts as a person of its own. Slices of zeros, as at the ends of volumes, are left
    out.

    Raises:
        FormatError: missing or damaged, a dataset of another shape, or nothing but zeros.
    """
    import h5py

    check_readable(path)
    people: dict[str, list[Tensor]] = {}
    licences: dict[str, str] = {}
    try:
        with h5py.File(path) as file:
            for name, data in file.items():
                if getattr(data, "ndim", 0) != 3 or data.dtype.kind not in "uif" or not data.size:
                    raise FormatError(
                        f"{path}: {name} is no volume; wanted real datasets (slice, y, x) and nothing else, or raw "
                        "k-space as --data"
                    )
                person = str(data.attrs.get("subject", name))
                licences[person] = str(data.attrs.get("licence", "not stated"))
                volume = scaled(torch.from_numpy(data[()].astype("float32")))
                if len(volume):
                    people.setdefault(person, []).append(volume)
    except (OSError, RuntimeError, KeyError) as error:
        raise FormatError(f"{path} cannot be read as HDF5: {error}") from error
    if not people:
        raise FormatError(f"{path} holds no dataset with anything in it; wanted volumes (slice, y, x)")
    return Slices(people, licences)


def scaled(volume: Tensor) -> Tensor:
    """Each slice over its own brightest pixels: 1 is the 99.9th percentile; in half precision; black ones left out."""
    volume = volume[volume.flatten(1).any(1)]
    if not len(volume):
        return volume
    peak = torch.stack([image.flatten().quantile(0.999) for image in volume])[:, None, None]
    return (volume / peak.clamp_min(1e-12)).clamp(0, 4).half()


def _fit(image: Tensor, shape: tuple[int, int], generator: Generator) -> Tensor:
    """Crop at random what is too large and put air around what is too small."""
    out = torch.zeros(shape)
    source, target = [], []
    for n, m in zip(image.shape, shape, strict=True):
        shift = whole(generator, 0, abs(n - m))
        size = min(n, m)
        source.append(slice(shift, shift + size) if n > m else slice(0, n))
        target.append(slice(0, m) if n > m else slice(shift, shift + size))
    out[target[0], target[1]] = image[source[0], source[1]]
    return out
