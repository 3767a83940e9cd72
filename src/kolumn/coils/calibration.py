"""The fully sampled middle of k-space, from which everything about the coils is learned."""

from __future__ import annotations

from torch import Tensor

from ..acquisition import Acquisition
from ..errors import CalibrationError
from ..masks.measure import calibration as region
from ..shapes import PHASE, READOUT

LIMIT = (48, 48)  # for maps and whatever is as smooth: more than that adds noise and time, and no coil varies so fast


def calibration_block(acquisition: Acquisition, limit: tuple[int, int] | None = None, least: int = 2) -> Tensor:
    """The calibration block of one entry, complex (coil, cy, cx), found from its mask.

    Args:
        acquisition: one entry, k-space (coil, ky, kx). Lines acquired apart win over those within k-space.
        limit: at most that many (rows, columns), those nearest to the centre of k-space.
        least: fewest rows and columns that will do.

    Raises:
        CalibrationError: the fully sampled centre is smaller than ``least``.
    """
    if acquisition.calibration is not None:
        block = acquisition.calibration
        centre = (block.shape[READOUT] // 2, block.shape[PHASE] // 2)
    else:
        k = acquisition.kspace
        rows, columns = region(acquisition.mask.cpu())
        block = k[..., rows, columns]
        centre = (k.shape[READOUT] // 2 - (rows.start or 0), k.shape[PHASE] // 2 - columns.start)
    if min(block.shape[-2:]) < least:
        raise CalibrationError(
            f"the fully sampled centre of k-space is {block.shape[PHASE]} columns by {block.shape[READOUT]} rows; "
            f"wanted at least {least} by {least}: acquire calibration lines, give maps, or use zero-filled"
        )
    if limit is not None:
        for dim, c, n in zip((READOUT, PHASE), centre, limit, strict=True):
            start = min(max(c - n // 2, 0), max(block.shape[dim] - n, 0))
            block = block.narrow(dim, start, min(n, block.shape[dim]))
    return block
