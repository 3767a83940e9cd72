"""The update rules as their papers print them, for one number: lists of w after each step."""

from math import sqrt

import numpy as np


def sgd(w, gradient, steps, lr, momentum=0.0, weight_decay=0.0, nesterov=False):
    # Sutskever et al. 2013 in the form of torch: the speed b is in units of the gradient
    b, path = 0.0, []
    for t in range(1, steps + 1):
        g = gradient(t, w) + weight_decay * w
        b = momentum * b + g
        w = w - lr * (g + momentum * b if nesterov else b)
        path.append(w)
    return path


def rmsprop(w, gradient, steps, lr, alpha, eps, momentum=0.0, centered=False, weight_decay=0.0):
    mean_square = mean = delta = 0.0
    path = []
    for t in range(1, steps + 1):
        g = gradient(t, w) + weight_decay * w
        mean_square = alpha * mean_square + (1 - alpha) * g * g
        mean = alpha * mean + (1 - alpha) * g
        spread = mean_square - mean * mean if centered else mean_square
        delta = momentum * delta + g / (sqrt(spread) + eps)
        w = w - lr * delta
        path.append(w)
    return path


def adam(w, gradient, steps, lr, betas, eps, weight_decay=0.0, bias_correction=True, decoupled=False, largest=False):
    # Kingma and Ba, algorithm 1; Loshchilov and Hutter, algorithm 2; Reddi et al., algorithm 2
    b1, b2 = betas
    m = v = u = 0.0
    path = []
    for t in range(1, steps + 1):
        g = gradient(t, w) + (0 if decoupled else weight_decay * w)
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g * g
        u = max(u, v) if largest else v
        m_hat, u_hat = (m / (1 - b1**t), u / (1 - b2**t)) if bias_correction else (m, u)
        w = w - lr * (m_hat / (sqrt(u_hat) + eps) + (weight_decay * w if decoupled else 0))
        path.append(w)
    return path


def adamw(w, gradient, steps, **options):
    return adam(w, gradient, steps, decoupled=True, **options)


def amsgrad(w, gradient, steps, **options):
    return adam(w, gradient, steps, largest=True, **options)


def schedule_free(w, gradient, rates, beta, weight_decay=0.0, alpha=None, eps=0.0):
    # Defazio et al. 2024, algorithm 1, with x, y and z all kept; rates are gamma of each step. Returns (y, x) pairs.
    x = z = w
    v = squares = 0.0
    path = []
    for t, gamma in enumerate(rates, 1):
        y = (1 - beta) * z + beta * x
        g = gradient(t, y)
        direction = g
        if alpha is not None:
            v = alpha * v + (1 - alpha) * g * g
            gamma = gamma * sqrt(1 - alpha**t)
            direction = g / (sqrt(v) + eps)
        z = z - gamma * direction - gamma * weight_decay * y
        squares += gamma**2
        c = gamma**2 / squares
        x = (1 - c) * x + c * z
        path.append(((1 - beta) * z + beta * x, x))
    return path


def lamb(ws, gradients, steps, lr, betas, eps, weight_decay):
    # You et al. 2019, algorithm 2, for one layer: a list of numbers
    b1, b2 = betas
    m, v = [0.0] * len(ws), [0.0] * len(ws)
    path = []
    for t in range(1, steps + 1):
        g = [gradient(t, w) for gradient, w in zip(gradients, ws, strict=True)]
        m = [b1 * a + (1 - b1) * b for a, b in zip(m, g, strict=True)]
        v = [b2 * a + (1 - b2) * b * b for a, b in zip(v, g, strict=True)]
        r = [(a / (1 - b1**t)) / (sqrt(b / (1 - b2**t)) + eps) for a, b in zip(m, v, strict=True)]
        d = [a + weight_decay * w for a, w in zip(r, ws, strict=True)]
        norm_w, norm_d = sqrt(sum(w * w for w in ws)), sqrt(sum(a * a for a in d))
        trust = norm_w / norm_d if norm_w > 0 and norm_d > 0 else 1.0
        ws = [w - lr * trust * a for w, a in zip(ws, d, strict=True)]
        path.append(ws)
    return path


def muon(w, gradients, lr, momentum, weight_decay):
    # Jordan et al. 2024 with the factor of Liu et al. 2025, on the singular values of a matrix: Newton-Schulz does
    # the same polynomial to each of them and leaves the singular vectors alone.
    m, path = np.zeros_like(w), []
    for g in gradients:
        m = momentum * m + (1 - momentum) * g
        u, s, vt = np.linalg.svd((1 - momentum) * g + momentum * m, full_matrices=False)
        s = s / np.sqrt((s * s).sum())
        for _ in range(5):
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        w = w * (1 - lr * weight_decay) - lr * 0.2 * np.sqrt(max(w.shape)) * (u * s) @ vt
        path.append(w)
    return path
