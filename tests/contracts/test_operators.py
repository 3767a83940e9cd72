"""What every operator promises: linear, the right adjoint, the norm it claims, arguments left alone."""

import pytest
import torch

from kolumn.acquisition import acquire
from kolumn.operators import Coils, Fourier, Sampling, encoding
from kolumn.operators.gradient import Gradient, SymmetricGradient
from kolumn.operators.wavelet import Wavelet

SHAPE = (7, 10)
SHAPES = [(7, 10), (6, 9), (8, 6)]


def draw(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.complex128, generator=torch.Generator().manual_seed(seed))


def unit(maps):
    return maps / torch.linalg.vector_norm(maps, dim=-3, keepdim=True)


def orthogonal_sets(*shape):
    """Two sets of maps, orthonormal at each pixel: (2, *shape)."""
    a = unit(draw(*shape, seed=5))
    b = draw(*shape, seed=6)
    b = b - (a.conj() * b).sum(-3, keepdim=True) * a
    return torch.stack([a, unit(b)])


def columns(*shape, seed=2):
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(seed)) > 0.5
    mask[..., shape[-1] // 2] = True
    return mask


def built(batch, maps, mask):
    """The encoding operator of an acquisition, which is how everyone comes by it."""

    def make(shape):
        k = draw(*batch, 3, *shape)
        return encoding(acquire(k, mask(shape), maps(shape)))

    return make


def two_masks(shape):
    return columns(2, 1, 1, shape[1])


# name: (operator of a plane, shape of x before the plane, shape of y before the plane)
OPERATORS = {
    "sampling columns": (lambda s: Sampling(columns(1, s[1])), (2, 3), (2, 3)),
    "sampling plane": (lambda s: Sampling(columns(*s)), (2, 3), (2, 3)),
    "sampling unlike entries": (lambda s: Sampling(two_masks(s)), (2, 3), (2, 3)),
    "fourier": (lambda s: Fourier(), (2, 3), (2, 3)),
    "coils": (lambda s: Coils(unit(draw(1, 3, *s))), (1,), (3,)),
    "coils of entries": (lambda s: Coils(unit(draw(1, 2, 3, *s))), (1, 2), (2, 3)),
    "coils of two sets": (lambda s: Coils(orthogonal_sets(2, 3, *s)), (2, 2), (2, 3)),
    "gradient": (lambda s: Gradient(), (3,), (2, 3)),
    "symmetric gradient": (lambda s: SymmetricGradient(), (2, 3), (3, 3)),
    "wavelet": (lambda s: Wavelet("db4", 3), (2, 3), (2, 3)),
    "encoding one coil": (lambda s: encoding(acquire(draw(1, *s), columns(1, s[1]))), (1,), (1,)),
    "encoding columns": (built((), lambda s: unit(draw(3, *s)), lambda s: columns(s[1])), (1,), (3,)),
    "encoding plane": (built((), lambda s: unit(draw(3, *s)), lambda s: columns(*s)), (1,), (3,)),
    "encoding batch": (built((2,), lambda s: unit(draw(2, 3, *s)), two_masks), (1, 2), (2, 3)),
    "encoding batch of one maps": (built((2,), lambda s: unit(draw(3, *s)), two_masks), (1, 2), (2, 3)),
    "encoding two batches": (
        built((2, 2), lambda s: unit(draw(2, 3, *s)), lambda s: columns(s[1])),
        (1, 2, 2),
        (2, 2, 3),
    ),
    "encoding two sets": (built((), lambda s: orthogonal_sets(3, *s), lambda s: columns(s[1])), (2,), (3,)),
    "encoding two sets, batch": (built((2,), lambda s: orthogonal_sets(2, 3, *s), two_masks), (2, 2), (2, 3)),
    "encoding two sets, plane": (
        built((2,), lambda s: orthogonal_sets(1, 3, *s), lambda s: columns(*s)),
        (2, 2),
        (2, 3),
    ),
    "encoding coils of unlike masks": (
        built((), lambda s: unit(draw(3, *s)), lambda s: columns(3, 1, s[1])),
        (1,),
        (3,),
    ),
}
BOUND = {"gradient": 8, "symmetric gradient": 8}  # of the largest eigenvalue of A^H A, where it is not 1
FIELDS = list(BOUND)  # their first axis is not a batch
ENCODINGS = [name for name in OPERATORS if name.startswith("encoding")]


def case(name, shape, seed=3):
    make, domain, codomain = OPERATORS[name]
    return make(shape), draw(*domain, *shape, seed=seed), draw(*codomain, *shape, seed=seed + 1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", OPERATORS)
def test_adjoint(name, shape):
    A, x, y = case(name, shape)
    assert A.forward(x).shape == y.shape
    assert A.adjoint(y).shape == x.shape
    left, right = torch.vdot(A.forward(x).ravel(), y.ravel()), torch.vdot(x.ravel(), A.adjoint(y).ravel())
    torch.testing.assert_close(left, right, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", OPERATORS)
def test_linear(name):
    A, x, y = case(name, SHAPE)
    other, z = draw(*x.shape, seed=8), draw(*y.shape, seed=9)
    a = 2 - 3j
    torch.testing.assert_close(A.forward(x + a * other), A.forward(x) + a * A.forward(other))
    torch.testing.assert_close(A.adjoint(y + a * z), A.adjoint(y) + a * A.adjoint(z))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", OPERATORS)
def test_norm_is_at_most_what_it_claims(name, shape):
    A, x, _ = case(name, shape)
    for _ in range(30):
        x = A.adjoint(A.forward(x / x.norm()))
    bound = BOUND.get(name, 1)
    assert 0.5 * bound < float(x.norm()) <= bound + 1e-12


@pytest.mark.parametrize(
    "name", [n for n, (*_, codomain) in OPERATORS.items() if len(codomain) > 1 and n not in FIELDS]
)
def test_entries_of_the_batch_are_independent(name):
    A, x, _ = case(name, SHAPE)
    rest = (slice(None), slice(1, None)) if hasattr(A, "maps") or hasattr(A, "coils") else slice(1, None)
    alone = x.clone()
    alone[rest] = 0  # all entries but the first; the sets of maps stand in front
    torch.testing.assert_close(A.forward(x)[0], A.forward(alone)[0])
    assert A.forward(alone)[0].any()
    assert not A.forward(alone)[1:].any()


@pytest.mark.parametrize("name", FIELDS)
def test_entries_of_fields_are_independent(name):
    A, x, y = case(name, SHAPE)
    batched = A.forward(x), A.adjoint(y)
    for i in range(3):
        torch.testing.assert_close(batched[0][:, i], A.forward(x[..., i, :, :]))
        torch.testing.assert_close(batched[1][..., i, :, :], A.adjoint(y[:, i]))


@pytest.mark.parametrize("name", OPERATORS)
def test_arguments_are_left_alone(name):
    A, x, y = case(name, SHAPE)
    before = x.clone(), y.clone()
    A.forward(x)
    A.adjoint(y)
    if hasattr(A, "normal"):
        A.normal(x)
        A.normal(x)
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", ENCODINGS)
def test_normal_is_adjoint_after_forward(name, shape):
    A, x, _ = case(name, shape)
    assert A.normal(x).shape == x.shape
    torch.testing.assert_close(A.normal(x), A.adjoint(A.forward(x)), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(A.normal(A.normal(x)), A.adjoint(A.forward(A.adjoint(A.forward(x)))))


@pytest.mark.parametrize("name", ["encoding columns", "encoding plane", "encoding two sets"])
def test_single_precision_stays(name):
    A, x, y = case(name, SHAPE)
    A = encoding(acquire(y.to(torch.complex64), A.sampling.mask, A.coils.maps if "two" in name else A.coils.maps[0]))
    x, y = x.to(torch.complex64), y.to(torch.complex64)
    assert A.forward(x).dtype == A.adjoint(y).dtype == A.normal(x).dtype == torch.complex64
