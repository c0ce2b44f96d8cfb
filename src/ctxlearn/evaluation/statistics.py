"""Intervals and verdicts: how sure a number is, and what a claim about it may say.

Two levels are used. An *estimate* carries a 95 % interval. A *claim* ("A is at least B") is decided by two one-sided
bounds of 95 % each, that is by a 90 % interval: when the truth lies exactly at the threshold, "holds" comes out in 5 %
of the cases and "fails" in 5 %. A sample that does not vary decides nothing: its interval has no width, however few the units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ctxlearn.checks import check_choice, check_float, check_int, describe

ESTIMATE_LEVEL = 0.95
CLAIM_LEVEL = 0.90
FEW_UNITS = 50
"""Units below which Student's t is used in place of the bootstrap, which then covers too little (.87 at 6 units for .95)."""
BOUNDLESS = 1e6
"""Stands for infinity where a bound must be a number; pages say that there is no bound."""


@dataclass(frozen=True)
class Interval:
    """A mean and its interval.

    Attributes:
        value: the mean over seeds and tasks.
        low: lower bound.
        high: upper bound.
        n_tasks: tasks in all, over seeds.
        seeds: training seeds.
        level: coverage of [low, high].
        constant: the units (tasks of one seed, or seeds' means) are all equal, so that [low, high] has no width and says nothing.
    """

    value: float
    low: float
    high: float
    n_tasks: int
    seeds: int
    level: float
    constant: bool = False

    def as_columns(self) -> dict[str, float]:
        """As the columns mean, low, high and n_tasks of a table of results."""
        return {"mean": self.value, "low": self.low, "high": self.high, "n_tasks": self.n_tasks}


def mean_interval(
    values: np.ndarray, *, level: float = ESTIMATE_LEVEL, seed: int = 0, resamples: int = 4999
) -> Interval:
    """Interval of a mean over tasks, or over training seeds and tasks.

    With one seed it speaks of this trained model on new tasks: a bias-corrected accelerated bootstrap over tasks, or Student's
    t where there are fewer than 50. With several it speaks of new seeds too: each seed was tested on tasks of its own, so the seeds' means are independent
    and carry both sources of variation, and Student's t over them has the right coverage however few they are, where
    resampling three seeds would not.

    Args:
        values: (T,) or (S, T): a score, or a difference of two learners' scores on the same task, per seed and task.
        level: coverage, in (0, 1).
        seed: of the bootstrap.
        resamples: of the bootstrap.

    Raises:
        ValueError: fewer than 2 tasks, or values that are not finite.
    """
    try:
        values = np.atleast_2d(np.asarray(values, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise ValueError(f"values: expected numbers, one a task, got {describe(values)}") from error
    check_float("level", level, above=0, maximum=1 - 1e-9)
    check_int("seed", seed, minimum=0)
    check_int("resamples", resamples, minimum=1)
    if values.ndim != 2 or values.shape[1] < 2:
        raise ValueError(f"values: expected shape (tasks,) or (seeds, tasks) with 2 tasks or more, got {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("values: expected finite numbers, got NaN or infinity")
    n_seeds, n_tasks = values.shape
    means = values.mean(1)
    value = float(means.mean())
    units = means if n_seeds > 1 else values[0]
    constant = bool(np.ptp(units) == 0)
    if constant:
        low = high = value
    elif n_seeds > 1 or n_tasks < FEW_UNITS:
        low, high = map(float, student_bounds(units, level))
    else:
        size = float(np.abs(values).max())
        size = size if not 1e-90 < size < 1e90 else 1.0  # the bootstrap takes third powers
        result = stats.bootstrap(
            (values[0] / size,),
            np.mean,
            n_resamples=resamples,
            batch=max(1, 4_000_000 // n_tasks),
            confidence_level=level,
            method="BCa",
            rng=np.random.default_rng(seed),
        )
        low, high = (size * float(bound) for bound in result.confidence_interval)
    return Interval(value, low, high, n_tasks * n_seeds, n_seeds, level, constant)


def student_bounds(values: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Student's t interval of the mean over the first axis of independent values, (n, ...) with n >= 2."""
    half = stats.t.ppf(0.5 + level / 2, len(values) - 1) * values.std(0, ddof=1) / len(values) ** 0.5
    return values.mean(0) - half, values.mean(0) + half


def simultaneous_level(level: float, n_intervals: int) -> float:
    """The level of each of `n_intervals` intervals so that all cover at once with probability `level` (Bonferroni).

    Bonferroni, since the intervals of one model on several families are dependent and the others assume more.
    """
    return 1 - (1 - level) / check_int("n_intervals", n_intervals, minimum=1)


def verdict(interval: Interval, threshold: float, better: str) -> str:
    """Decide: "holds" when the whole interval is on the good side of the threshold, "fails" when on the bad, else "undecided".

    The interval of a constant sample is undecided.

    Args:
        interval: of the statistic.
        threshold: the value that the claim speaks of.
        better: "above" (the statistic should exceed the threshold) or "below".
    """
    check_choice("better", better, ("above", "below"))
    if interval.constant:
        return "undecided"
    good, bad = interval.low > threshold, interval.high < threshold
    if better == "below":
        good, bad = bad, good
    return "holds" if good else "fails" if bad else "undecided"
