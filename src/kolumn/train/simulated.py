"""Simulated scans to train on: every one is made when it is asked for, and always the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Generator, Tensor

from ..acquisition import Acquisition
from ..coils import root_sum_of_squares, whiten
from ..errors import ArgumentError
from ..fourier import crop, fft2, ifft2
from ..phantoms import coil_covariance, simulate
from ..recon.prepare import prepare
from .coils import random_coils
from .draw import chance, log_uniform, pick, seeded, uniform
from .fat import fat_phase
from .images import FAMILIES, Family
from .masks import RandomMasks
from .phase import random_phase, ripples
from .sample import Sample, clean_target, estimated_maps, stack

_ASIDE = 1  # to seed what a phase may have besides


@dataclass(frozen=True)
class Simulated:
    """Batch i: scans of one shape and number of coils, whose images, phases, noises and masks are all different.

    Attributes:
        seed: of everything.
        batch_size: scans in a batch; the j-th scan of batch i does not depend on it.
        families: (shape, generator) -> magnitude, by name.
        weights: chance of each family; equal where there is none.
        sizes: sides of an image, pixels; each side is one of these.
        coils: numbers of coils, with their chances.
        masks: what is left out.
        snr: lowest and highest ratio of the mean signal to the noise.
        estimated: how often maps are estimated from the undersampled data.
        known: how often the noise is known and whitened, as with a noise scan.
        fat: how often there is fat, of another phase than water.
        ripples: how often the phase is finer than calibration lines follow. All else is the same with and without.
        small: how many images, from the first on, have sides of half the pixels and take a third of the time: with a
            network that knows nothing yet, more images are worth more than larger ones.
    """

    seed: int = 0
    batch_size: int = 1
    families: Mapping[str, Family] = field(default_factory=lambda: FAMILIES)
    weights: Mapping[str, float] = field(default_factory=dict)
    sizes: tuple[int, ...] = (128, 160, 192, 224, 256)
    coils: Mapping[int, float] = field(
        default_factory=lambda: {1: 0.2, 2: 0.08, 3: 0.06, 4: 0.18, 6: 0.14, 8: 0.18, 10: 0.04, 12: 0.06, 16: 0.06}
    )
    masks: RandomMasks = field(default_factory=RandomMasks)
    snr: tuple[float, float] = (2.0, 400.0)
    estimated: float = 0.5
    known: float = 0.4
    fat: float = 0.5
    ripples: float = 0.5
    small: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ArgumentError(f"batch_size is {self.batch_size}; wanted at least 1")

    def __getitem__(self, i: int) -> Sample:
        """Batch i."""
        plan = seeded(self.seed, i)
        half = 2 if i * self.batch_size < self.small else 1
        shape = (pick(plan, self.sizes) // half, pick(plan, self.sizes) // half)
        n_coils = pick(plan, list(self.coils), list(self.coils.values()))
        known = chance(plan, self.known)
        plane = chance(plan, self.masks.planes)
        each = [(seeded(self.seed, i, j), seeded(self.seed, i, j, _ASIDE)) for j in range(self.batch_size)]
        return stack([self._one(shape, n_coils, known, plane, *generators) for generators in each])

    def _one(
        self, shape: tuple[int, int], n_coils: int, known: bool, plane: bool, generator: Generator, aside: Generator
    ) -> Sample:
        family = self.families[_weighted(self.families, self.weights, generator)]
        image = draw_image(family, shape, generator)
        fat = fat_phase(image, aside) if chance(aside, self.fat) else 1.0
        fine = ripples(shape, aside) if chance(aside, self.ripples) else 1.0
        image = image * fat * fine * random_phase(shape, generator)
        maps = random_coils(n_coils, shape, generator)
        norm = root_sum_of_squares(maps)
        maps, image = maps / norm, image * norm ** uniform(generator, 0, 1)  # arrays are brightest near their loops
        covariance = coil_covariance(n_coils, generator, uniform(generator, 0, 0.5), uniform(generator, 0, 0.4))
        whole_scan = simulate(image, maps, covariance, log_uniform(generator, *self.snr), generator)
        mask = self.masks(shape, plane, generator)
        noise = whole_scan.noise
        acquisition = prepare(Acquisition(whole_scan.kspace * mask, mask, noise=noise if known else None))
        if known:  # then the coils are no longer what they were
            maps = whiten(Acquisition(maps, torch.ones_like(mask), noise=noise)).kspace
        clean = maps * image
        maps = estimated_maps(acquisition) if chance(generator, self.estimated) else maps / root_sum_of_squares(maps)
        return Sample(replace(acquisition, maps=maps), clean_target(clean, maps))


def draw_image(family: Family, shape: tuple[int, int], generator: Generator) -> Tensor:
    """A magnitude (y, x) of a family, about 0 to 1, turned or mirrored at random.

    Half of them are drawn finer than the pixels and cut in k-space, as a scanner cuts it: edges then ring as real ones
    do, and the brightness may dip below 0 a little.
    """
    transposed, up, left = (chance(generator, 0.5) for _ in range(3))
    finer = uniform(generator, 1.1, 1.6) if chance(generator, 0.5) else 1.0
    size = (shape[1], shape[0]) if transposed else shape
    image = family((round(size[0] * finer), round(size[1] * finer)), generator)
    if finer > 1:
        image = ifft2(crop(fft2(image.to(torch.complex64)), size)).real / finer
    image = image.T if transposed else image
    return image.flip([i for i, yes in enumerate((up, left)) if yes])


def _weighted(names: Mapping[str, object], weights: Mapping[str, float], generator: Generator) -> str:
    return pick(generator, list(names), [weights.get(name, 1.0) for name in names])
