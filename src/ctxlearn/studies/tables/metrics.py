"""Every learner on every task: accuracy, log-loss, area under the ROC curve, calibration and time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ctxlearn import lab
from ctxlearn.real_tables import NAMES, TASKS, identity, task_data
from ctxlearn.real_tables.scoring import MEASURES, score_draws
from ctxlearn.studies.tables.settings import Sizes


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        draws: one row per learner, task, n_context and draw: accuracy, log_loss (nats), auc, fit_seconds, predict_seconds.
        calibration: one row per learner, task, n_context and bin of confidence: answers, confidence (sum), right (sum).
    """

    draws: pd.DataFrame
    calibration: pd.DataFrame

    def of(self, tasks: Sequence[str]) -> Measured:
        """On some of the tasks."""
        return Measured(*(table[table["task"].isin(tasks)] for table in (self.draws, self.calibration)))


def plan(sizes: Sizes, seed: int) -> list[lab.Measurement]:
    """One per learner and task, found again by what the learner answers elsewhere and by the task's rows.

    Nothing is trained: the model is the one that comes with the package.

    Raises:
        ValueError: a second seed.
        TablesMissing: a package that brings a table is not installed.
    """
    if seed > 0:
        raise ValueError(
            "seeds: the study tables trains nothing, it measures the one model that comes with the package; leave seeds at 1"
        )
    found = []
    for name in NAMES:
        known = identity(name)
        for task in sizes.tasks:
            rows = task_data(task).digest
            asked = lab.call(measure, name, task.name, list(sizes.sizes), sizes.draws, known=known, rows=rows)
            found.append(lab.Measurement((name, task.name), 0, asked, task.name))
    return found


def measure(learner: str, task: str, sizes: Sequence[int], draws: int, known: str, rows: str) -> dict[str, object]:
    """Give "measures" by draw and context size, (draws, sizes, 5), and "calibration", counts by confidence, (sizes, bins, 3).

    `known` and `rows` are what the result depends on besides: the learner's answers elsewhere, and the table.
    """
    del known, rows
    used, scores, counts = score_draws(learner, next(one for one in TASKS if one.name == task), sizes, draws)
    return {"measures": scores.round(7), "calibration": counts.round(6), "facts": {"sizes": used}}


def found(numbers: lab.Numbers) -> Measured:
    """The two tables of what was measured."""
    draws, bins = [], []
    for learner, task in numbers.measured:
        measures = numbers.array(learner, task, name="measures")
        calibration = numbers.array(learner, task, name="calibration")
        for i, n in enumerate(numbers.facts(learner, task)[0]["sizes"]):
            about = {"learner": learner, "task": task, "n_context": n}
            values = dict(zip(MEASURES, measures[:, i].T, strict=True))
            draws.append(pd.DataFrame({**about, "draw": np.arange(len(measures)), **values}))
            counts = dict(zip(("answers", "confidence", "right"), calibration[i].T, strict=True))
            bins.append(pd.DataFrame({**about, "bin": np.arange(len(calibration[i])), **counts}))
    return Measured(pd.concat(draws, ignore_index=True), pd.concat(bins, ignore_index=True))
