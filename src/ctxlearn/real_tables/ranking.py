"""Ranks of learners over tables, and whether they differ: Friedman's test and Nemenyi's critical difference.

A table counts once, however many tasks it gives: its score is the mean over its tasks and over the context sizes that are
looked at together. Tables are independent of each other, as the tests ask for; tasks of one table are not.

Source: Demsar 2006, "Statistical comparisons of classifiers over multiple data sets".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ctxlearn.evaluation.statistics import Interval, mean_interval, simultaneous_level
from ctxlearn.real_tables.tasks import TASKS

BETTER = {"accuracy": 1, "auc": 1, "log_loss": -1}
"""1 where more is better, -1 where less is."""
TABLE_OF = {task.name: task.table for task in TASKS}


@dataclass(frozen=True)
class Ranking:
    """Average ranks of k learners over N tables; 1 is best.

    Attributes:
        learners: k names.
        ranks: (N, k).
        p_value: of Friedman's test that all learners are alike.
        critical_difference: Nemenyi's, at 5 %: two average ranks nearer than this do not differ significantly.
    """

    learners: tuple[str, ...]
    ranks: np.ndarray
    p_value: float
    critical_difference: float

    @property
    def average(self) -> dict[str, float]:
        """The average rank of each learner."""
        return dict(zip(self.learners, self.ranks.mean(0).tolist(), strict=True))


@dataclass(frozen=True)
class Lead:
    """How much better than the best rival a learner's average rank is, in ranks; negative where it is behind.

    Attributes:
        ranking: of all.
        learner: which.
    """

    ranking: Ranking
    learner: str

    @property
    def rival(self) -> str:
        """The best one."""
        means = {name: float(gap.mean()) for name, gap in self._differences().items()}
        return min(means, key=lambda name: means[name])

    @property
    def n_tables(self) -> int:
        """N."""
        return len(self.ranking.ranks)

    def interval(self, level: float) -> Interval:
        """The least of the differences (rival's average rank minus the learner's), with bounds over tables.

        "Better than every rival" needs each single difference to be above 0: so the lower bounds need no correction for
        their number. "Behind one of them" is one of many chances: so the upper bounds hold together (Bonferroni).
        """
        gaps = self._differences()
        upper = simultaneous_level(level, len(gaps))
        low = min(mean_interval(gap, level=level).low for gap in gaps.values())
        high = min(mean_interval(gap, level=upper).high for gap in gaps.values())
        return Interval(float(gaps[self.rival].mean()), low, high, self.n_tables, 1, level)

    def _differences(self) -> dict[str, np.ndarray]:
        own = self.ranking.ranks[:, self.ranking.learners.index(self.learner)]
        columns = zip(self.ranking.learners, self.ranking.ranks.T, strict=True)
        return {name: ranks - own for name, ranks in columns if name != self.learner}


def table_scores(draws: pd.DataFrame, measure: str, sizes: Sequence[int], learners: Sequence[str]) -> pd.DataFrame:
    """Mean scores, one row per table and one column per learner, over tasks and context sizes."""
    part = draws[draws["n_context"].isin(list(sizes)) & draws["learner"].isin(list(learners))]
    cells = part.groupby(["learner", "task", "n_context"])[measure].mean().reset_index()
    cells["table"] = cells["task"].map(TABLE_OF)
    means = cells.groupby(["table", "learner", "task"])[measure].mean().groupby(["table", "learner"]).mean()
    return means.unstack("learner")[list(learners)]


def rank(scores: pd.DataFrame, measure: str) -> Ranking:
    """Rank the learners within each table; ties share their mean rank."""
    values = scores.to_numpy()
    n, k = values.shape
    ranks = stats.rankdata(-BETTER[measure] * values.round(9), axis=1)
    differ = bool((ranks != ranks[:, :1]).any())
    p_value = float(stats.friedmanchisquare(*values.T).pvalue) if differ and k > 2 and n > 1 else 1.0
    return Ranking(tuple(map(str, scores.columns)), ranks, p_value, critical_difference(k, n))


def critical_difference(k: int, n: int, level: float = 0.05) -> float:
    """Nemenyi's critical difference of the average ranks of k learners over n tables."""
    studentized = float(stats.studentized_range.ppf(1 - level, k, np.inf))
    return float(studentized / 2**0.5 * (k * (k + 1) / (6 * n)) ** 0.5)


def groups(ranking: Ranking) -> list[tuple[float, float]]:
    """Longest runs of average ranks within the critical difference, from best to worst; single learners are none."""
    averages = sorted(ranking.average.values())
    found: list[tuple[float, float]] = []
    for first in averages:
        last = max(a for a in averages if a <= first + ranking.critical_difference)
        if last > first and not any(a <= first and last <= b for a, b in found):
            found.append((first, last))
    return found
