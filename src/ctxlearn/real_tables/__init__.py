"""Real tables with their tasks, and scikit-learn's classifiers tuned for few rows, against which the shipped model is measured.

The tables come with packages that the extra `tables` installs; their files are read, and nothing is downloaded.
"""

from ctxlearn.real_tables.models import MAJORITY, NAMES, RANKED, SHIPPED, contestant, identity
from ctxlearn.real_tables.sources import TABLES, TablesMissing
from ctxlearn.real_tables.splits import draw_rows, sizes_for
from ctxlearn.real_tables.tasks import TASKS, TableTask, TaskData, task_data

__all__ = [
    "MAJORITY",
    "NAMES",
    "RANKED",
    "SHIPPED",
    "TABLES",
    "TASKS",
    "TableTask",
    "TablesMissing",
    "TaskData",
    "contestant",
    "draw_rows",
    "identity",
    "sizes_for",
    "task_data",
]
