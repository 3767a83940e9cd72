"""Shrinkage against its definition, element by element."""

import cmath

import pytest
import torch

from kolumn.prox import clip, magnitude, shrink


def draw(*shape, seed=0, dtype=torch.complex128):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def written_out(z, t):
    out = torch.zeros_like(z)
    for i, a in enumerate(z.flatten().tolist()):
        limit = float(torch.as_tensor(t, dtype=torch.float64).expand(z.shape).flatten()[i])
        size, angle = cmath.polar(a)
        value = cmath.rect(max(size - limit, 0), angle)
        out.view(-1)[i] = value if z.is_complex() else value.real
    return out


@pytest.mark.parametrize("dtype", [torch.complex128, torch.float64])
@pytest.mark.parametrize("t", [0.0, 0.7, torch.tensor([[[0.1]], [[3.0]]], dtype=torch.float64)])
def test_each_magnitude_loses_t(t, dtype):
    z = draw(2, 3, 5, dtype=dtype)
    torch.testing.assert_close(shrink(z, t), written_out(z, t), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_magnitudes_over_an_axis(dim):
    z = draw(3, 4, 5)
    length = torch.linalg.vector_norm(z, dim=dim, keepdim=True)
    want = z / length * torch.maximum(length - 2.2, torch.zeros_like(length))
    torch.testing.assert_close(shrink(z, 2.2, dim), want)
    torch.testing.assert_close(clip(z, 2.2, dim), z - want)
    torch.testing.assert_close(magnitude(z, dim), length)
    assert 0 < int((want == 0).sum()) < want.numel()


def test_thresholds_of_entries_with_a_joint_axis():
    z, t = draw(2, 3, 4, 5), torch.tensor([0.1, 1.0, 9.0], dtype=torch.float64)[:, None, None]
    for i in range(3):
        torch.testing.assert_close(shrink(z, t, 0)[:, i], shrink(z[:, i], float(t[i]), 0))
        torch.testing.assert_close(clip(z, t, 0)[:, i], clip(z[:, i], float(t[i]), 0))


def test_clip_is_the_rest():
    z = draw(4, 5)
    torch.testing.assert_close(clip(z, 0.8), z - shrink(z, 0.8))
    torch.testing.assert_close(magnitude(clip(z, 0.8)), magnitude(z).clamp_max(0.8))


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128, torch.float32])
@pytest.mark.parametrize("t", [0.0, 0.5, 1e30])
def test_zero_stays_zero(t, dtype):
    z = torch.zeros(3, 2, dtype=dtype)
    for dim in (None, 0):
        assert torch.equal(shrink(z, t, dim), z)
        assert torch.equal(clip(z, t, dim), z)
    assert torch.equal(shrink(z, torch.tensor(t)), z)


def test_a_threshold_of_zero_changes_nothing():
    z = draw(3, 4, dtype=torch.complex64)
    z[1, 1] = 0
    torch.testing.assert_close(shrink(z, 0.0), z, rtol=0, atol=0)
    assert not clip(z, 0.0).any()


@pytest.mark.parametrize("scale", [1e-12, 1e-8, 1e8, 1e12])
def test_single_precision_in_any_unit(scale):
    z = draw(50, dtype=torch.complex64)
    torch.testing.assert_close(shrink(scale * z, scale * 0.5) / scale, shrink(z, 0.5), rtol=1e-4, atol=1e-5)
    assert shrink(z, 0.5).dtype == torch.complex64
    assert shrink(z, torch.tensor(0.5, dtype=torch.float64)).dtype == torch.complex64


def test_strided_and_conjugated_tensors_and_arguments_left_alone():
    z = draw(6, 5)
    before = z.clone()
    torch.testing.assert_close(shrink(z.T, 0.5), shrink(z, 0.5).T)
    torch.testing.assert_close(shrink(z.mH, 0.5), shrink(z, 0.5).mH)
    torch.testing.assert_close(shrink(z[::2, 1:], 0.5, -1), shrink(z[::2, 1:].clone(), 0.5, -1))
    clip(z, 0.5, 0)
    real = draw(4, dtype=torch.float64)
    copy = real.clone()
    shrink(real, 0.5)
    shrink(real[None], 0.5, 0)
    assert torch.equal(z, before)
    assert torch.equal(real, copy)
