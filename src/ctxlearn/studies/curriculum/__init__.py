"""Figure 4: does a curriculum over the difficulty of tasks make in-context learning converge faster, and end better?

Refuted by: a model that learns tasks of full difficulty in as many steps with the curriculum as without, where there is
a plateau to shorten; or a control without a plateau that gains as much.
"""

from __future__ import annotations

from ctxlearn import lab
from ctxlearn.studies.curriculum.metrics import found, plan
from ctxlearn.studies.curriculum.page import page_of
from ctxlearn.studies.curriculum.settings import PROFILES, Sizes


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    return page_of(sizes, found(numbers))


STUDY = lab.Study("curriculum", PROFILES, plan, present)
