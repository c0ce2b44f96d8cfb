"""Bounds on algorithm selection: the best of several learners for each task or for each query, known after the fact."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ctxlearn.checks import check_int, describe, trusted_values
from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import CHUNK, score_output, task_interval
from ctxlearn.learners.base import Learner, evaluating, on_device_of
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.threads import Workers, available_cores, one_thread_per_operator

LENGTHS = (0, 1, 2, 4, 8, 16, 32, 49)


def hindsight(
    learners: Mapping[str, Learner],
    family: TaskFamily,
    *,
    n_tasks: int = 1000,
    n_points: int = 50,
    lengths: Sequence[int] = LENGTHS,
    n_queries: int = 256,
    seed: int = 0,
    per_task: bool = False,
    threads: int | None = None,
) -> pd.DataFrame:
    """Score the learner that is best on each task and context length: the bound for choosing one learner per task.

    For each task and context length the learner with the best score on `n_queries` labelled queries is chosen (of
    equally good ones the first) and scored on as many others. No rule that picks one learner per task can beat it, but for
    the error of choosing by finitely many queries. It does not bound a rule that decides query by query or that weighs
    the learners' answers: that is what `hindsight_per_query` is for. Contexts are those of `evaluate` with the same family,
    n_tasks, n_points and seed, so the two can be compared task by task.

    Args:
        learners: by name, as for `evaluate`.
        family: where the tasks come from.
        n_tasks: number of tasks, >= 2.
        n_points: N, the points of a task in `evaluate`; contexts are their first ones.
        lengths: context lengths, each in [0, N].
        n_queries: queries to choose by, and as many to score on.
        seed: of the tasks.
        per_task: the scores one by one.
        threads: chunks of tasks computed side by side on the CPU; None means one per core.

    Returns:
        The columns of `evaluate`, with learner "hindsight": the mean over tasks of the chosen learner's accuracy (or
        squared error), with a 95 % interval (Student's t). With `per_task` also the column chosen: the learner's name.

    Raises:
        ValueError: no learners, something that is not a learner, or sizes out of range.
    """
    values, chosen, sizes = _scored(
        learners, family, n_tasks, n_points, lengths, n_queries, seed, threads, n_halves=2, best=_best_per_task
    )
    table = _table("hindsight", family, values, sizes, seed, per_task)
    return table.assign(chosen=np.array(list(learners))[chosen.ravel()]) if per_task else table


def hindsight_per_query(
    learners: Mapping[str, Learner],
    family: TaskFamily,
    *,
    n_tasks: int = 1000,
    n_points: int = 50,
    lengths: Sequence[int] = LENGTHS,
    n_queries: int = 256,
    seed: int = 0,
    per_task: bool = False,
    threads: int | None = None,
) -> pd.DataFrame:
    """Score the best answer to each query: the bound for choosing a learner per query, and for most ways to weigh them.

    A query counts as right if any learner has it right; in regression its error is the distance from the label to the
    range of the learners' answers. With two classes, and in regression, nothing that mixes the learners' probabilities (or means) with
    non-negative weights can beat it, whatever the weights depend on. With more classes this holds for every choice of one learner
    per query; a mixture of them can be right in rare cases where each of them is wrong.

    Contexts are those of `hindsight` with the same arguments, and so are the first `n_queries` queries.

    Args:
        learners: by name, as for `evaluate`.
        family: where the tasks come from.
        n_tasks: number of tasks, >= 2.
        n_points: N, the points of a task in `evaluate`; contexts are their first ones.
        lengths: context lengths, each in [0, N].
        n_queries: queries to score on.
        seed: of the tasks.
        per_task: the scores one by one.
        threads: chunks of tasks computed side by side on the CPU; None means one per core.

    Returns:
        The columns of `evaluate`, with learner "hindsight per query"; intervals are Student's t over tasks.

    Raises:
        ValueError: no learners, something that is not a learner, or sizes out of range.
    """
    values, _, sizes = _scored(
        learners, family, n_tasks, n_points, lengths, n_queries, seed, threads, n_halves=1, best=_best_per_query
    )
    return _table("hindsight per query", family, values, sizes, seed, per_task)


def _scored(
    learners: Mapping[str, Learner],
    family: TaskFamily,
    n_tasks: int,
    n_points: int,
    lengths: Sequence[int],
    n_queries: int,
    seed: int,
    threads: int | None,
    *,
    n_halves: int,
    best: Callable[[list[Tensor], Tensor, int | None], tuple[np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """What `best` makes of the learners' answers: scores and choices, (lengths, tasks) each; and the lengths."""
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
    pieces = [(piece, size) for size in sizes for piece in torch.split(torch.arange(n_tasks), CHUNK)]

    def score(piece: tuple[Tensor, int]) -> tuple[np.ndarray, np.ndarray]:
        with torch.inference_mode(), trusted_values():
            some, asked = tasks.tasks(piece[0]), queries.tasks(piece[0])
            x, y = asked.x[:, : n_halves * n_queries], asked.y[:, : n_halves * n_queries].cpu()
            outputs = [_answered(m, some, piece[1], x) for m in members]
            return best(outputs, y, tasks.n_classes)

    with ExitStack() as stack:
        for learner in members:
            stack.enter_context(evaluating(learner))
        stack.enter_context(one_thread_per_operator())
        results = stack.enter_context(Workers(threads or available_cores())).map(score, pieces)
    scores = np.concatenate([value for value, _ in results]).reshape(len(sizes), n_tasks)
    return scores, np.concatenate([choice for _, choice in results]).reshape(len(sizes), n_tasks), sizes


def _answered(learner: Learner, tasks: Tasks, n_context: int, queries: Tensor) -> Tensor:
    """A learner's answers after the first points of the tasks, on the CPU."""
    output: Tensor = learner(*on_device_of(learner, tasks.x[:, :n_context], tasks.y[:, :n_context], queries))
    return output.cpu()


def _best_per_task(outputs: list[Tensor], y: Tensor, n_classes: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The chosen learner's score on the second half of the queries, (B,), and which it is, (B,)."""
    scores = torch.stack([score_output(output, y, n_classes).double() for output in outputs])
    by, on = (half.mean(-1) for half in scores.chunk(2, dim=-1))  # (K, B) each
    chosen = by.argmin(0) if n_classes is None else by.argmax(0)
    return on.gather(0, chosen[None])[0].numpy(), chosen.numpy()


def _best_per_query(outputs: list[Tensor], y: Tensor, n_classes: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The best possible score on all queries, (B,), and nothing chosen."""
    scores = torch.stack([score_output(output, y, n_classes).double() for output in outputs])
    if n_classes is not None:
        best = scores.amax(0)
    else:
        answers = torch.stack(outputs)
        inside = (answers.amin(0) <= y) & (y <= answers.amax(0))
        best = scores.amin(0).masked_fill(inside, 0.0)
    return best.mean(-1).numpy(), np.zeros(len(y), dtype=np.int64)


def _table(
    name: str, family: TaskFamily, values: np.ndarray, sizes: list[int], seed: int, per_task: bool
) -> pd.DataFrame:
    n_tasks = values.shape[1]
    columns = {"learner": name, "family": family.name}
    if per_task:
        places = {"n_context": np.repeat(sizes, n_tasks), "seed": seed, "task": np.tile(np.arange(n_tasks), len(sizes))}
        return pd.DataFrame({**columns, **places, "value": values.ravel()})
    low, high = task_interval(values.T, bounded=False)
    found = {"mean": values.mean(1), "low": low, "high": high, "n_tasks": n_tasks}
    return pd.DataFrame({**columns, "n_context": sizes, "seed": seed, **found})
