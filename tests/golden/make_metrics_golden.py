"""Golden scores of fastMRI's evaluation and of scikit-image: tests/golden/metrics.npz.

Run with fastmri==0.3.0, scikit-image==0.26.0 and torch==2.13.0 (CPU) in an environment of their own:

    python tests/golden/make_metrics_golden.py

kolumn is not imported. The volumes themselves are stored, as float32 and small. For each case ``i``:
``reference_i``, ``image_i``, and ``scores_i`` with a row for (fastmri on float32, fastmri on float64, scikit-image on
float64 slice by slice) and a column for (nmse, psnr, ssim).
``hfen_i`` is the high-frequency error norm by scipy.ndimage, written from the equation.
"""

import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import numpy as np  # noqa: E402
from fastmri import evaluate  # noqa: E402
from scipy.ndimage import convolve  # noqa: E402
from skimage.metrics import normalized_root_mse, peak_signal_noise_ratio, structural_similarity  # noqa: E402

# slices, y, x, brightness, relative error
CASES = (
    (1, 7, 7, 1.0, 0.1),
    (3, 17, 24, 1e-6, 0.05),
    (4, 31, 20, 1e4, 0.3),
    (2, 40, 33, 1.0, 0.001),
    (5, 9, 50, 30, 2),
)


def volume(rng, slices, y, x, brightness, error):
    """A few blobs, each slice of another brightness, and noise on them."""
    grid_y, grid_x = np.mgrid[:y, :x]
    planes = []
    for _ in range(slices):
        plane = np.zeros((y, x))
        for cy, cx, width, height in rng.uniform((0, 0, 1, 0.2), (y, x, 6, 1), (6, 4)):
            plane += height * np.exp(-((grid_y - cy) ** 2 + (grid_x - cx) ** 2) / (2 * width**2))
        planes.append(plane * rng.choice([0.1, 1, 3]))
    reference = brightness * np.stack(planes)
    image = np.abs(reference + error * brightness * rng.standard_normal(reference.shape))
    return reference.astype(np.float32), image.astype(np.float32)


def by_fastmri(x, y):
    return [float(np.ravel(f(x, y))[0]) for f in (evaluate.nmse, evaluate.psnr, evaluate.ssim)]


def by_skimage(x, y):
    ssim = np.mean([structural_similarity(a, b, data_range=x.max()) for a, b in zip(x, y, strict=True)])
    return [normalized_root_mse(x, y) ** 2, peak_signal_noise_ratio(x, y, data_range=x.max()), ssim]


def hfen(x, y):
    u = np.arange(-7, 8)
    squares = u[:, None] ** 2 + u[None] ** 2
    g = np.exp(-squares / 4.5)
    h = (squares - 4.5) / 1.5**4 * g / g.sum()
    h -= h.mean()
    fx, fy = ([convolve(plane, h, mode="constant") for plane in v] for v in (x, y))
    return np.linalg.norm(np.subtract(fy, fx)) / np.linalg.norm(fx)


if __name__ == "__main__":
    rng = np.random.default_rng(20240)
    table = {}
    for i, case in enumerate(CASES):
        x, y = volume(rng, *case)
        wide = x.astype(np.float64), y.astype(np.float64)
        table |= {f"reference_{i}": x, f"image_{i}": y, f"hfen_{i}": hfen(*wide)}
        table[f"scores_{i}"] = np.array([by_fastmri(x, y), by_fastmri(*wide), by_skimage(*wide)])
        print(case, table[f"scores_{i}"], table[f"hfen_{i}"])
    target = Path(__file__).with_name("metrics.npz")
    np.savez_compressed(target, **table)
    print(target.stat().st_size, "bytes")
