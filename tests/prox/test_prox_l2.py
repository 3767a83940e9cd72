"""The squared norm."""

import torch
from dense import draw

from kolumn.prox import prox_l2, squared_norm


def test_the_gradient_is_zero_at_the_minimiser():
    x, t = draw(3, 5, 7), torch.tensor([0.0, 0.3, 9.0], dtype=torch.float64)[:, None, None]
    u = prox_l2(x, t)
    torch.testing.assert_close(u - x + t * u, torch.zeros_like(x), rtol=0, atol=1e-12)
    assert torch.equal(prox_l2(x[0], 1.0), x[0] / 2)


def test_the_value():
    x = draw(3, 5, 7)
    torch.testing.assert_close(squared_norm(x), 0.5 * x.abs().square().sum((1, 2)))
