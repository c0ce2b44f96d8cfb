"""Real tables: does the model that comes with the package beat scikit-learn's classifiers with few labelled rows?

Refuted by: some classifier having a better average rank on the untouched tables with up to 32 labelled rows.
"""

from __future__ import annotations

from ctxlearn import lab
from ctxlearn.studies.tables.metrics import found, plan
from ctxlearn.studies.tables.page import page_of
from ctxlearn.studies.tables.settings import PROFILES, Sizes


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    return page_of(sizes, found(numbers))


STUDY = lab.Study("tables", PROFILES, plan, present)
