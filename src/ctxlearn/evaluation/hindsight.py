"""The bound on algorithm selection: the best of several learners, chosen after seeing answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ctxlearn.checks import check_int, describe, trusted_values
from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import CHUNK, score_output, task_interval
from ctxlearn.learners.base import Learner
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.threads import Workers, available_cores, one_thread_per_operator


def hindsight(
    learners: Mapping[str, Learner],
    family: TaskFamily,
    *,
    n_tasks: int = 1000,
    n_points: int = 50,
    lengths: Sequence[int] = (0, 1, 2, 4, 8, 16, 32, 49),
    n_queries: int = 256,
    seed: int = 0,
    per_task: bool = False,
    threads: int | None = None,
) -> pd.DataFrame:
    """Score the learner that is best on each task and context length: no selector among these learners can beat it.

    For each task and context length the learner with the best score on `n_queries` labelled queries is chosen (of
    equally good ones the first) and scored on as many others. Contexts are those of `evaluate` with the same family,
    n_tasks, n_points and seed, so the two can be compared task by task.

    Args:
        learners: by name, as for `evaluate`.
        family: where the tasks come from.
        n_tasks: number of tasks, >= 2.
        n_points: N, the points a task has in `evaluate`; contexts are their first ones.
        lengths: context lengths, each in [0, N].
        n_queries: queries to choose by, and as many to score on.
        seed: of the tasks.
        per_task: the scores one by one.
        threads: chunks of tasks computed side by side on the CPU; None means one a core.

    Returns:
        The columns of `evaluate`, with learner "hindsight": the mean over tasks of the chosen learner's accuracy (or
        squared error), with a 95 % interval (Student's t). With `per_task` also the column chosen: the learner's name.

    Raises:
        ValueError: no learners, something that is not a learner, or sizes out of range.
    """
    if not isinstance(learners, Mapping) or not learners or not all(isinstance(m, Learner) for m in learners.values()):
        raise ValueError(f"learners: expected a non-empty mapping from names to learners, got {describe(learners)}")
    if not isinstance(family, TaskFamily):
        raise ValueError(f"family: expected a TaskFamily, got {describe(family)}")
    check_int("n_tasks", n_tasks, minimum=2)
    check_int("n_points", n_points, minimum=1)
    check_int("n_queries", n_queries, minimum=1)
    if threads is not None:
        check_int("threads", threads, minimum=1)
    if not isinstance(lengths, Sequence) or not lengths:
        raise ValueError(f"lengths: expected a list of context lengths, got {describe(lengths)}")
    sizes = [check_int(f"lengths[{i}]", length, minimum=0, maximum=n_points) for i, length in enumerate(lengths)]
    generator = generator_for(seed, Stream.TEST)
    tasks = family.sample(n_tasks, n_points, generator=generator, with_parameters=True)
    queries = family.tasks(tasks.parameters, 2 * n_queries, generator=generator)
    members = list(learners.values())
    for learner in members:
        learner.eval()
    pieces = [(piece, size) for size in sizes for piece in torch.split(torch.arange(n_tasks), CHUNK)]

    def score(piece: tuple[Tensor, int]) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode(), trusted_values():
            return _best(members, tasks.tasks(piece[0]), queries.tasks(piece[0]), piece[1])

    with one_thread_per_operator(), Workers(threads or available_cores()) as workers:
        results = workers.map(score, pieces)
    values = np.concatenate([value for value, _ in results]).reshape(len(sizes), n_tasks)
    chosen = np.concatenate([choice for _, choice in results]).reshape(len(sizes), n_tasks)
    columns = {"learner": "hindsight", "family": family.name}
    if per_task:
        return pd.DataFrame(
            {
                **columns,
                "n_context": np.repeat(sizes, n_tasks),
                "seed": seed,
                "task": np.tile(np.arange(n_tasks), len(sizes)),
                "value": values.ravel(),
                "chosen": np.array(list(learners))[chosen.ravel()],
            }
        )
    low, high = task_interval(values.T, bounded=False)
    return pd.DataFrame(
        {
            **columns,
            "n_context": sizes,
            "seed": seed,
            "mean": values.mean(1),
            "low": low,
            "high": high,
            "n_tasks": n_tasks,
        }
    )


def _best(learners: list[Learner], tasks: Tasks, queries: Tasks, n_context: int) -> tuple[np.ndarray, np.ndarray]:
    """The chosen learner's score on the second half of the queries, (B,), and which it is, (B,)."""
    x, y = tasks.x[:, :n_context], tasks.y[:, :n_context]
    scores = torch.stack([score_output(m(x, y, queries.x), queries.y, tasks.n_classes).double() for m in learners])
    by, on = (half.mean(-1) for half in scores.chunk(2, dim=-1))  # (K, B) each
    chosen = by.argmin(0) if tasks.n_classes is None else by.argmax(0)
    return on.gather(0, chosen[None])[0].numpy(), chosen.numpy()
