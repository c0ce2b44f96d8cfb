"""How well learners answer fixed queries after a context of one length."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import score_output
from ctxlearn.learners.base import Learner
from ctxlearn.threads import Workers

CHUNK = 10
"""Tasks computed at once unless said otherwise: few, since each may hold a hundred images."""


def score_queries(
    learner: Learner, tasks: Tasks, n_context: int, n_queries: int, *, threads: int = 1, chunk: int = CHUNK
) -> np.ndarray:
    """Mean score of each task's last points, predicted from its first ones, (T,).

    Args:
        learner: who answers; put into evaluation mode.
        tasks: T tasks of at least `n_context + n_queries` points, so that no query is in its context.
        n_context: first points of a task that are its context.
        n_queries: last points that are asked about.
        threads: chunks of tasks computed side by side.
        chunk: tasks computed at once.
    """

    def part(rows: Tensor) -> Tensor:
        few = tasks.tasks(rows)
        with torch.inference_mode():
            output = learner(few.x[:, :n_context], few.y[:, :n_context], few.x[:, -n_queries:])
        return score_output(output, few.y[:, -n_queries:], tasks.n_classes).double().mean(1)

    learner.eval()
    chunks = [torch.arange(i, min(i + chunk, tasks.n_tasks)) for i in range(0, tasks.n_tasks, chunk)]
    with Workers(threads) as workers:
        return np.asarray(torch.cat(workers.map(part, chunks)).numpy())
