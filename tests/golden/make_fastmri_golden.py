"""Golden masks of the fastmri package: tests/golden/fastmri_masks.npz.

Run with fastmri==0.3.0 and torch==2.13.0 (CPU) in an environment of their own:

    python tests/golden/make_fastmri_golden.py

kolumn is not imported. ``rows`` holds a mask each, as packed bits filled up with zeros; ``keys`` says which:
``kind|columns|accelerations|centers|seed`` with commas between several accelerations or centers.
"""

import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
from fastmri.data.subsample import EquispacedMaskFractionFunc, MagicMaskFractionFunc, RandomMaskFunc  # noqa: E402

KINDS = {
    "fastmri-random": RandomMaskFunc,
    "fastmri-equispaced": EquispacedMaskFractionFunc,
    "fastmri-magic": MagicMaskFractionFunc,
}
WIDTHS = (368, 372, 320, 217)
PAIRS = (  # 0.075 of 217 columns is an even number in an odd one
    ([4], [0.08]),
    ([8], [0.04]),
    ([8], [0.08]),
    ([6], [0.04]),
    ([5.5], [0.075]),
    ([4], [0.0]),
    ([1], [0.08]),
    ([4, 8], [0.08, 0.04]),
)
SEEDS = ("file1000000.h5", "file1000031.h5", "file_brain_AXT2_200_2000019.h5", "ä.h5", 0, 4294967295)


def masks():
    for kind, function in KINDS.items():
        for width in WIDTHS:
            for accelerations, centers in PAIRS:
                for seed in SEEDS:
                    key = "|".join(
                        [kind, str(width), ",".join(map(str, accelerations)), ",".join(map(str, centers)), str(seed)]
                    )
                    characters = tuple(map(ord, seed)) if isinstance(seed, str) else seed
                    mask, _ = function(centers, accelerations)((1, 8, width, 2), None, characters)
                    yield key, mask.numpy().reshape(-1).astype(bool)


if __name__ == "__main__":
    target = Path(__file__).with_name("fastmri_masks.npz")
    table = dict(masks())
    widest = max(WIDTHS)
    rows = np.stack([np.packbits(np.pad(m, (0, widest - len(m)))) for m in table.values()])
    np.savez_compressed(target, keys=np.array(list(table)), rows=rows)
    print(len(table), "masks,", target.stat().st_size, "bytes")
