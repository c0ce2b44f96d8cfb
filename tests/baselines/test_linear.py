"""Gradient descent, least squares and the largest margin, against autograd, numpy and scikit-learn."""

import numpy as np
import pytest
import torch
import zoo
from hypothesis import given
from hypothesis import strategies as st
from sklearn import linear_model, svm

from ctxlearn.baselines.gradient_descent import chebyshev_steps, equal_steps
from ctxlearn.learners import MLP
from ctxlearn.references import (
    Averaging,
    GradientDescent,
    KernelRegression,
    Majority,
    MaxMargin,
    MeanThreshold,
    Ridge,
)
from ctxlearn.tasks import Amortization

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
        ({"steps": -1}, r"^steps: expected an integer in \[0, "),
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


@given(**SIZES, n_classes=st.sampled_from([None, 3]))
def test_least_squares_without_penalty_is_the_smallest_of_the_best(n, d, seed, n_classes):
    x, y, queries = drawn(n, d, n_classes, seed)
    out = Ridge(d, n_classes, intercept=False)(x, y, queries)
    for b in range(len(x)):
        targets = y[b][:, None] if n_classes is None else torch.nn.functional.one_hot(y[b], n_classes).double()
        weights = np.linalg.lstsq(x[b].numpy(), targets.numpy(), rcond=None)[0]
        expected = torch.from_numpy(queries[b].numpy() @ weights)
        assert torch.allclose(out[b], expected[:, 0] if n_classes is None else expected, atol=1e-8)


@given(n=st.integers(1, 9), d=st.integers(1, 4), seed=st.integers(0, 99), penalty=st.sampled_from([0.01, 1.0, 30.0]))
def test_ridge_is_scikit_learns(n, d, seed, penalty):
    x, y, queries = drawn(n, d, None, seed)
    out = Ridge(None, None, penalty=penalty)(x, y, queries)
    for b in range(len(x)):
        theirs = linear_model.Ridge(alpha=penalty).fit(x[b].numpy(), y[b].numpy())
        assert np.allclose(out[b].numpy(), theirs.predict(queries[b].numpy()), atol=1e-8)


@given(n=st.integers(3, 9), seed=st.integers(0, 99), n_classes=st.sampled_from([None, 3]))
def test_many_steps_of_gradient_descent_are_ridge(n, seed, n_classes):
    x, y, queries = drawn(n, 2, n_classes, seed)
    curvature = float((torch.linalg.matrix_norm(x, 2) ** 2 / n).max()) + 0.1
    descent = GradientDescent(2000, 1 / curvature, n_classes=n_classes, penalty=0.1)
    ridge = Ridge(2, n_classes, penalty=0.1 * n, intercept=False)
    assert torch.allclose(descent(x, y, queries), ridge(x, y, queries), atol=1e-6)


@given(n=st.integers(2, 12), d=st.integers(1, 3), seed=st.integers(0, 99), cost=st.sampled_from([0.3, 3.0]))
def test_the_largest_margin_is_scikit_learns(n, d, seed, cost):
    x, y, _ = drawn(n, d, 2, seed)
    y[:, 0], y[:, 1] = 0, 1
    learner = MaxMargin(d, cost=cost)
    weights = learner.adapt(x, y)
    assert torch.allclose(weights[:, 0], -weights[:, 1], atol=1e-6)
    for b in range(len(x)):
        share = cost / float((x[b] - x[b].mean(0)).square().sum(1).mean())
        theirs = svm.SVC(kernel="linear", C=share, tol=1e-6).fit(x[b].numpy(), y[b].numpy())

        def value(w, intercept, points=x[b], signs=2 * y[b] - 1, share=share):
            return float(0.5 * w @ w + share * (1 - signs * (points @ w + intercept)).clamp(min=0).sum())

        # the intercept need not be unique, so values are compared, and the weights
        best = value(torch.tensor(theirs.coef_[0]), float(theirs.intercept_[0]))
        assert value(weights[b, 1, :-1], weights[b, 1, -1]) == pytest.approx(best, rel=1e-4)
        assert np.allclose(weights[b, 1, :-1].numpy(), theirs.coef_[0], rtol=1e-3, atol=1e-4)


def test_the_hard_margin_stands_midway_and_does_not_know_units():
    x = torch.tensor([[[0.0, 0.0], [0.0, 1.0], [2.0, 0.5], [9.0, 0.0]]], dtype=torch.float64)
    y = torch.tensor([[0, 0, 1, 1]])
    queries = torch.tensor([[[1.0, 0.5], [2.0, 0.5], [0.0, 0.7]]], dtype=torch.float64)
    expected = torch.tensor([[0.0, 1.0, -1.0]], dtype=torch.float64)
    assert torch.allclose(MaxMargin()(x, y, queries)[..., 1], expected, atol=1e-5)
    assert torch.allclose(MaxMargin()(1e6 * x, y, 1e6 * queries)[..., 1], expected, atol=1e-5)


def test_averaging_is_the_mean_of_label_times_input():
    x, y, queries = drawn(5, 3, None, 0)
    weights = (x * y[..., None]).mean(1)
    assert torch.allclose(Averaging()(x, y, queries), (queries @ weights[..., None])[..., 0])


def test_kernel_regression_goes_from_the_nearest_to_the_mean():
    x, y, queries = drawn(6, 2, None, 0)
    nearest = y.gather(1, torch.cdist(queries, x).argmin(-1))
    assert torch.allclose(KernelRegression(1e-3, n_classes=None)(x, y, queries), nearest)
    mean = y.mean(1, keepdim=True).expand_as(nearest)
    assert torch.allclose(KernelRegression(1e3, n_classes=None)(x, y, queries), mean, atol=1e-4)


def test_the_threshold_at_the_mean_is_the_one_of_the_paper():
    tasks = Amortization().sample(4000, 17, generator=torch.Generator().manual_seed(0))
    episode = tasks.split(16)
    decided = MeanThreshold()(episode.context_x, episode.context_y, episode.query_x).argmax(-1)
    accuracy = (decided == episode.query_y).double().mean()
    assert abs(float(accuracy) - 0.923) < 0.015  # 6,000 tasks elsewhere gave 92.3 %; four standard errors are 1.7 %


def test_the_majority_is_a_smoothed_frequency():
    y = torch.tensor([[0, 2, 2, 2]])
    x = torch.zeros(1, 4, 1)
    shares = Majority(n_classes=3)(x, y, x[:, :2]).softmax(-1)
    assert torch.allclose(shares[0], torch.tensor([2.0, 1.0, 4.0]).expand(2, 3) / 7)


@pytest.mark.parametrize("k", [1, 2, 3, 8, 32])
def test_steps_contract_every_curvature_as_much_as_their_rates_say(k):
    low, high = 0.2, 5.0
    curvature = np.linspace(low, high, 500)
    for steps, kappa, factor in ((equal_steps, high / low, 1), (chebyshev_steps, (high / low) ** 0.5, 2)):
        sizes = steps(k, low, high)
        assert len(sizes) == k
        left = np.abs(np.prod([1 - size * curvature for size in sizes], axis=0)).max()
        assert left <= factor * ((kappa - 1) / (kappa + 1)) ** k * (1 + 1e-9)
