"""A small network with a loss, and finite differences, for the tests of inner loops."""

import pytest
import torch
from torch import nn

from ctxlearn.learners import Functional
from ctxlearn.seeding import initial_weights


def network(n_inputs=2, hidden=5):
    with initial_weights(0):
        return nn.Sequential(nn.Linear(n_inputs, hidden), nn.Tanh(), nn.Linear(hidden, 1)).double()


def points(generator, n=6, d=2):
    x = torch.randn(n, d, generator=generator, dtype=torch.float64)
    return x, torch.randn(n, generator=generator, dtype=torch.float64)


def squared(module, x, y):
    function = Functional(module)
    return lambda p: function(p, lambda m, x: (m(x)[..., 0] - y).square().mean(), x)


def named(module):
    return dict(module.named_parameters())


def slopes(value, parameters, generator, h=1e-5):
    """Directional derivatives of `value()` along 4 random directions: by finite differences, and the directions."""
    for _ in range(4):
        directions = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
        found = []
        for step in (h, -2 * h):
            with torch.no_grad():
                torch._foreach_add_(parameters, directions, alpha=step)
            found.append(float(value().detach()))
        with torch.no_grad():
            torch._foreach_add_(parameters, directions, alpha=h)
        yield (found[0] - found[1]) / (2 * h), directions


def assert_gradient_is_the_finite_difference(value, parameters, generator):
    gradients = torch.autograd.grad(value(), parameters, allow_unused=True, materialize_grads=True)
    for expected, directions in slopes(value, parameters, generator):
        slope = sum(float((g * v).sum()) for g, v in zip(gradients, directions, strict=True))
        assert slope == pytest.approx(expected, rel=1e-4, abs=1e-9)
