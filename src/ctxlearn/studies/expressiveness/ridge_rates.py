"""How many blocks exact ridge regression takes: gradient steps of one size, and Chebyshev's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ctxlearn.expressiveness import construct
from ctxlearn.references import GradientDescent, Ridge
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.claims import Claim
from ctxlearn.tasks import LinearRegression
from ctxlearn.threads import one_thread_per_operator

PENALTY = 0.1
SIZES = ("equal steps", "Chebyshev's steps")


@dataclass(frozen=True)
class Rates:
    """Errors of a transformer of k steps against exact ridge regression.

    Attributes:
        error: per kind of steps and k, (T,): |W_k - W| / |W| of each task, which is also the root mean square of its
            prediction error over queries x ~ N(0, I), relative to that of answering 0.
        bound: per kind of steps and k, what no context with curvatures in the interval can exceed.
        kappa: the largest curvature over the smallest, of all contexts together.
        n_features: d.
        n_context: n.
    """

    error: dict[tuple[str, int], np.ndarray]
    bound: dict[tuple[str, int], float]
    kappa: float
    n_features: int
    n_context: int


def equal_steps(k: int, low: float, high: float) -> list[float]:
    """The best k equal steps for curvatures in [low, high]."""
    return [2 / (low + high)] * k


def chebyshev_steps(k: int, low: float, high: float) -> list[float]:
    """The best k steps for curvatures in [low, high]: one over the roots of Chebyshev's polynomial, far ones in turn.

    In their natural order the first steps, all long, would let rounding errors grow.

    Source: Young 1953; Lebedev and Finogenov 1971 for the order.
    """
    roots = [(high + low) / 2 - (high - low) / 2 * math.cos(math.pi * (2 * i + 1) / (2 * k)) for i in range(k)]
    order = [0]
    while len(order) < k:
        order = [j for i in order for j in (i, 2 * len(order) - 1 - i)]
    return [1 / roots[i] for i in order if i < k]


def measure_rates(
    n_tasks: int, steps: Sequence[int], seed: int = 0, n_features: int = 20, n_context: int = 40
) -> Rates:
    """Transformers written to be k gradient steps, against ridge regression in closed form, on linear tasks."""
    tasks = LinearRegression(n_features, noise=0.5).sample(
        n_tasks, n_context, generator=generator_for(seed, Stream.TEST, 5)
    )
    x, y = tasks.x.double(), tasks.y.double()
    curvatures = torch.linalg.eigvalsh(x.mT @ x / n_context) + PENALTY
    low, high = float(curvatures.min()), float(curvatures.max())
    kappa = high / low
    unit = torch.eye(n_features, dtype=torch.float64).expand(n_tasks, -1, -1)  # queries whose answers are the weights
    exact = Ridge(n_features, None, penalty=n_context * PENALTY, intercept=False)(x, y, unit)
    error, bound = {}, {}
    for name, schedule in zip(SIZES, (equal_steps, chebyshev_steps), strict=True):
        for k in steps:
            rule = GradientDescent(
                k, schedule(k, low, high), n_features=n_features, n_classes=None, penalty=PENALTY
            ).double()
            with torch.no_grad(), one_thread_per_operator():
                weights = construct(rule)(x, y, unit)
            error[name, k] = ((weights - exact).norm(dim=-1) / exact.norm(dim=-1)).numpy()
            root = kappa if name == SIZES[0] else math.sqrt(kappa)
            bound[name, k] = (1 if name == SIZES[0] else 2) * ((root - 1) / (root + 1)) ** k
    return Rates(error, bound, kappa, n_features, n_context)


def decide_rates(rates: Rates) -> list[Claim]:
    """Does the error fall as the rates say? The largest over contexts, no estimate."""
    claims = []
    for name in SIZES:
        ratio = max(float(rates.error[key].max()) / rates.bound[key] for key in rates.error if key[0] == name)
        claims.append(
            Claim(
                f"ridge-{name.split()[0].lower().removesuffix(chr(39) + 's')}-rate",
                f"A transformer of k gradient steps ({name}) is as near to exact ridge regression as the rate says, for every k"
                " measured",
                "largest error over contexts and k, as a multiple of the rate; a fact about these contexts, no estimate, so"
                " without an interval",
                ratio,
                ratio,
                ratio,
                1.000001,
                "below",
                "holds" if ratio < 1.000001 else "fails",
                len(next(iter(rates.error.values()))),
                1,
                "ridge",
            )
        )
    return claims
