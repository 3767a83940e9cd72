"""Golden images of the fastmri package's networks: tests/golden/fastmri_networks.npz.

Run with fastmri==0.3.0 and torch==2.13.0 (CPU) in an environment of their own:

    python tests/golden/make_fastmri_networks.py

kolumn is not imported. The weights are not stored, but drawn by numpy, in the order of the state dict's keys, so that
a test draws them again: ``default_rng(seed).normal(0, 1 / sqrt(fan_in))``, float32, and for a single number 1 +
normal / 4. Keys: ``keys_unet`` and ``shapes_unet`` (the state dict), ``unet_kspace`` and ``unet_image``; the same with
``varnet``, whose ``varnet_mask`` is of two scans with unlike calibration lines.
"""

import math
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import fastmri  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from fastmri.data import transforms  # noqa: E402
from fastmri.models import Unet, VarNet  # noqa: E402

SHAPE = (26, 21)


def weights(shapes, seed):
    rng = np.random.default_rng(seed)
    for shape in shapes:
        if math.prod(shape) == 1 and len(shape) == 1:
            yield (1 + rng.normal(size=shape) / 4).astype(np.float32)
        else:
            yield (rng.normal(size=shape) / math.sqrt(max(1, math.prod(shape[1:])))).astype(np.float32)


def filled(network, seed):
    state = network.state_dict()
    drawn = weights([tuple(v.shape) for v in state.values()], seed)
    network.load_state_dict({key: torch.from_numpy(w) for key, w in zip(state, drawn, strict=True)})
    return network.double().eval()


def kspace(n, coils, seed, scale):
    """Bright in the middle."""
    rng = np.random.default_rng(seed)
    k = rng.normal(size=(n, coils, *SHAPE)) + 1j * rng.normal(size=(n, coils, *SHAPE))
    y, x = np.meshgrid(*(np.arange(m) - m // 2 for m in SHAPE), indexing="ij")
    return (scale * k / (1 + (y**2 + x**2) / 4)).astype(np.complex64)


def described(name, network):
    state = network.state_dict()
    shapes = ["x".join(map(str, v.shape)) for v in state.values()]
    return {f"keys_{name}": np.array(list(state)), f"shapes_{name}": np.array(shapes)}


def unet():
    network = filled(Unet(1, 1, chans=4, num_pool_layers=2), 1)
    k = kspace(3, 2, 2, np.array([1.0, 1e-5, 3e4]).reshape(3, 1, 1, 1))
    k[0] += 0.2  # a bright pixel, more than 6 standard deviations
    out = []
    for one in k:
        image = fastmri.ifft2c(transforms.to_tensor(one.astype(np.complex128)))
        image = fastmri.rss(fastmri.complex_abs(transforms.complex_center_crop(image, (20, 17))))
        image, mean, std = transforms.normalize_instance(image)  # without their eps of 1e-11
        with torch.no_grad():
            out.append(network(image.clamp(-6, 6)[None, None])[0, 0] * std + mean)
    return {"unet_kspace": k, "unet_image": torch.stack(out).numpy(), **described("unet", network)}


def varnet():
    network = filled(VarNet(num_cascades=2, sens_chans=3, sens_pools=2, chans=4, pools=3), 3)
    mask = np.random.default_rng(4).random((2, SHAPE[1])) < 0.3
    mask[0, 8:13], mask[1, [10, 12]] = True, True
    mask[0, [7, 13]], mask[1, [9, 11]] = False, False
    k = kspace(2, 3, 5, np.array([1.0, 2e-5]).reshape(2, 1, 1, 1)) * mask[:, None, None]
    with torch.no_grad():
        image = network(transforms.to_tensor(k.astype(np.complex128)), torch.from_numpy(mask)[:, None, None, :, None])
    return {"varnet_kspace": k, "varnet_mask": mask, "varnet_image": image.numpy(), **described("varnet", network)}


if __name__ == "__main__":
    target = Path(__file__).with_name("fastmri_networks.npz")
    table = {**unet(), **varnet()}
    np.savez_compressed(target, **{k: v.astype(np.float64) if k.endswith("image") else v for k, v in table.items()})
    print({k: v.shape for k, v in table.items()}, target.stat().st_size, "bytes")
