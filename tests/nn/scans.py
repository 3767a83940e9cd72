"""Small scans for the tests of networks."""

import math

import torch

from kolumn.acquisition import Acquisition, acquire
from kolumn.fourier import fft2
from kolumn.operators import encoding

SHAPE = (21, 26)


def draw(*shape, seed=0, dtype=torch.complex128):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def smooth(*shape, seed=0, width=3):
    """Random images of few waves."""
    k = torch.zeros(*shape, dtype=torch.complex128)
    y, x = shape[-2] // 2, shape[-1] // 2
    block = k[..., y - width : y + width + 1, x - width : x + width + 1]
    block.copy_(draw(*block.shape, seed=seed))
    return fft2(k).roll((1, 1), (-2, -1)) * (shape[-1] * shape[-2]) ** 0.5 / width


def unit_maps(n_coils, shape=SHAPE, seed=3):
    maps = smooth(n_coils, *shape, seed=seed, width=1) + 1.5
    return maps / maps.abs().square().sum(0).sqrt()


def columns(n, seed=0):
    """A random half of the columns, and the six in the middle."""
    mask = torch.rand(n, generator=torch.Generator().manual_seed(seed)) < 0.5
    mask[n // 2 - 3 : n // 2 + 3] = True
    return mask


def plane(shape=SHAPE, seed=0):
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < 0.5
    mask[shape[0] // 2 - 3 : shape[0] // 2 + 3, shape[1] // 2 - 3 : shape[1] // 2 + 3] = True
    return mask


def scan(n_coils=3, shape=SHAPE, mask=None, seed=0, sigma=0.05, known=True, dtype=torch.complex128) -> Acquisition:
    """Noisy k-space of a smooth image with an edge, undersampled, with maps where there are coils."""
    image = smooth(*shape, seed=seed) * (torch.arange(shape[1]) < 2 * shape[1] // 3)
    maps = unit_maps(n_coils, shape)
    k = fft2(maps * image) + sigma * draw(n_coils, *shape, seed=seed + 100)
    noise = sigma**2 * torch.eye(n_coils, dtype=dtype) if known else None
    mask = columns(shape[1], seed) if mask is None else mask
    return acquire(k.to(dtype), mask, maps.to(dtype) if n_coils > 1 else None, noise)


def batch(brightness=(1.0, 30.0, 0.1), known=False, **options):
    """Entries of unlike content, mask and brightness, and the batch of them."""
    entries = []
    for i, c in enumerate(brightness):
        one = scan(seed=10 * i, known=known, **options)
        entries.append(acquire(c * one.kspace, one.mask, one.maps, one.noise))
    first = entries[0]
    maps = None if first.maps is None else torch.stack([e.maps for e in entries])
    masks = torch.stack([e.mask[None] for e in entries])
    return entries, acquire(torch.stack([e.kspace for e in entries]), masks, maps, first.noise)


def awake(network, seed=7, size=0.5):
    """The network in float64 with random weights where it had zeros, so that every layer counts."""
    network = network.double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, p in network.named_parameters():
            if not p.any():
                p.normal_(0, size / max(1, p[0].numel()) ** 0.5, generator=generator)
            elif p.ndim < 2 and not name.endswith(("alpha", "beta")):
                p.add_(0.3 * torch.randn(p.shape, generator=generator, dtype=p.dtype))
    return network


def overfit(network, acquisition, truth, n_steps, rate=3e-3):
    """Squared errors on the way, relative to the truth."""
    adam = torch.optim.Adam(network.parameters(), rate)
    errors = []
    for _ in range(n_steps):
        adam.zero_grad()
        error = (network(acquisition) - truth).abs().square().sum() / truth.abs().square().sum()
        error.backward()
        adam.step()
        errors.append(float(error.detach()))
    return errors


def written_out(acquisition):
    """The matrix A^H A, and A^H y."""
    shape = acquisition.kspace.shape[-2:]
    eye = torch.eye(math.prod(shape), dtype=torch.complex128).reshape(-1, 1, *shape)
    matrix = torch.stack([encoding(acquisition).forward(e).flatten() for e in eye], 1)
    return matrix.mH @ matrix, matrix.mH @ acquisition.kspace.flatten()


def few_steps(left, r, n):
    """What n conjugate gradients make of left d = r: of the Krylov space, what is nearest to d in energy."""
    krylov = torch.stack([torch.linalg.matrix_power(left, i) @ r for i in range(n)], 1)
    return krylov @ torch.linalg.solve(krylov.mH @ left @ krylov, krylov.mH @ r)


def seen_by_network(x, p, sigma, shape):
    """The channels of conj(p) x and of the noise."""
    x = x * p.conj()
    return torch.stack([x.real, x.imag, torch.full_like(x.real, sigma)]).reshape(1, 3, *shape)


def as_complex(channels):
    return torch.complex(*channels.detach()[0].flatten(1))
