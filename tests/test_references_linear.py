"""Gradient descent, least squares and the largest margin, against autograd, numpy and scikit-learn."""

import pytest
import torch
import zoo
from hypothesis import given
from hypothesis import strategies as st

from ctxlearn.learners import MLP
from ctxlearn.references import GradientDescent

SIZES = {"n": st.integers(0, 9), "d": st.integers(1, 4), "seed": st.integers(0, 99)}


def drawn(n, d, n_classes, seed, n_tasks=2, q=3):
    generator = torch.Generator().manual_seed(seed)
    x, queries = torch.randn(n_tasks, n + q, d, generator=generator, dtype=torch.float64).split([n, q], dim=1)
    if n_classes is None:
        return x, torch.randn(n_tasks, n, generator=generator, dtype=torch.float64), queries
    return x, torch.randint(n_classes, (n_tasks, n), generator=generator), queries


def steps_by_autograd(features, y, n_classes, step_sizes, loss, penalty):
    """Weights (K, e) for one task."""
    n_outputs = 1 if n_classes is None else n_classes
    weights = torch.zeros(n_outputs, features.shape[1], dtype=torch.float64, requires_grad=True)
    for size in step_sizes:
        total = penalty / 2 * weights.square().sum()
        outputs = features @ weights.mT
        if len(y) and loss == "softmax":
            total = total + torch.nn.functional.cross_entropy(outputs, y)
        elif len(y):
            targets = y[:, None] if n_classes is None else torch.nn.functional.one_hot(y, n_classes).double()
            total = total + 0.5 * (outputs - targets).square().sum(1).mean()
        (gradient,) = torch.autograd.grad(total, weights)
        weights = (weights - size * gradient).detach().requires_grad_()
    return weights.detach()


@pytest.mark.parametrize(("loss", "n_classes"), [("squared", 3), ("softmax", 3), ("squared", None)])
@given(**SIZES, steps=st.integers(0, 4), penalty=st.sampled_from([0.0, 0.3]), intercept=st.booleans())
def test_gradient_descent_is_what_autograd_does(loss, n_classes, n, d, seed, steps, penalty, intercept):
    x, y, queries = drawn(n, d, n_classes, seed)
    sizes = [0.5 / (i + 1) for i in range(steps)]
    learner = GradientDescent(steps, sizes, loss, n_classes=n_classes, penalty=penalty, intercept=intercept)
    out = learner(x, y, queries)
    for b in range(len(x)):
        features, asked = (
            torch.cat([t, torch.ones(len(t), 1, dtype=t.dtype)], 1) if intercept else t for t in (x[b], queries[b])
        )
        expected = asked @ steps_by_autograd(features, y[b], n_classes, sizes, loss, penalty).mT
        assert torch.allclose(out[b], expected[:, 0] if n_classes is None else expected, atol=1e-12)


def test_gradient_descent_stands_on_frozen_features_of_its_own(generator):
    encoder = MLP(2, 5, 7)
    learner = GradientDescent(3, 0.2, "softmax", n_features=2, n_classes=2, encoder=encoder).double()
    assert not any(p.requires_grad for p in learner.parameters())
    assert all(p.requires_grad for p in encoder.parameters())
    x, y, queries = drawn(4, 2, 2, 0)
    phi = encoder.double()
    plain = GradientDescent(3, 0.2, "softmax", n_classes=2)
    with torch.no_grad():
        expected = plain(phi(x), y, phi(queries))
    assert torch.allclose(learner(x, y, queries), expected, atol=1e-12)


def test_gradient_descent_keeps_its_contract_in_float64():
    from ctxlearn.testing import check_learner

    check_learner(zoo.references()["gradient descent on an encoder"].double(), tolerance=1e-10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"steps": -1}, "^steps: expected an integer >= 0"),
        ({"step_size": 0.0}, "^step_size: expected a finite number > 0"),
        ({"steps": 2, "step_size": [0.1]}, "^step_size: expected a number, or 2 of them, one a step, got 1"),
        ({"steps": 2, "step_size": [0.1, -1.0]}, r"^step_size\[1\]: expected"),
        ({"loss": "hinge"}, "^loss: unknown name 'hinge'"),
        ({"loss": "softmax", "n_classes": None}, '^loss: expected "squared" for regression'),
        ({"penalty": -1.0}, "^penalty: expected"),
        ({"encoder": None}, '^encoder: expected "identity" where n_features is None'),
    ],
)
def test_gradient_descent_refuses_what_it_cannot_do(arguments, message):
    with pytest.raises(ValueError, match=message):
        GradientDescent(**arguments)
