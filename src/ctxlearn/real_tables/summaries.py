"""What a benchmark says as tables: wins and losses, differences to rivals, times, calibration.

All are made from `draws`, one row per learner, task, context size (n_context) and draw, with the columns of `MEASURES`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ctxlearn.evaluation.curves import task_interval
from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.real_tables.models import RANKED, SHIPPED
from ctxlearn.real_tables.ranking import TABLE_OF, table_scores

RIVAL_NAMES = tuple(name for name in RANKED if name != SHIPPED)


def score_table(draws: pd.DataFrame, sides: Mapping[str, str]) -> pd.DataFrame:
    """One row per learner, task and context size: accuracy with Student's t interval over draws, log-loss, area under the curve.

    Args:
        draws: see this module.
        sides: by task, whether its table is used in development.
    """
    rows = []
    for (learner, task, n), part in draws.groupby(["learner", "task", "n_context"], sort=False):
        accuracy = part["accuracy"].to_numpy()
        low, high = (float(v) for v in np.clip(task_interval(accuracy, bounded=False), 0, 1))
        about = {"learner": learner, "family": task, "table": TABLE_OF[str(task)], "side": sides[str(task)]}
        numbers = {"n_context": n, "seed": 0, "mean": accuracy.mean(), "low": low, "high": high}
        more = {"log_loss": part["log_loss"].mean(), "auc": part["auc"].mean(), "n_tasks": len(part)}
        rows.append({**about, **numbers, **more})
    return pd.DataFrame(rows)


def outcome_table(draws: pd.DataFrame) -> pd.DataFrame:
    """Win, tie or loss of the shipped model for each task, context size and rival, with the paired difference over draws."""
    wide = draws.pivot(index=["task", "n_context", "draw"], columns="learner", values="accuracy")
    rows = []
    for (task, n), part in wide.groupby(level=["task", "n_context"]):
        for rival in RIVAL_NAMES:
            difference = (part[SHIPPED] - part[rival]).to_numpy()
            low, high = (float(v) for v in task_interval(difference, bounded=False))
            outcome = "win" if low > 0 else "loss" if high < 0 else "tie"
            numbers = {"difference": float(difference.mean()), "low": low, "high": high}
            rows.append({"task": task, "n_context": n, "rival": rival, **numbers, "outcome": outcome})
    return pd.DataFrame(rows)


def difference_table(draws: pd.DataFrame, sizes: Sequence[int]) -> pd.DataFrame:
    """Accuracy of the shipped model minus each rival's, paired over tables: one row per rival and context size, 95 % intervals."""
    rows = []
    for n in sizes:
        scores = table_scores(draws, "accuracy", (n,), RANKED)
        for rival in RIVAL_NAMES:
            interval = mean_interval((scores[SHIPPED] - scores[rival]).to_numpy())
            bounds = {"difference": interval.value, "low": interval.low, "high": interval.high}
            rows.append({"rival": rival, "n_context": n, **bounds, "n_tables": interval.n_tasks})
    return pd.DataFrame(rows)


def time_table(draws: pd.DataFrame) -> pd.DataFrame:
    """One row per learner and context size: time to fit and to predict, median over draws, mean over tasks, ms."""
    medians = draws.groupby(["learner", "task", "n_context"])[["fit_seconds", "predict_seconds"]].median()
    means = 1000 * medians.groupby(["learner", "n_context"]).mean()
    return means.rename(columns={"fit_seconds": "fit_ms", "predict_seconds": "predict_ms"}).reset_index()


def calibration_error(calibration: pd.DataFrame, learner: str, n: int) -> float:
    """Mean distance of confidence and share of right answers, weighted by answers, over the bins of all tasks together.

    Args:
        calibration: one row per learner, task, context size and bin: answers, and sums of confidence and right.
        learner: whose.
        n: rows of context.
    """
    part = calibration[(calibration["learner"] == learner) & (calibration["n_context"] == n)]
    counts = part.groupby("bin")[["answers", "confidence", "right"]].sum()
    return float((counts["confidence"] - counts["right"]).abs().sum() / counts["answers"].sum())
