"""GRAPPA where it must be exact, where it must give up, and its weights against a least squares."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.coils import combine, linear_image
from kolumn.errors import ArgumentError, CalibrationError
from kolumn.fourier import ifft2
from kolumn.masks import make_mask
from kolumn.phantoms import ARRAYS, phantom
from kolumn.recon import Grappa, ZeroFilled
from kolumn.recon.grappa import _held_out, _moments, _neighbourhoods, _patterns


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def columns(n, step, centre, shift=0):
    mask = torch.arange(n) % step == shift
    mask[n // 2 - centre // 2 : n // 2 - centre // 2 + centre] = True
    return mask


def relative(a, b):
    return float((a - b).norm() / b.norm())


def harmonics(ny=24, nx=41, shifts=((0, 0), (0, 1), (0, -1), (1, 1))):
    """Coils whose maps are exp(2 pi i (a y / ny + b x / nx)): their k-spaces are shifts of each other."""
    y = draw(ny + 4, nx + 8, seed=2)  # larger, so that nothing wraps around
    return torch.stack([y[2 - a : 2 - a + ny, 4 - b : 4 - b + nx] for a, b in shifts])


@pytest.mark.parametrize("step", [2, 3])
def test_exact_where_the_dependencies_are(step):
    """Every missing sample is, within one step, another coil's acquired sample: what has two sides comes back."""
    k = harmonics()
    mask = columns(41, step, 19)
    filled = Grappa(rows=3)(acquire(k, mask)), Grappa(rows=3).fill(acquire(k, mask))[..., 2:-2, :]
    inside = mask.nonzero().flatten()
    inside = slice(int(inside[0]), int(inside[-1]) + 1)
    # The last coil needs a row more than its neighbours have at the ends.
    assert relative(filled[1][..., inside], k[..., 2:-2, inside]) < 2e-3
    assert relative(ZeroFilled()(acquire(k, mask)), linear_image(k)) > 0.2


@pytest.mark.parametrize("array", ARRAYS)
@pytest.mark.parametrize("shape", [(96, 80), (95, 81)])
def test_smooth_coils_without_noise(array, shape):
    acq, image = phantom("anatomy", shape, n_coils=8, snr=None, array=array, seed=4)
    mask = make_mask("equispaced", shape, 2, 0.25).samples
    assert relative(Grappa()(acquire(acq.kspace, mask)).abs(), image.abs()) < 0.022
    assert relative(ZeroFilled()(acquire(acq.kspace, mask)).abs(), image.abs()) > 0.12


@pytest.mark.parametrize("scale", [1.0, 1e-6])
def test_acquired_samples_are_left_alone(scale):
    k, mask = scale * harmonics(), columns(41, 3, 15)
    filled = Grappa().fill(acquire(k, mask))
    assert torch.equal(filled[..., mask], k[..., mask])
    assert filled[..., 1].abs().min() > 0
    assert torch.equal(Grappa().fill(acquire(k)), k)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("acceleration", [2, 3, 4])
def test_random_masks_do_not_blow_up(acceleration, seed):
    acq, image = phantom("anatomy", (64, 80), n_coils=6, snr=30.0, seed=4)
    mask = make_mask("random", (64, 80), acceleration, 0.12, seed).samples
    k = acquire(acq.kspace, mask)
    ours, zero = (relative(m(k).abs(), image.abs()) for m in (Grappa(), ZeroFilled()))
    assert ours < 1.4 * zero
    assert Grappa().fill(k).abs().max() < 1.2 * acq.kspace.abs().max()


def test_random_masks_of_moderate_gaps_gain():
    acq, image = phantom("anatomy", (64, 80), n_coils=6, snr=30.0, seed=4)
    for seed in range(4):
        k = acquire(acq.kspace, make_mask("random", (64, 80), 2, 0.2, seed).samples)
        assert relative(Grappa()(k).abs(), image.abs()) < 0.8 * relative(ZeroFilled()(k).abs(), image.abs())


