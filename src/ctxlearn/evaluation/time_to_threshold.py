"""Steps until an error is first below a threshold, and ratios of such steps; what was not reached is censored."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ctxlearn.evaluation.statistics import BOUNDLESS, Interval, student_bounds


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
    """`first_crossing` of S trainings: errors (S, K), and one threshold or one per training."""
    each = np.broadcast_to(np.asarray(thresholds, dtype=float), len(errors))
    found = [first_crossing(steps, e, float(t)) for e, t in zip(errors, each, strict=True)]
    return Times(seeds, np.array([s for s, _ in found]), np.array([r for _, r in found]))


@dataclass(frozen=True)
class StepRatio:
    """The steps of one arm over those of another, of paired seeds; seeds that one of them lacks are left out.

    Attributes:
        numerator: steps of one arm; above 1 it needed more.
        denominator: steps of the other.
        n_tasks: test tasks of a training.
    """

    numerator: Times
    denominator: Times
    n_tasks: int = 0

    def interval(self, level: float) -> Interval:
        """The geometric mean over seeds, with Student's t of the logarithm; censored steps are put at the budget.

        The lower bound is 0 where the denominator was not reached, since then the ratio may be as small as one likes; the
        upper one is `BOUNDLESS` where the numerator was not reached.

        Raises:
            ValueError: fewer than 2 seeds in common; no interval over seeds can be given.
        """
        shared = [seed for seed in self.numerator.seeds if seed in self.denominator.seeds]
        if len(shared) < 2:
            raise ValueError(f"numerator: expected 2 seeds or more in common with the denominator, got {len(shared)}")
        above, under = self.numerator.of(shared), self.denominator.of(shared)
        logs = np.log(above.steps / under.steps)
        value = math.exp(float(logs.mean()))
        low, high = (math.exp(bound) for bound in student_bounds(logs, level))
        low = low if under.reached.all() else 0.0
        high = min(high, BOUNDLESS) if above.reached.all() else BOUNDLESS
        return Interval(value, low, high, self.n_tasks * len(shared), len(shared), level, bool(np.ptp(logs) == 0))


@dataclass(frozen=True)
class StepsNeeded:
    """Steps of trainings of several seeds; those that the budget did not suffice for leave no upper bound.

    Attributes:
        times: of each training.
        n_tasks: test tasks of a training.
    """

    times: Times
    n_tasks: int

    def interval(self, level: float) -> Interval:
        """The mean over seeds, with Student's t."""
        steps = self.times.steps
        low, high = map(float, student_bounds(steps, level))
        bound = high if self.times.reached.all() else BOUNDLESS
        constant = bool(np.ptp(steps) == 0)
        return Interval(float(steps.mean()), low, bound, self.n_tasks * len(steps), len(steps), level, constant)
