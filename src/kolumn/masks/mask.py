"""A mask, and where it came from."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from . import measure


@dataclass(frozen=True, eq=False)
class Mask:
    """Which samples are acquired, and the wish that led to it.

    Attributes:
        kind: name in the table of masks, or the file it was read from.
        samples: bool, (1, kx) for whole columns or (ky, kx).
        acceleration: as asked for; None where it was not asked for (a file, or everything acquired).
        center: fraction of the fully sampled centre as asked for, or None.
        seed: a number, the file name that seeded a fastMRI mask, or None.
    """

    kind: str
    samples: Tensor
    acceleration: float | None = None
    center: float | None = None
    seed: int | str | None = None

    @property
    def true_acceleration(self) -> float:
        """All samples over acquired samples."""
        return measure.acceleration(self.samples, tuple(self.samples.shape))

    @property
    def calibration_width(self) -> int:
        """Columns of the fully sampled region around the centre of k-space."""
        return measure.calibration_width(self.samples)

    def to_dict(self) -> dict[str, object]:
        """Everything but the samples, ready for JSON."""
        return {
            "kind": self.kind,
            "acceleration": self.acceleration,
            "center": self.center,
            "seed": self.seed,
            "true_acceleration": self.true_acceleration,
            "calibration_width": self.calibration_width,
            "shape": list(self.samples.shape),
        }
