"""Steps until an error is first below a threshold, and ratios of such steps; what was not reached is censored."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ctxlearn.evaluation.statistics import CLAIM_LEVEL, Interval, simultaneous_level, verdict
from ctxlearn.studies.claims import Claim

BOUNDLESS = 1e6
"""Stands for infinity where a bound must be a number."""


@dataclass(frozen=True)
class Times:
    """Steps that each of S trainings needed.

    Attributes:
        seeds: of the trainings, (S,).
        steps: (S,); the budget where the threshold was not reached: a lower bound.
        reached: (S,) bool.
    """

    seeds: list[int]
    steps: np.ndarray
    reached: np.ndarray

    def of(self, seeds: list[int]) -> Times:
        """Those of some of the trainings."""
        rows = [self.seeds.index(seed) for seed in seeds]
        return Times(seeds, self.steps[rows], self.reached[rows])


@dataclass(frozen=True)
class Ratio:
    """The steps of one arm over those of another: the geometric mean over seeds, and its bounds.

    Attributes:
        value: of the ratio; with censored steps put at the budget.
        low: lower bound, Student's t of the logarithm over seeds. 0 where the denominator was not reached, since then
            the ratio may be as small as one likes.
        high: upper bound; `BOUNDLESS` where the numerator was not reached.
        seeds: S.
    """

    value: float
    low: float
    high: float
    seeds: int


def first_crossing(steps: np.ndarray, errors: np.ndarray, threshold: float) -> tuple[float, bool]:
    """Steps until the error is first at most `threshold`, in a straight line between tests.

    Args:
        steps: (K,) rising, at which was tested.
        errors: (K,).
        threshold: what counts as learned.

    Returns:
        The steps and True; or the last of `steps` and False where the threshold was never met.
    """
    below = np.flatnonzero(errors <= threshold)
    if not len(below):
        return float(steps[-1]), False
    k = int(below[0])
    if k == 0:
        return float(steps[0]), True
    share = (errors[k - 1] - threshold) / (errors[k - 1] - errors[k])
    return float(steps[k - 1] + share * (steps[k] - steps[k - 1])), True


def times(seeds: list[int], steps: np.ndarray, errors: np.ndarray, thresholds: np.ndarray | float) -> Times:
    """`first_crossing` of S trainings: errors (S, K), and one threshold or one a training."""
    each = np.broadcast_to(np.asarray(thresholds, dtype=float), len(errors))
    found = [first_crossing(steps, e, float(t)) for e, t in zip(errors, each, strict=True)]
    return Times(seeds, np.array([s for s, _ in found]), np.array([r for _, r in found]))


def ratio(numerator: Times, denominator: Times, *, level: float) -> Ratio:
    """Steps over steps of paired seeds; seeds that one of them lacks are left out.

    Args:
        numerator: steps of one arm; above 1 it needed more.
        denominator: steps of the other.
        level: coverage of the bounds, in (0, 1).

    Raises:
        ValueError: fewer than 2 seeds in common; no interval over seeds can be given.
    """
    shared = [seed for seed in numerator.seeds if seed in denominator.seeds]
    if len(shared) < 2:
        raise ValueError(f"numerator: expected 2 seeds or more in common with the denominator, got {len(shared)}")
    above, under = numerator.of(shared), denominator.of(shared)
    value, low, high = (float(np.exp(x)) for x in _student(np.log(above.steps / under.steps), level))
    low = low if under.reached.all() else 0.0
    high = min(high, BOUNDLESS) if above.reached.all() else BOUNDLESS
    return Ratio(value, low, high, len(shared))


def decide_ratio(
    id: str,
    claim: str,
    statistic: str,
    numerator: Times,
    denominator: Times,
    *,
    threshold: float = 1.0,
    better: str = "above",
    together: int = 1,
    group: str,
    n_tasks: int,
) -> Claim:
    """A claim about a ratio of steps; arguments as in `decide`, `n_tasks` a training."""
    found = ratio(numerator, denominator, level=simultaneous_level(CLAIM_LEVEL, together))
    return _claim(id, claim, statistic, found, threshold, better, group, n_tasks)


def decide_steps(
    id: str, claim: str, statistic: str, found: Times, *, threshold: float, group: str, n_tasks: int
) -> Claim:
    """A claim that steps are above a threshold, over seeds; steps not reached by the budget leave no upper bound."""
    value, low, high = _student(found.steps, CLAIM_LEVEL)
    bounded = Ratio(value, low, high if found.reached.all() else BOUNDLESS, len(found.steps))
    return _claim(id, claim, statistic, bounded, threshold, "above", group, n_tasks)


def _student(values: np.ndarray, level: float) -> tuple[float, float, float]:
    """Mean and bounds over S seeds."""
    mean = float(values.mean())
    half = float(stats.t.ppf(0.5 + level / 2, len(values) - 1)) * float(values.std(ddof=1)) / math.sqrt(len(values))
    return mean, mean - half, mean + half


def _claim(
    id: str, claim: str, statistic: str, found: Ratio, threshold: float, better: str, group: str, n_tasks: int
) -> Claim:
    interval = Interval(found.value, found.low, found.high, n_tasks * found.seeds, found.seeds, CLAIM_LEVEL)
    decided = verdict(interval, threshold, better)
    return Claim(
        id,
        claim,
        statistic,
        found.value,
        found.low,
        found.high,
        threshold,
        better,
        decided,
        interval.n_tasks,
        found.seeds,
        group,
    )
