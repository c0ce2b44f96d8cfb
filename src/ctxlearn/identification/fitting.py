"""Ridge and gradient descent whose numbers are fitted to a predictor of linear regression."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from scipy.optimize import minimize_scalar

from ctxlearn.identification.probes import Probes
from ctxlearn.identification.responses import Responses
from ctxlearn.learners.base import Learner
from ctxlearn.references import GradientDescent, Ridge

STEPS = (1, 2, 3, 4, 6, 8, 12, 16, 32)
"""Numbers of steps that are tried; few small ones of equal product with the step size cannot be told apart."""


def fit_ridge(responses: Sequence[Responses], probes: Sequence[Probes], n_features: int | tuple[int, ...]) -> Ridge:
    """Ridge without intercept whose penalty comes nearest to a predictor, in squared difference over all lengths."""
    loss = _loss(responses, probes)

    def made(log_penalty: float) -> Ridge:
        return Ridge(n_features, None, penalty=float(10.0**log_penalty), intercept=False)

    return made(_minimum(lambda at: loss(made(at)), np.linspace(-4, 4, 17))[0])


def fit_descent(
    responses: Sequence[Responses], probes: Sequence[Probes], n_features: int | tuple[int, ...]
) -> GradientDescent:
    """Gradient descent whose number of steps and step size come nearest to a predictor, over all lengths.

    Step sizes stay below that at which the most curved probe diverges.
    """
    loss = _loss(responses, probes)
    largest = max(_curvature(p) for p in probes)
    found = []
    for steps in STEPS:

        def made(log_size: float, steps: int = steps) -> GradientDescent:
            return GradientDescent(steps, float(10.0**log_size), n_features=n_features, n_classes=None)

        end = np.log10(2 / largest) if steps > 1 else 1.0

        def lost(log_size: float, steps: int = steps) -> float:
            return loss(made(log_size, steps))

        at, value = _minimum(lost, np.linspace(-4, end, 13))
        found.append((value, made(at)))
    # of fits that are equally good but for rounding, the one of fewest steps
    best = min(value for value, _ in found)
    return next(learner for value, learner in found if value <= best * (1 + 1e-6) + 1e-12)


def _curvature(probes: Probes) -> float:
    x = probes.x.flatten(2).double().numpy()
    if x.shape[1] == 0:
        return 1.0
    return float((np.linalg.norm(x, 2, axis=(1, 2)) ** 2 / x.shape[1]).max())


def _loss(responses: Sequence[Responses], probes: Sequence[Probes]) -> Callable[[Learner], float]:
    """Mean squared difference, each length in units of the predictor's own variance at it."""

    def loss(learner: Learner) -> float:
        total = 0.0
        for response, probe in zip(responses, probes, strict=True):
            answer = learner(probe.x, probe.y, probe.queries).double()
            scores = response.scores[..., 0]
            total += float((answer - scores).square().mean() / scores.square().mean().clamp(min=1e-30))
        return total / len(probes)

    return loss


def _minimum(loss: Callable[[float], float], grid: np.ndarray) -> tuple[float, float]:
    """The argument and value of the minimum: the best of the grid, refined between its neighbours."""
    values = [loss(float(at)) for at in grid]
    k = int(np.argmin(values))
    bounds = float(grid[max(k - 1, 0)]), float(grid[min(k + 1, len(grid) - 1)])
    refined = minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-3})
    return (float(refined.x), float(refined.fun)) if refined.fun < values[k] else (float(grid[k]), values[k])
