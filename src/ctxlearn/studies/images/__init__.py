"""Appendix H: does a model that learns in context learn to read new writing systems from one or five examples per character?

Refuted by: unseen scripts on which a classical learner with the same steps is better than in-context learning by more than a
point, or on which in-context learning is less than ten points above the nearest neighbour on pixels.
"""

from __future__ import annotations

from ctxlearn import lab
from ctxlearn.studies.images.fine_tuning import adapted_accuracies, script_measurements
from ctxlearn.studies.images.metrics import accuracies, episode_measurements
from ctxlearn.studies.images.page import page_of
from ctxlearn.studies.images.settings import PROFILES, Sizes, trainings


def plan(sizes: Sizes, seed: int) -> list[lab.Measurement]:
    """Every learner on episodes of every kind, and both arms adapted to new scripts."""
    trained = trainings(sizes, seed)
    return [*episode_measurements(sizes, trained, seed), *script_measurements(sizes, trained, seed)]


def present(sizes: Sizes, numbers: lab.Numbers) -> lab.Page:
    """The page."""
    return page_of(sizes, accuracies(sizes, numbers), adapted_accuracies(sizes, numbers), numbers.seeds)


STUDY = lab.Study("images", PROFILES, plan, present)
