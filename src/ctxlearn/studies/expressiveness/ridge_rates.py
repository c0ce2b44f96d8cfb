"""How many blocks exact ridge regression takes: gradient steps of one size, and Chebyshev's."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from ctxlearn import lab
from ctxlearn.baselines.gradient_descent import chebyshev_steps, equal_steps
from ctxlearn.expressiveness import construct
from ctxlearn.references import GradientDescent, Ridge
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks import LinearRegression

PENALTY = 0.1
FEATURES, CONTEXT = 20, 40
EQUAL, CHEBYSHEV = "equal steps", "Chebyshev's steps"
SCHEDULES = {EQUAL: equal_steps, CHEBYSHEV: chebyshev_steps}
ROUNDING = 1.000001
"""An error may exceed its rate by rounding."""


class Rates(NamedTuple):
    """Errors of transformers of K numbers of steps against exact ridge regression.

    Attributes:
        steps: the numbers.
        error: by schedule, (T, K): |W_k - W| / |W| of each task, which is also the root mean square of its prediction error
            over queries x ~ N(0, I), relative to that of answering 0.
        bound: by schedule, (K,): what no context with curvatures in the interval can exceed.
        kappa: the largest curvature over the smallest, of all contexts together.
    """

    steps: Sequence[int]
    error: dict[str, np.ndarray]
    bound: dict[str, np.ndarray]
    kappa: float
    penalty: float = PENALTY


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
        sizes = SCHEDULES[schedule](k, low, high)
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
    bounds = {name: np.array(about["bound"]) for name, about in facts.items()}
    return Rates(steps, errors, bounds, facts[EQUAL]["kappa"])


def claims(rates: Rates) -> list[lab.Claim]:
    """Does the error fall as the rates say? The largest over contexts is no estimate."""
    says = [
        lab.Says(
            f"ridge-{name.split()[0].lower().removesuffix(chr(39) + 's')}-rate",
            f"A transformer of k gradient steps ({name}) is as near to exact ridge regression as the rate says, for every k"
            " measured",
            "largest error over contexts and k, as a multiple of the rate; a fact about these contexts, no estimate, so"
            " without an interval",
            lab.Fact(float((rates.error[name] / rates.bound[name]).max()), len(rates.error[name]), 1),
            threshold=ROUNDING,
            better="below",
            of_this_model=False,
        )
        for name in SCHEDULES
    ]
    return lab.together("ridge", says)


def curves(rates: Rates) -> dict[str, tuple[np.ndarray, lab.Style]]:
    """By what they are: errors by number of steps, and how they are drawn."""
    found = {}
    for name, colour, marker in ((EQUAL, lab.ORANGE, "o"), (CHEBYSHEV, lab.BLUE, "s")):
        error = rates.error[name]
        found[f"{name}: mean over tasks"] = (error.mean(0), lab.Style(colour, marker=marker))
        found[f"{name}: worst task"] = (error.max(0), lab.Style(colour, ":", marker=marker, width=0.8))
        found[f"{name}: the rate"] = (rates.bound[name], lab.Style(colour, "--", width=1.0))
    return found


def rates_figure(rates: Rates) -> Figure:
    """Error against exact ridge regression by blocks."""
    shown = curves(rates)
    table = pd.concat(pd.DataFrame({"k": rates.steps, "mean": v, "line": line}) for line, (v, _) in shown.items())
    figure, ((axis,),) = lab.grid(1, 1, width=6.4, height=4.9)
    styles = {line: style for line, (_, style) in shown.items()}
    lab.draw_lines(axis, table, x="k", by="line", styles=styles, spread="none")
    lab.draw_levels(axis, {"answering 0": 1.0}, {"answering 0": lab.Style(lab.GREY, lab.DOTTED)})
    words = ("gradient steps, k = blocks", "error against exact ridge (relative)")
    lab.name_axes(axis, *words, title=f"d = {FEATURES}, n = {CONTEXT}", log="y")
    axis.set_xscale("log", base=2)
    axis.set_xticks(rates.steps, [str(k) for k in rates.steps])
    lab.shared_legend(figure, axis, 2)
    return figure


def rates_table(rates: Rates) -> list[dict[str, str]]:
    """The same as numbers."""
    return [
        {"": line, **{f"k = {k}": f"{value:.1e}" for k, value in zip(rates.steps, values, strict=True)}}
        for line, (values, _) in curves(rates).items()
    ]
