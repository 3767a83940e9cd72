"""Conjugate gradients against a dense solve and, short of convergence, against the textbook."""

from itertools import islice, pairwise

import numpy as np
import pytest
import torch

from kolumn.solvers import conjugate_gradients


def draw(*shape, seed=0, dtype=torch.complex128):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


def positive(*shape, seed=0, floor=0.3):
    """Hermitian positive definite matrices (..., n, n)."""
    B = draw(*shape, seed=seed)
    return B @ B.mH / shape[-1] + floor * torch.eye(shape[-1])


def dot(a, b):
    return (a.conj() * b).real.sum(-1, keepdim=True)


def apply(M):
    return lambda x: (M @ x[..., None])[..., 0]


def steps(M, b, n, tolerance=0.0):
    return list(islice(conjugate_gradients(apply(M), b, dot, tolerance), n))


def textbook(A, b, n):
    """Hestenes and Stiefel, written out for one right-hand side: the iterates x_1 .. x_n."""
    x, r = np.zeros_like(b), b.copy()
    p, found = r.copy(), []
    for _ in range(n):
        Ap = A @ p
        alpha = np.vdot(r, r).real / np.vdot(p, Ap).real
        x = x + alpha * p
        new = r - alpha * Ap
        p = new + np.vdot(new, new).real / np.vdot(r, r).real * p
        r = new
        found.append(x)
    return found


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_each_iterate_is_the_textbooks(n):
    M, b = positive(9, 9), draw(9, seed=1)
    want = textbook(M.numpy(), b.numpy(), n)
    for ours, theirs in zip(steps(M, b, n), want, strict=True):
        torch.testing.assert_close(ours.x, torch.from_numpy(theirs), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n", [1, 2, 4])
def test_with_a_preconditioner_it_is_the_textbooks_in_other_coordinates(n):
    """x = L^-H x' for C = L L^H, x' being the iterates for L^-1 A L^-H x' = L^-1 b."""
    M, b, C = positive(9, 9), draw(9, seed=1), positive(9, 9, seed=2)
    inverse = torch.linalg.inv(torch.linalg.cholesky(C))
    back = inverse.mH.resolve_conj()
    want = [back.numpy() @ x for x in textbook((inverse @ M @ back).numpy(), (inverse @ b).numpy(), n)]
    C_inverse = apply(torch.linalg.inv(C))
    found = list(islice(conjugate_gradients(apply(M), b, dot, precondition=C_inverse), n))
    for ours, theirs in zip(found, want, strict=True):
        torch.testing.assert_close(ours.x, torch.from_numpy(theirs), rtol=1e-10, atol=1e-10)
        left = torch.linalg.vector_norm(b - M @ ours.x) / torch.linalg.vector_norm(b)
        assert float(ours.residual) == pytest.approx(float(left))


def test_each_iterate_is_the_best_of_its_krylov_space():
    """x_2 minimises 1/2 x^H A x - Re b^H x over span(b, A b): no mention of how."""
    M, b = positive(9, 9), draw(9, seed=1)
    V = torch.stack([b, M @ b], dim=1)
    want = V @ torch.linalg.solve(V.mH @ M @ V, V.mH @ b)
    torch.testing.assert_close(steps(M, b, 2)[-1].x, want)


def test_a_dense_solve():
    M, b = positive(12, 12), draw(12, seed=1)
    last = steps(M, b, 12)[-1]
    torch.testing.assert_close(last.x, torch.linalg.solve(M, b), rtol=1e-8, atol=1e-8)
    assert float(last.residual) < 1e-8


def test_the_residual_is_what_it_says():
    M, b = positive(3, 9, 9), draw(3, 9, seed=1) * torch.tensor([[1.0], [30.0], [0.1]])
    for x, residual in steps(M, b, 6):
        true = (b - apply(M)(x)).norm(dim=-1, keepdim=True) / b.norm(dim=-1, keepdim=True)
        torch.testing.assert_close(residual, true, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("tolerance", [0.0, 0.05])
def test_entries_of_unlike_brightness_are_as_if_alone(tolerance):
    M = torch.stack([positive(9, 9, seed=s, floor=f) for s, f in ((0, 0.02), (1, 3.0), (2, 0.2))])
    b = draw(3, 9, seed=4) * torch.tensor([[1.0], [30.0], [0.1]])
    for n in (1, 2, 4, 8):
        together = steps(M, b, n, tolerance)[-1]
        for i in range(3):
            alone = steps(M[i], b[i], n, tolerance)[-1]
            torch.testing.assert_close(together.x[i], alone.x, rtol=1e-12, atol=0)
            torch.testing.assert_close(together.residual[i], alone.residual, rtol=1e-10, atol=0)


def test_an_entry_stands_still_once_it_is_good_enough():
    M = torch.stack([positive(9, 9, seed=0, floor=0.02), positive(9, 9, seed=1, floor=4.0)])
    b = draw(2, 9, seed=4)
    found = steps(M, b, 20, tolerance=0.02)
    stops = []
    for i in range(2):
        first = next(n for n, it in enumerate(found) if float(it.residual[i]) <= 0.02)
        assert all(float(it.residual[i]) > 0.02 for it in found[:first])
        assert all(torch.equal(it.x[i], found[first].x[i]) for it in found[first:])
        assert all(torch.equal(it.residual[i], found[first].residual[i]) for it in found[first:])
        stops.append(first)
    assert stops[1] < stops[0] - 1  # or else nothing was tested


def test_it_goes_on_where_the_tolerance_is_not_reached():
    M, b = positive(9, 9, floor=0.02), draw(9, seed=4)
    found = steps(M, b, 6, tolerance=1e-6)
    assert all(float(x.residual) > 1e-6 for x in found[:-1])
    assert all(not torch.equal(a.x, b.x) for a, b in pairwise(found))


def test_a_right_hand_side_of_zeros():
    M, b = positive(2, 5, 5), draw(2, 5, seed=1)
    b[0] = 0
    for n, (x, residual) in enumerate(steps(M, b, 7)):
        assert not x[0].any()
        assert float(residual[0]) == 0
        torch.testing.assert_close(x[1], steps(M[1], b[1], n + 1)[-1].x)


@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_long_after_convergence(dtype):
    M, b = positive(4, 4), draw(4, seed=1)
    want = torch.linalg.solve(M, b)
    for x, residual in steps(M.to(dtype), b.to(dtype), 100)[5:]:
        torch.testing.assert_close(x, want.to(dtype), rtol=1e-4, atol=1e-4)
        assert torch.isfinite(residual).all()


def test_a_singular_matrix():
    """Least squares of least norm where the equation can be solved, and no NaN where it cannot."""
    B = draw(3, 7)
    M, b = B.mH @ B, B.mH @ draw(3, seed=1)
    torch.testing.assert_close(steps(M, b, 3)[-1].x, torch.linalg.pinv(B) @ torch.linalg.pinv(B.mH) @ b)
    for x, residual in steps(torch.diag(torch.tensor([1.0, 0.0])).to(b.dtype), torch.ones(2, dtype=b.dtype), 20):
        assert torch.isfinite(torch.view_as_real(x)).all()
        assert torch.isfinite(residual).all()
    for x, _ in steps(torch.zeros(2, 2, dtype=b.dtype), torch.ones(2, dtype=b.dtype), 3):
        assert not x.any()


@pytest.mark.parametrize("scale", [1e-12, 1e-7, 1e5, 1e12])
def test_single_precision_at_any_scale(scale):
    M, b = positive(5, 5).to(torch.complex64), draw(5, seed=1).to(torch.complex64)
    one, other = steps(M, b, 3)[-1], steps(M, scale * b, 3)[-1]
    torch.testing.assert_close(other.x, scale * one.x, rtol=1e-4, atol=0)
    torch.testing.assert_close(other.residual, one.residual, rtol=1e-3, atol=1e-6)


def test_one_application_an_iterate_and_arguments_left_alone():
    M, b, calls = positive(5, 5), draw(5, seed=1), []
    before = b.clone()

    def counted(x):
        calls.append(x)
        return apply(M)(x)

    list(islice(conjugate_gradients(counted, b, dot), 4))
    assert len(calls) == 4
    assert torch.equal(b, before)
