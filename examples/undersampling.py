# %% [markdown]
# # What does leaving out lines cost?
#
# A head in an eight-coil array, every third line of k-space, and three ways to make an image of what is left.
# Runs offline in a few seconds: `python examples/undersampling.py`.

# %%
from pathlib import Path

import kolumn
from kolumn.masks import make_mask
from kolumn.metrics import score
from kolumn.phantoms import phantom

scan, _ = phantom(shape=(192, 192), n_coils=8, snr=50, seed=1)  # k-space (slice, coil, ky, kx), fully sampled
reference = kolumn.reconstruct(scan, method="zero-filled").abs()

# %% [markdown]
# The mask keeps every third column and 8 % of them in the middle, which say how the coils see the head.

# %%
mask = make_mask("equispaced", (192, 192), acceleration=3, center=0.08, seed=0)
print(f"true acceleration {mask.true_acceleration:.2f}, {mask.calibration_width} calibration columns")

# %% [markdown]
# The same call for every method. Coil sensitivities are estimated from the kept lines alone.

# %%
for method in ("zero-filled", "sense", "grappa"):
    image = kolumn.reconstruct(scan.kspace * mask.samples, mask.samples, method=method)
    scores = score(reference, image.abs())
    print(f"{method:12s} PSNR {scores['psnr']:5.2f} dB   SSIM {scores['ssim']:.3f}")

# %% [markdown]
# The suffix chooses the format. NIfTI knows where the slice lies in the patient.

# %%
target = Path("head.nii.gz")
kolumn.write(target, image, scan.geometry, overwrite=True)
print(f"wrote {target}")
