"""Score a classifier on a task: fit it to the first rows of each draw, ask it about others, and time both."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from ctxlearn.real_tables.metrics import area_under_curve, calibration_counts, log_losses
from ctxlearn.real_tables.models import contestant
from ctxlearn.real_tables.splits import draw_rows, sizes_for
from ctxlearn.real_tables.tasks import TableTask, task_data

MEASURES = ("accuracy", "log_loss", "auc", "fit_seconds", "predict_seconds")


def score_draws(
    learner: str, task: TableTask, sizes: Sequence[int], draws: int
) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Score one of the contestants on a task.

    Args:
        learner: its name.
        task: on which.
        sizes: rows of the contexts; those below the task's classes are left out.
        draws: D draws of rows. Contexts of one draw are nested, and asked about the same rows.

    Returns:
        The K sizes that were used; scores (D, K, 5), of `MEASURES`; and counts by confidence, (K, bins, 3), see
        `calibration_counts`.
    """
    data = task_data(task)
    used = sizes_for(len(data.classes), tuple(sizes))
    scores, counts = np.empty((draws, len(used), len(MEASURES))), []
    for i, n in enumerate(used):
        each = []
        for draw in range(draws):
            context, queries = draw_rows(task, data.y, draw)
            answers = data.y[queries]
            model = contestant(learner, draw)
            begun = time.perf_counter()
            model.fit(data.x.iloc[context[:n]], data.y[context[:n]])
            fitted = time.perf_counter()
            shares = model.predict_proba(data.x.iloc[queries])
            done = time.perf_counter()
            scores[draw, i] = (
                (shares.argmax(1) == answers).mean(),
                log_losses(shares, answers).mean(),
                area_under_curve(shares, answers),
                fitted - begun,
                done - fitted,
            )
            each.append(calibration_counts(shares, answers))
        counts.append(np.sum(each, axis=0))
    return list(used), scores, np.stack(counts)
