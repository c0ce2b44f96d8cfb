"""Sizes of the study `tables`."""

from __future__ import annotations

from dataclasses import dataclass

from ctxlearn.real_tables.splits import SIZES
from ctxlearn.real_tables.tasks import TASKS, TableTask


@dataclass(frozen=True)
class Sizes:
    """What a profile measures."""

    tasks: tuple[TableTask, ...]  # on which
    sizes: tuple[int, ...]  # rows of the contexts
    draws: int  # of rows, per task
    side: str  # of the tables that the claims are about


UNTOUCHED = tuple(task for task in TASKS if not task.development)
DEVELOPMENT = tuple(task for task in TASKS if task.development)
SMOKE = ("iris: versicolor or virginica", "penguins: species", "food expenditure: above median")

PROFILES = {
    # tests run it: so it must not look at the untouched tables
    "smoke": Sizes(tuple(task for task in DEVELOPMENT if task.name in SMOKE), (4, 64), 2, "development"),
    "quick": Sizes(UNTOUCHED, SIZES, 100, "untouched"),
    "paper": Sizes((*UNTOUCHED, *DEVELOPMENT), SIZES, 400, "untouched"),
}
