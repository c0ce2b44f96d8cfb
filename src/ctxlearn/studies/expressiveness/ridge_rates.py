"""How many blocks exact ridge regression takes: gradient steps of one size, and Chebyshev's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ctxlearn import lab
from ctxlearn.expressiveness import construct
from ctxlearn.references import GradientDescent, Ridge
from ctxlearn.references.descent import chebyshev_steps, equal_steps
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks import LinearRegression

PENALTY = 0.1
FEATURES, CONTEXT = 20, 40
EQUAL, CHEBYSHEV = "equal steps", "Chebyshev's steps"
SCHEDULES = (EQUAL, CHEBYSHEV)


@dataclass(frozen=True)
class Rates:
    """Errors of a transformer of k steps against exact ridge regression.

    Attributes:
        steps: K numbers of steps.
        error: per schedule, (T, K): |W_k - W| / |W| of each task, which is also the root mean square of its
            prediction error over queries x ~ N(0, I), relative to that of answering 0.
        bound: per schedule, (K,): what no context with curvatures in the interval can exceed.
        kappa: the largest curvature over the smallest, of all contexts together.
    """

    steps: Sequence[int]
    error: dict[str, np.ndarray]
    bound: dict[str, np.ndarray]
    kappa: float


def measurements(n_tasks: int, steps: Sequence[int]) -> list[lab.Measurement]:
    """Both schedules on the same tasks."""
    return [
        lab.Measurement(("ridge", name), 0, lab.call(ridge_errors, name, n_tasks, list(steps)), "linear tasks")
        for name in SCHEDULES
    ]


def ridge_errors(schedule: str, n_tasks: int, steps: Sequence[int], seed: int = 0) -> dict[str, object]:
    """Transformers written to be k gradient steps, against ridge regression in closed form, on linear tasks.

    Returns:
        "ridge_error" (T, K) and the facts "bound" and "kappa"; see `Rates`.
    """
    family = LinearRegression(FEATURES, noise=0.5)
    tasks = family.sample(n_tasks, CONTEXT, generator=generator_for(seed, Stream.TEST, 5))
    x, y = tasks.x.double(), tasks.y.double()
    curvatures = torch.linalg.eigvalsh(x.mT @ x / CONTEXT) + PENALTY
    low, high = float(curvatures.min()), float(curvatures.max())
    unit = torch.eye(FEATURES, dtype=torch.float64).expand(n_tasks, -1, -1)  # queries whose answers are the weights
    exact = Ridge(FEATURES, None, penalty=CONTEXT * PENALTY, intercept=False)(x, y, unit)
    errors = []
    for k in steps:
        sizes = (equal_steps if schedule == EQUAL else chebyshev_steps)(k, low, high)
        rule = GradientDescent(k, sizes, n_features=FEATURES, n_classes=None, penalty=PENALTY).double()
        with torch.no_grad():
            weights = construct(rule)(x, y, unit)
        errors.append(((weights - exact).norm(dim=-1) / exact.norm(dim=-1)).numpy())
    kappa = high / low
    factor, root = (1, kappa) if schedule == EQUAL else (2, math.sqrt(kappa))
    bound = [factor * ((root - 1) / (root + 1)) ** k for k in steps]
    return {"ridge_error": np.stack(errors, axis=-1), "facts": {"bound": bound, "kappa": kappa}}


def found(numbers: lab.Numbers, steps: Sequence[int]) -> Rates:
    """What was measured."""
    errors = {name: numbers.array("ridge", name, name="ridge_error") for name in SCHEDULES}
    facts = {name: numbers.facts("ridge", name)[0] for name in SCHEDULES}
    return Rates(
        steps, errors, {name: np.array(about["bound"]) for name, about in facts.items()}, facts[EQUAL]["kappa"]
    )
