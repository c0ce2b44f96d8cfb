"""Real tables: does the model that comes with the package beat scikit-learn's classifiers with few labelled rows?

Refuted by: some classifier having a better average rank on the untouched tables with up to 32 labelled rows.
"""

from __future__ import annotations

from ctxlearn import lab
from ctxlearn.real_tables.models import NAMES
from ctxlearn.studies.tables.claims import FEW, MANY, decide_claims
from ctxlearn.studies.tables.metrics import found, measurements
from ctxlearn.studies.tables.page import (
    calibration_section,
    outcome_table,
    ranks_section,
    results_table,
    scores_section,
    tasks_section,
    time_table,
    times_section,
)
from ctxlearn.studies.tables.settings import PROFILES, Sizes


def plan(sizes: Sizes, seed: int) -> list[lab.Measurement]:
    """Every learner on every task. Nothing is trained: the model is the one that comes with the package."""
    if seed > 0:
        raise ValueError(
            "seeds: the study tables trains nothing, it measures the one model that comes with the package; leave seeds at 1"
        )
    return measurements(sizes.tasks, NAMES, sizes.sizes, sizes.draws)


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    measured = found(numbers)
    tasks = [task for task in sizes.tasks if task.development == (sizes.side == "development")]
    names = {task.name for task in tasks}
    draws = measured.draws[measured.draws["task"].isin(names)]
    calibration = measured.calibration[measured.calibration["task"].isin(names)]
    claims = decide_claims(draws, sizes.sizes, sizes.side)
    n_tables = len({task.table for task in tasks})
    sides = {task.name: "development" if task.development else "untouched" for task in sizes.tasks}
    return lab.Page(
        title="What does the shipped model make of a real table with few labelled rows?",
        asked=f"Someone has {sizes.sizes[0]} to {sizes.sizes[-1]} labelled rows of a table and wants labels for the others. Is the model "
        "that comes with the package, which learns in context and was trained on made-up tables only, better than what scikit-learn "
        "has, tuned as is usual with so few rows?",
        found=f"{_found(claims)} {lab.tally(claims)}",
        sure=f"{len(tasks)} tasks from {n_tables} {sizes.side} tables, {sizes.draws} draws of rows each. "
        + (
            "No model was measured on these tables before it was final; models are developed on other tables. "
            if sizes.side == "untouched"
            else "These are tables that models are developed on. "
        )
        + "Intervals of claims are over tables (bootstrap) and speak of this one trained model on tables like these.",
        claims=claims,
        results=results_table(measured.draws, sides),
        sections=[
            ranks_section(draws, sizes.sizes),
            scores_section(draws, sizes.sizes),
            calibration_section(calibration, sizes.sizes),
            times_section(draws, sizes.sizes),
            tasks_section(draws, tasks, sizes.sizes),
        ],
        tables={
            "outcomes": outcome_table(measured.draws, sizes.sizes),
            "calibration": measured.calibration,
            "times": time_table(measured.draws),
        },
    )


def _found(claims: list[lab.Claim]) -> str:
    by_id = {claim.id: claim for claim in claims}
    few, many, points = (
        by_id[name] for name in (f"best-rank-up-to-{FEW}", f"not-behind-at-{MANY}", f"accuracy-at-{MANY}")
    )
    words = {"holds": "yes", "fails": "no", "undecided": "undecided"}
    return (
        f"Best average rank with up to {FEW} rows: {words[few.verdict]} (lead over the best rival {few.value:+.2f} ranks, {few.low:+.2f} to "
        f"{few.high:+.2f}). Not significantly behind the best with {MANY} rows: {words[many.verdict]} ({many.value:+.2f} ranks, {many.low:+.2f} to "
        f"{many.high:+.2f}; accuracy {100 * points.value:+.1f} points of %, {100 * points.low:+.1f} to {100 * points.high:+.1f})."
    )


STUDY = lab.Study("tables", PROFILES, plan, present)
