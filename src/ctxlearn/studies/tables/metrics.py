"""Every learner on every task: accuracy, log-loss, area under the ROC curve, calibration and time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ctxlearn import lab
from ctxlearn.real_tables.metrics import area_under_curve, calibration_counts, log_losses
from ctxlearn.real_tables.models import contestant, identity
from ctxlearn.real_tables.splits import draw_rows, sizes_for
from ctxlearn.real_tables.tasks import TASKS, TableTask, task_data

MEASURES = ("accuracy", "log_loss", "auc", "fit_seconds", "predict_seconds")


@dataclass(frozen=True)
class Measured:
    """What was measured.

    Attributes:
        draws: one row per learner, task, n_context and draw: accuracy, log_loss (nats), auc, fit_seconds, predict_seconds.
        calibration: one row per learner, task, n_context and bin of confidence: answers, confidence (sum), right (sum).
    """

    draws: pd.DataFrame
    calibration: pd.DataFrame


def measurements(
    tasks: Sequence[TableTask], learners: Sequence[str], sizes: Sequence[int], draws: int
) -> list[lab.Measurement]:
    """One per learner and task, found again by what the learner answers elsewhere and by the task's rows.

    Raises:
        TablesMissing: a package that brings a table is not installed.
    """
    return [
        lab.Measurement(
            (name, task.name),
            0,
            lab.call(measure, name, task.name, list(sizes), draws, known=known, rows=task_data(task).digest),
            task.name,
        )
        for name, known in {name: identity(name) for name in learners}.items()
        for task in tasks
    ]


def measure(learner: str, task: str, sizes: Sequence[int], draws: int, known: str, rows: str) -> dict[str, object]:
    """Give "measures" by draw and context size, (draws, sizes, 5), and "calibration", counts by confidence, (sizes, bins, 3).

    `known` and `rows` are what the result depends on besides: the learner's answers elsewhere, and the table.
    """
    del known, rows
    asked = next(one for one in TASKS if one.name == task)
    data = task_data(asked)
    used = sizes_for(len(data.classes), tuple(sizes))
    measures, calibration = np.empty((draws, len(used), len(MEASURES))), []
    for i, n in enumerate(used):
        counts: np.ndarray = np.zeros(())
        for draw in range(draws):
            context, queries = draw_rows(asked, data.y, draw)
            answers = data.y[queries]
            model = contestant(learner, draw)
            begun = time.perf_counter()
            model.fit(data.x.iloc[context[:n]], data.y[context[:n]])
            fitted = time.perf_counter()
            shares = model.predict_proba(data.x.iloc[queries])
            done = time.perf_counter()
            measures[draw, i] = (
                (shares.argmax(1) == answers).mean(),
                log_losses(shares, answers).mean(),
                area_under_curve(shares, answers),
                fitted - begun,
                done - fitted,
            )
            counts = counts + calibration_counts(shares, answers)
        calibration.append(counts)
    facts = {"sizes": list(used)}
    return {"measures": measures.round(7), "calibration": np.stack(calibration).round(6), "facts": facts}


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