def weights_by_numpy(block, offsets, rows, lam):
    """T S^H (S S^H + lam mean(diag))^-1 with each neighbourhood divided by its size; loops, no views.

    Both halves of the rows count alike: the energy of each is brought to 1 before they are added.
    """
    n, cy, cx = block.shape
    half = rows // 2
    S, T, where = [], [], []
    for y in range(half, cy - half):
        for x in range(max(0, -offsets[0]), cx - max(0, offsets[-1])):
            S.append([block[c, y + r, x + o] for c in range(n) for o in offsets for r in range(-half, half + 1)])
            T.append([block[c, y, x] for c in range(n)])
            where.append(2 * (y - half) < cy - 2 * half)
    S, T, where = np.array(S).T, np.array(T).T, np.array(where)
    energy = (np.abs(S) ** 2).mean(0)
    size = np.sqrt(energy + 0.01 * energy.mean())
    G, C = 0, 0
    for part in (where, ~where):
        s, t = (S / size)[:, part], (T / size)[:, part]
        scale = (np.abs(s) ** 2).sum(1).mean()
        G, C = G + s @ s.conj().T / scale, C + t @ s.conj().T / scale
    return C @ np.linalg.inv(G + lam * np.trace(G).real / len(G) * np.eye(len(G)))


@pytest.mark.parametrize("columns_used", [2, 4])
@pytest.mark.parametrize("rows", [1, 3, 5])
def test_the_weights(rows, columns_used):
    """The filled samples are those of a least squares for one of the six strengths that it may choose."""
    k = harmonics(20, 30)[:3] + 0.05 * draw(3, 20, 30, seed=3)
    k = k * (1 + 30 * torch.exp(-(((torch.arange(20) - 10) / 3.0) ** 2)))[:, None]  # loud in the middle, as k-space is
    mask = columns(30, 2, 11)
    grappa = Grappa(rows=rows, columns=columns_used)
    filled = grappa.fill(acquire(k, mask))
    block = (k / k[..., 10:21].abs().max()).numpy()[..., 10:21]
    offsets = (-1, 1) if columns_used == 2 else (-3, -1, 1, 3)
    at, half = 5, rows // 2
    padded = np.pad(k.numpy(), ((0, 0), (half, half), (0, 0)))
    sources = np.array(
        [[padded[c, y + r, at + o] for c in range(3) for o in offsets for r in range(rows)] for y in range(20)]
    ).T
    misfits = []
    for lam in (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0):
        want = weights_by_numpy(block, offsets, rows, lam) @ sources
        misfits.append(float(np.linalg.norm(filled[..., at].numpy() - want) / np.linalg.norm(want)))
    assert min(misfits) < 1e-8 < 0.1 < max(misfits)


def test_the_strength_follows_the_noise():
    """Clean dependencies want the least penalty, lines that are mostly noise a strong one."""

    def chosen(block):
        S, T = _neighbourhoods(block, (-1, 1), 3)
        half = S.shape[1] // 2
        return _held_out(*(_moments(S[:, r].flatten(1), T[:, r].flatten(1)) for r in (slice(half), slice(half, None))))

    clean = harmonics(24, 16)
    assert chosen(clean) == 1e-4
    assert chosen(clean + 0.3 * draw(*clean.shape, seed=7)) > 1e-3
    assert chosen(draw(*clean.shape, seed=7)) >= 1


def test_what_has_no_neighbour_on_one_side_stays_zero():
    """Partial Fourier: the columns that were left out at the end are not GRAPPA's."""
    k = harmonics()
    mask = torch.arange(41) < 31
    acq = acquire(k, mask)
    assert torch.equal(Grappa().fill(acq), acq.kspace)
    torch.testing.assert_close(Grappa()(acq), ZeroFilled()(acq))
    gaps = mask & (columns(41, 2, 17))
    filled = Grappa().fill(acquire(k, gaps))
    assert not filled[..., 31:].any()
    assert filled[..., :31].abs().sum((0, 1)).min() > 0


