"""Tables of the study `tables`, and its page; `page.md` has the words."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ctxlearn import lab
from ctxlearn.real_tables import NAMES, RANKED, TableTask, summaries, task_data
from ctxlearn.real_tables.baselines import RIVALS
from ctxlearn.real_tables.metrics import MIXED_IN, N_BINS
from ctxlearn.real_tables.ranking import rank, table_scores
from ctxlearn.real_tables.sources import find_table
from ctxlearn.real_tables.summaries import RIVAL_NAMES
from ctxlearn.studies.tables import plots
from ctxlearn.studies.tables.claims import FEW, MANY, decide_claims
from ctxlearn.studies.tables.metrics import Measured
from ctxlearn.studies.tables.settings import Sizes


def page_of(sizes: Sizes, measured: Measured) -> lab.Page:
    """The page of what was measured; its claims and most of its tables are about the tables of one side."""
    tasks = [task for task in sizes.tasks if task.development == (sizes.side == "development")]
    own = measured.of([task.name for task in tasks])
    decided = decide_claims(own.draws, sizes.sizes, sizes.side)
    sides = {task.name: "development" if task.development else "untouched" for task in sizes.tasks}
    few = [n for n in sizes.sizes if n <= FEW]
    rankings = {
        f"{words}, {rows}": rank(table_scores(own.draws, measure, which, RANKED), measure)
        for words, measure, rows, which in (
            ("accuracy", "accuracy", f"{few[0]} to {few[-1]} rows", few),
            ("accuracy", "accuracy", f"{MANY} rows", [MANY]),
            ("log-loss", "log_loss", f"{few[0]} to {few[-1]} rows", few),
        )
    }
    differences, times = summaries.difference_table(own.draws, sizes.sizes), summaries.time_table(own.draws)
    middle = 16 if 16 in sizes.sizes else max(sizes.sizes)
    return lab.page_from_template(
        Path(__file__).with_name("page.md"),
        decided,
        summaries.score_table(measured.draws, sides),
        figures={
            "tables-ranks": plots.draw_rankings(rankings),
            "tables-differences": plots.draw_differences(differences),
            "tables-accuracy": plots.draw_scores(own.draws, sizes.sizes),
            "tables-reliability": plots.draw_reliability(own.calibration, sizes.sizes),
            "tables-times": plots.draw_times(times, sizes.sizes),
        },
        tables={
            **tables_by_size(sizes, own, differences, times),
            "by-task": _by_task(own.draws, tasks, middle),
            "tasks": [_about(task) for task in tasks],
        },
        values={
            "sizes": sizes,
            "by_id": {claim.id: claim for claim in decided},
            "tasks": tasks,
            "n_tables": len({task.table for task in tasks}),
            "rankings": rankings,
            "tunings": {name: RIVALS[name].tuning for name in RIVAL_NAMES},
            "middle": middle,
            "FEW": FEW,
            "MANY": MANY,
            "MIXED_IN": MIXED_IN,
            "N_BINS": N_BINS,
        },
        files={
            "outcomes": summaries.outcome_table(measured.draws),
            "calibration": measured.calibration,
            "times": summaries.time_table(measured.draws),
        },
    )


def tables_by_size(
    sizes: Sizes, measured: Measured, differences: pd.DataFrame, times: pd.DataFrame
) -> dict[str, list[dict[str, str]]]:
    """Every table of one row per learner and one column per context size."""
    draws = measured.draws
    outcomes = summaries.outcome_table(draws)
    gaps = {(row.rival, row.n_context): row for row in differences.itertuples()}
    took = {(row.learner, row.n_context): f"{row.fit_ms:.1f} + {row.predict_ms:.1f}" for row in times.itertuples()}
    ranks = {n: rank(table_scores(draws, "accuracy", [n], RANKED), "accuracy").average for n in sizes.sizes}

    def table(names: Sequence[str], cell: Callable[[str, int], str]) -> list[dict[str, str]]:
        return [{"learner": name, **{f"{n} rows": cell(name, n) for n in sizes.sizes}} for name in names]

    def score(measure: str, name: str, n: int) -> float:
        return float(table_scores(draws, measure, [n], [name])[name].mean())

    return {
        "ranks": table(RANKED, lambda name, n: f"{ranks[n][name]:.2f}"),
        "differences": table(RIVAL_NAMES, lambda name, n: _signed(gaps[name, n])),
        "accuracy": table(NAMES, lambda name, n: lab.percent(score("accuracy", name, n))),
        "log_loss": table(NAMES, lambda name, n: f"{score('log_loss', name, n):.3f}"),
        "auc": table(NAMES, lambda name, n: f"{score('auc', name, n):.3f}"),
        "calibration": table(
            NAMES, lambda name, n: lab.percent(summaries.calibration_error(measured.calibration, name, n))
        ),
        "times": table(NAMES, lambda name, n: took[name, n]),
        "by-rival": table(
            RIVAL_NAMES,
            lambda name, n: _counts(outcomes[(outcomes["rival"] == name) & (outcomes["n_context"] == n)]),
        ),
    }


def _signed(row: object) -> str:
    value, low, high = (100 * float(getattr(row, name)) for name in ("difference", "low", "high"))
    return f"{value:+.1f} ({low:+.1f} to {high:+.1f})"


def _counts(part: pd.DataFrame) -> str:
    return " - ".join(str(int((part["outcome"] == kind).sum())) for kind in ("win", "tie", "loss"))


def _by_task(draws: pd.DataFrame, tasks: Sequence[TableTask], middle: int) -> list[Mapping[str, str]]:
    """Where the model wins and loses, and everyone's accuracy at one context size."""
    outcomes = summaries.outcome_table(draws)
    means = draws[draws["n_context"] == middle].groupby(["task", "learner"])["accuracy"].mean()
    return [
        {
            "task": task.name,
            "wins - ties - losses": _counts(outcomes[outcomes["task"] == task.name]),
            **{name: lab.percent(means[task.name, name]) for name in NAMES},
        }
        for task in tasks
    ]


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
