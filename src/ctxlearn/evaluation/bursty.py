"""Does a learner answer from its context, or from its weights?"""

from __future__ import annotations

import pandas as pd

from ctxlearn.checks import check_int, describe
from ctxlearn.evaluation.queries import score_queries
from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.learners.base import Learner
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.bursty import BurstySequences


def context_or_weights(
    learner: Learner, family: BurstySequences, *, n_context: int = 8, n_tasks: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Accuracy on the last point of sequences that only the context tells, and of those that only weights tell.

    Args:
        learner: trained on sequences of `family`, or not at all.
        family: the world.
        n_context: points before the last, up to 32 times the burst.
        n_tasks: sequences of each kind, >= 2.
        seed: of the sequences.

    Returns:
        Rows "in_context" and "in_weights" with columns measure, mean, low, high (95 %), chance and n_tasks. Chance in context is a
        guess among the labels of the context; in weights, among all.

    Raises:
        ValueError: not a `BurstySequences`, or sizes out of range.
    """
    if not isinstance(family, BurstySequences):
        raise ValueError(f"family: expected BurstySequences, got {describe(family)}")
    check_int("n_context", n_context, minimum=1)
    check_int("n_tasks", n_tasks, minimum=2)
    in_sight = min(-(-n_context // family.burst), family.n_classes)
    rows = []
    for measure, chance in (("in_context", 1 / in_sight), ("in_weights", 1 / family.n_classes)):
        generator = generator_for(seed, Stream.TEST)
        tasks = family.measuring(measure).sample(n_tasks, n_context + 1, generator=generator)
        found = mean_interval(score_queries(learner, tasks, n_context, 1))
        rows.append({"measure": measure, **found.as_columns(), "chance": chance})
    return pd.DataFrame(rows)