def test_gaps_wider_than_the_calibration_lines_stay_zero():
    k = harmonics()
    mask = columns(41, 2, 9)
    mask[:12] = False
    mask[0] = True
    filled = Grappa().fill(acquire(k, mask))
    assert not filled[..., 1:12].any()
    assert filled[..., 12:].abs().sum((0, 1)).min() > 0


def test_far_sources_are_given_up_first():
    """Four columns do not fit twice into eight calibration lines; three do, and leave no gap unfilled."""
    k = harmonics()
    mask = columns(41, 3, 8)
    filled = Grappa(columns=4).fill(acquire(k, mask))
    inside = mask.nonzero().flatten()
    assert filled[..., int(inside[0]) : int(inside[-1])].abs().sum((0, 1)).min() > 0
    assert torch.isfinite(torch.view_as_real(filled)).all()
    found = _patterns(torch.arange(19) % 3 == 0, 4, 8)
    assert {o: c.tolist() for o, c in found.items()} == {
        (-1, 2, 5): [1],  # at the ends there is one source less anyway
        (-2, 1, 4): [2, 5, 8, 11, 14],
        (-4, -1, 2): [4, 7, 10, 13, 16],
        (-5, -2, 1): [17],
    }
    wide = _patterns(torch.arange(19) % 3 == 0, 4, 11)
    assert {(-4, -1, 2, 5), (-5, -2, 1, 4)} <= set(wide)


def test_with_maps_the_coils_are_combined_by_them():
    k, maps = harmonics(), draw(4, 24, 41, seed=5)
    acq = acquire(k, columns(41, 2, 15), maps)
    torch.testing.assert_close(Grappa()(acq), combine(ifft2(Grappa().fill(acq)), maps))
    pair = torch.stack([maps, draw(4, 24, 41, seed=6)])
    both = Grappa()(acquire(k, columns(41, 2, 15), pair))
    parts = torch.stack([combine(ifft2(Grappa().fill(acq)), m) for m in pair])
    torch.testing.assert_close(both.abs(), parts.abs().square().sum(0).sqrt())


@pytest.mark.parametrize("unit", [1e-24, 1e24])
def test_weights_do_not_depend_on_the_unit(unit):
    k = harmonics().to(torch.complex64)
    scan = acquire(k, columns(41, 2, 15))
    one, other = Grappa().fill(scan), Grappa().fill(replace(scan, kspace=unit * scan.kspace))
    assert relative(other / unit, one) < 1e-3


def test_only_calibration_lines_make_the_weights():
    k, mask = harmonics(), columns(41, 2, 15)
    other = k.clone()
    other[..., 36] *= 3  # a column far out
    a, b = (Grappa().fill(acquire(x, mask)) for x in (k, other))
    assert torch.equal(a[..., :35], b[..., :35])
    assert not torch.equal(a[..., 35], b[..., 35])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"rows": 0}, "rows is 0; wanted an odd number >= 1"),
        ({"rows": 4}, "rows is 4; wanted an odd number"),
        ({"columns": 0}, "columns is 0; wanted an even number >= 2"),
        ({"columns": 3}, "columns is 3; wanted an even number"),
    ],
)
def test_errors_of_options(options, text):
    with pytest.raises(ArgumentError, match=text):
        Grappa(**options)


def test_errors_of_data():
    k = harmonics()
    with pytest.raises(ArgumentError, match="grappa fills whole skipped columns and this mask is two-dimensional"):
        Grappa()(acquire(k, torch.rand(24, 41, generator=torch.Generator().manual_seed(0)) > 0.5))
    with pytest.raises(CalibrationError, match="is 3 columns by 24 rows; wanted at least 5 by 5"):
        Grappa()(acquire(k, columns(41, 2, 2)))
    with pytest.raises(CalibrationError, match="grappa has 5 calibration columns, too few for every gap of this mask"):
        Grappa()(acquire(k, columns(41, 9, 5, shift=2)))
