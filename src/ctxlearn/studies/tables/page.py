"""Sections and tables of the study `tables`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ctxlearn import lab
from ctxlearn.evaluation.curves import task_interval
from ctxlearn.real_tables.baselines import RIVALS
from ctxlearn.real_tables.metrics import MIXED_IN
from ctxlearn.real_tables.models import NAMES, RANKED, SHIPPED
from ctxlearn.real_tables.ranking import TABLE_OF, rank, table_scores
from ctxlearn.real_tables.sources import find_table
from ctxlearn.real_tables.tasks import TableTask, task_data
from ctxlearn.studies.tables.claims import FEW, MANY, differences
from ctxlearn.studies.tables.plots import (
    accuracy_figure,
    difference_figure,
    rank_figure,
    reliability_figure,
    time_figure,
)

RIVAL_NAMES = [name for name in RANKED if name != SHIPPED]


def ranks_section(draws: pd.DataFrame, sizes: Sequence[int]) -> lab.Section:
    """Average ranks with their critical-difference pictures, and paired differences."""
    few = [n for n in sizes if n <= FEW]
    asked = {
        f"accuracy, {few[0]} to {few[-1]} rows": ("accuracy", few),
        f"accuracy, {MANY} rows": ("accuracy", [MANY]),
        f"log-loss, {few[0]} to {few[-1]} rows": ("log_loss", few),
    }
    rankings = {
        title: rank(table_scores(draws, measure, which, RANKED), measure) for title, (measure, which) in asked.items()
    }
    averages = {n: rank(table_scores(draws, "accuracy", [n], RANKED), "accuracy").average for n in sizes}
    table = differences(draws, tuple(sizes))
    cells = {(row.rival, row.n_context): row for row in table.itertuples()}
    return lab.Section(
        "Ranks over tables",
        [
            "Within each table the learners are ranked by their mean score over its tasks, and over the context sizes that are looked at "
            "together. A table counts once, since its tasks are not independent of each other.",
            "Friedman's test asks whether the ranks could come from learners that are all alike. Nemenyi's critical difference is how far two "
            "average ranks must lie apart to differ at 5 %, over all pairs at once. With few tables it is wide: not to be significantly behind "
            "is a weak statement, and the intervals of the claims say more.",
        ],
        [rank_figure(rankings), difference_figure(table)],
        [
            by_size(
                "Average rank by accuracy at each context size (1 is best)",
                {name: [f"{averages[n][name]:.2f}" for n in sizes] for name in RANKED},
                sizes,
            ),
            by_size(
                "Accuracy of the in-context model minus the rival's, in points of %, with 95 % intervals over tables",
                {rival: [_signed(cells[rival, n]) for n in sizes] for rival in RIVAL_NAMES},
                sizes,
            ),
        ],
    )


def scores_section(draws: pd.DataFrame, sizes: Sequence[int]) -> lab.Section:
    """Accuracy, log-loss and area under the curve."""
    cells = {
        (measure, name, n): float(table_scores(draws, measure, [n], [name])[name].mean())
        for measure in ("accuracy", "log_loss", "auc")
        for name in NAMES
        for n in sizes
    }
    return lab.Section(
        "Scores",
        [
            "A context has a row of each class first, then rows drawn at random; all learners see the same rows and are asked about the same "
            "others, at most 100. A size is left out of tasks with more classes than rows.",
            "Rivals see numbers scaled by the context, categories one-hot and missing values filled by the context's median; the in-context "
            "model reads the table as it is. "
            + " ".join(f"{name[0].upper()}{name[1:]}: {RIVALS[name].tuning}." for name in RIVAL_NAMES)
            + " Choices are made inside of the context, by log-loss in stratified cross-validation of at most three folds unless said "
            "otherwise; with a single row of some class the first named setting is taken.",
            f"Before log-loss is taken, {100 * MIXED_IN:g} % of the uniform distribution is mixed into everyone's probabilities: a forest says 0 where it "
            "means that it has not seen it.",
        ],
        [accuracy_figure(draws, sizes)],
        [
            by_size(
                f"{words}, mean over tables",
                {name: [form(cells[measure, name, n]) for n in sizes] for name in NAMES},
                sizes,
            )
            for measure, words, form in (
                ("accuracy", "Accuracy in %", lab.percent),
                ("log_loss", "Log-loss in nats", lambda v: f"{v:.3f}"),
                ("auc", "Area under the ROC curve", lambda v: f"{v:.3f}"),
            )
        ],
    )


def calibration_section(calibration: pd.DataFrame, sizes: Sequence[int]) -> lab.Section:
    """Whether probabilities are what they say."""
    return lab.Section(
        "Are the probabilities right?",
        [
            "An answer's probability is that of the class answered. The expected calibration error is the mean distance, over answers, between "
            "it and the share of right answers, taken in ten bins over all tasks. It says nothing of how useful the probabilities "
            "are (chance is well calibrated): log-loss does.",
        ],
        [reliability_figure(calibration, sizes)],
        [
            by_size(
                "Expected calibration error in points of %",
                {name: [lab.percent(calibration_error(calibration, name, n)) for n in sizes] for name in NAMES},
                sizes,
            )
        ],
    )


def calibration_error(calibration: pd.DataFrame, learner: str, n: int) -> float:
    """Mean distance of confidence and share of right answers, weighted by answers, over the bins of all tasks together."""
    part = calibration[(calibration["learner"] == learner) & (calibration["n_context"] == n)]
    counts = part.groupby("bin")[["answers", "confidence", "right"]].sum()
    return float((counts["confidence"] - counts["right"]).abs().sum() / counts["answers"].sum())


def times_section(draws: pd.DataFrame, sizes: Sequence[int]) -> lab.Section:
    """How long fit and predict take."""
    times = time_table(draws)
    cells = {(row.learner, row.n_context): f"{row.fit_ms:.1f} + {row.predict_ms:.1f}" for row in times.itertuples()}
    return lab.Section(
        "Time",
        [
            "Times are measured anew in each run and differ between machines; everything else on this page is the same again."
        ],
        [time_figure(times, sizes)],
        [
            by_size(
                "Time in ms, fit (tuning included) + predict (up to 100 rows), median over draws, mean over tasks",
                {name: [cells[name, n] for n in sizes] for name in NAMES},
                sizes,
            )
        ],
    )


def time_table(draws: pd.DataFrame) -> pd.DataFrame:
    """One row per learner and context size: median over draws, mean over tasks, ms."""
    medians = draws.groupby(["learner", "task", "n_context"])[["fit_seconds", "predict_seconds"]].median()
    means = 1000 * medians.groupby(["learner", "n_context"]).mean()
    return means.rename(columns={"fit_seconds": "fit_ms", "predict_seconds": "predict_ms"}).reset_index()


def tasks_section(draws: pd.DataFrame, tasks: Sequence[TableTask], sizes: Sequence[int]) -> lab.Section:
    """Every task: where the model wins and loses, what the tables are and whose."""
    outcomes = outcome_table(draws, sizes)
    middle = 16 if 16 in sizes else max(sizes)
    means = draws[draws["n_context"] == middle].groupby(["task", "learner"])["accuracy"].mean()
    by_task = [
        [
            task.name,
            _counts(outcomes[outcomes["task"] == task.name]),
            *(lab.percent(means[task.name, name]) for name in NAMES),
        ]
        for task in tasks
    ]
    by_rival = {
        rival: [_counts(outcomes[(outcomes["rival"] == rival) & (outcomes["n_context"] == n)]) for n in sizes]
        for rival in RIVAL_NAMES
    }
    return lab.Section(
        "Every task",
        [
            "A win is an accuracy above the rival's on the same draws whose paired 95 % interval (Student's t over draws) is above 0; a loss "
            "is below 0, a tie contains it. The interval is over draws of rows of this table.",
            "Numbers cut at the median or the terciles are no features, nor are columns that follow from them; names and numbers that only "
            "identify a row, rows without an answer and classes of fewer than five rows are left out.",
        ],
        [],
        [
            by_size("Wins - ties - losses of the in-context model over tasks, against each rival", by_rival, sizes),
            lab.Table(
                f"Wins - ties - losses over rivals and sizes, and accuracy in % with {middle} rows of context",
                ["task", "in-context model", *NAMES],
                by_task,
            ),
            lab.Table("The tasks", list(_about(tasks[0])), [list(_about(task).values()) for task in tasks]),
        ],
    )


def by_size(caption: str, cells: Mapping[str, Sequence[str]], sizes: Sequence[int]) -> lab.Table:
    """A table of one row per learner and one column per context size."""
    return lab.Table(caption, ["learner", *(f"{n} rows" for n in sizes)], [[name, *row] for name, row in cells.items()])


def _about(task: TableTask) -> dict[str, str]:
    data, table = task_data(task), find_table(task.table)
    n_categories = len(data.categorical)
    return {
        "task": task.name,
        "source and package": f"{table.origin}; {table.package}",
        "licence": table.licence,
        "rows": f"{len(data.y):,}",
        "features: numbers + categories": f"{data.x.shape[1] - n_categories} + {n_categories}",
        "missing (%)": lab.percent(float(data.x.isna().to_numpy().mean())),
        "classes": f"{len(data.classes)}",
        "largest class (%)": lab.percent(float(np.bincount(data.y).max() / len(data.y)), 0),
    }


def outcome_table(draws: pd.DataFrame, sizes: Sequence[int]) -> pd.DataFrame:
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


def results_table(draws: pd.DataFrame, sides: dict[str, str]) -> pd.DataFrame:
    """The tidy table: one row per learner, task and context size; accuracy with Student's t interval over draws."""
    rows = []
    for (learner, task, n), part in draws.groupby(["learner", "task", "n_context"], sort=False):
        accuracy = part["accuracy"].to_numpy()
        low, high = (float(v) for v in np.clip(task_interval(accuracy, bounded=False), 0, 1))
        about = {
            "learner": learner,
            "family": task,
            "table": TABLE_OF[str(task)],
            "side": sides[str(task)],
            "n_context": n,
            "seed": 0,
        }
        numbers = {"mean": accuracy.mean(), "low": low, "high": high}
        more = {"log_loss": part["log_loss"].mean(), "auc": part["auc"].mean(), "n_tasks": len(part)}
        rows.append({**about, **numbers, **more})
    return pd.DataFrame(rows)


def _counts(part: pd.DataFrame) -> str:
    return " - ".join(str(int((part["outcome"] == kind).sum())) for kind in ("win", "tie", "loss"))


def _signed(row: object) -> str:
    value, low, high = (100 * float(getattr(row, name)) for name in ("difference", "low", "high"))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"
