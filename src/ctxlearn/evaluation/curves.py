"""How well learners do at every context length, on tasks of a family."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from ctxlearn.checks import check_float, check_int, describe, trusted_values
from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.statistics import student_bounds
from ctxlearn.learners.base import Learner, evaluating, on_device_of
from ctxlearn.progress import progress_bar
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.threads import Workers, available_cores, one_thread_per_operator

CHUNK = 64
"""Tasks computed at once: small enough to stay in a processor's cache."""


def evaluate(
    learners: Mapping[str, Learner],
    family: TaskFamily,
    *,
    n_tasks: int = 1000,
    n_points: int = 50,
    seed: int = 0,
    per_task: bool = False,
    threads: int | None = None,
    progress: bool = False,
) -> pd.DataFrame:
    """Score learners at every context length 0..N-1: point i of each task is predicted from the i points before it.

    All learners see the same tasks, which are of another random stream than training and validation tasks of any
    seed. The score is accuracy in [0, 1] (of equal top logits each counts its share), or squared error for regression.

    Args:
        learners: by the name they shall have in the table.
        family: where the tasks come from.
        n_tasks: number of tasks.
        n_points: N points a task.
        seed: of the tasks.
        per_task: the scores one by one, for paired comparisons.
        threads: chunks of tasks computed side by side on the CPU; None means one a core.
        progress: show a progress bar.

    Returns:
        One row per learner and context length, with columns learner, family, n_context, seed, mean, low, high,
        n_tasks; low and high bound a 95 % interval over tasks (Wilson's for accuracy, Student's for squared error).
        With `per_task`: columns learner, family, n_context, seed, task, value.

    Raises:
        ValueError: no learners, something that is not a learner, sizes below 1, or a learner that does not fit the
            family.
    """
    _check(learners, family)
    check_int("n_tasks", n_tasks, minimum=2)
    check_int("n_points", n_points, minimum=1)
    if threads is not None:
        check_int("threads", threads, minimum=1)
    tasks = family.sample(n_tasks, n_points, generator=generator_for(seed, Stream.TEST))
    values = {
        name: score_prefixes(learner, tasks, name=name, threads=threads, progress=progress)
        for name, learner in learners.items()
    }
    lengths = np.arange(n_points)
    if per_task:
        tables = [
            pd.DataFrame(
                {
                    "learner": name,
                    "family": family.name,
                    "n_context": np.tile(lengths, n_tasks),
                    "seed": seed,
                    "task": np.repeat(np.arange(n_tasks), n_points),
                    "value": scores.ravel(),
                }
            )
            for name, scores in values.items()
        ]
    else:
        tables = []
        for name, scores in values.items():
            low, high = task_interval(scores, bounded=family.n_classes is not None)
            columns = {"learner": name, "family": family.name, "n_context": lengths, "seed": seed}
            tables.append(
                pd.DataFrame({**columns, "mean": scores.mean(0), "low": low, "high": high, "n_tasks": n_tasks})
            )
    return pd.concat(tables, ignore_index=True)


def score_prefixes(
    learner: Learner, tasks: Tasks, *, name: str = "", threads: int | None = None, progress: bool = False
) -> np.ndarray:
    """Scores (B, N) float64 of `predict_prefixes` on given tasks, on the CPU: accuracy or squared error."""
    output = answer_prefixes(learner, tasks, name=name, threads=threads, progress=progress)
    return score_output(output, tasks.y.cpu(), tasks.n_classes).double().numpy()


def answer_prefixes(
    learner: Learner, tasks: Tasks, *, name: str = "", threads: int | None = None, progress: bool = False
) -> Tensor:
    """`predict_prefixes` of many tasks, in chunks side by side: logits (B, N, C) or means (B, N), on the CPU.

    Learner and tasks may be on any device; it is computed on the learner's.
    """
    if not isinstance(learner, Learner):
        raise ValueError(f"learner: expected a Learner, got {describe(learner)}")
    if not isinstance(tasks, Tasks) or not tasks.n_tasks:
        raise ValueError(f"tasks: expected Tasks, one or more, got {describe(tasks)}")
    if threads is not None:
        check_int("threads", threads, minimum=1)
    pieces = [torch.arange(start, min(start + CHUNK, tasks.n_tasks)) for start in range(0, tasks.n_tasks, CHUNK)]
    bar = progress_bar(tasks.n_tasks, f"evaluate {name}", shown=progress, unit="task", leave=False)

    def answer(piece: Tensor) -> Tensor:
        # inference mode and trust are settings of a thread, so they are set in the worker; the tasks were checked
        with torch.inference_mode(), trusted_values():
            part = tasks.tasks(piece.to(tasks.x.device))
            output = learner.predict_prefixes(*on_device_of(learner, part.x, part.y)).cpu()
        bar.update(len(piece))
        return output

    with evaluating(learner), one_thread_per_operator(), Workers(threads or available_cores()) as workers, bar:
        return torch.cat(workers.map(answer, pieces))


def score_output(output: Tensor, y: Tensor, n_classes: int | None) -> Tensor:
    """Accuracy per point, each of k equal top logits counting 1/k; or squared error. Shapes as y.

    Raises:
        ValueError: outputs of the wrong shape or not finite.
    """
    for name, tensor in (("output", output), ("y", y)):
        if not isinstance(tensor, Tensor):
            raise ValueError(f"{name}: expected a tensor, got {describe(tensor)}")
    if n_classes is not None:
        check_int("n_classes", n_classes, minimum=2)
    if not output.is_floating_point():
        raise ValueError(f"output: expected a floating tensor, got {describe(output)}")
    if n_classes is not None and (y.dtype != torch.int64 or bool(((y < 0) | (y >= n_classes)).any())):
        raise ValueError(f"y: expected int64 labels in [0, {n_classes}), got {describe(y)}")
    expected = tuple(y.shape) if n_classes is None else (*y.shape, n_classes)
    if n_classes is not None and output.ndim == y.ndim + 1 and output.shape[-1] > n_classes:
        output = output[..., :n_classes]  # outputs for classes that the tasks do not have
    if tuple(output.shape) != expected:
        raise ValueError(f"output: expected shape {expected}, got {tuple(output.shape)}")
    if not bool(torch.isfinite(output).all()):
        raise ValueError("output: expected finite numbers, got NaN or infinity from the learner")
    if n_classes is None:
        return (output - y).square()
    top = output == output.max(-1, keepdim=True).values
    return top.gather(-1, y[..., None])[..., 0] / top.sum(-1)


def task_interval(scores: np.ndarray, *, bounded: bool, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Interval of the mean over tasks (axis 0) at each context length.

    Args:
        scores: (B, ...), one score a task, B >= 2 unless bounded.
        bounded: scores lie in [0, 1]: Wilson's interval, which does not collapse at 0 or 1; otherwise Student's t.
        level: coverage.
    """
    scores = _numbers(scores, fewest=1 if bounded else 2)
    check_float("level", level, above=0, maximum=1 - 1e-9)
    n, mean = len(scores), scores.mean(0)
    if bounded:
        if ((scores < -1e-9) | (scores > 1 + 1e-9)).any():
            raise ValueError(f"scores: expected numbers in [0, 1], as they are bounded, got {describe(scores)}")
        # by hand, since scipy's takes whole hits only, and ties count in parts
        z2 = stats.norm.ppf(0.5 + level / 2) ** 2
        centre = (mean + z2 / (2 * n)) / (1 + z2 / n)
        half = np.sqrt(z2 * mean * (1 - mean) / n + z2**2 / (4 * n**2)) / (1 + z2 / n)
        return centre - half, centre + half
    return student_bounds(scores, level)


def _numbers(scores: Any, fewest: int) -> np.ndarray:
    """Scores of some tasks, (B, ...)."""
    try:
        found = np.asarray(scores, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"scores: expected numbers, one a task, got {describe(scores)}") from error
    if found.ndim == 0 or len(found) < fewest:
        raise ValueError(f"scores: expected those of {fewest} tasks or more, got {describe(scores)}")
    return found


def paired_differences(per_task: pd.DataFrame, baseline: str, *, level: float = 0.95) -> pd.DataFrame:
    """Differences of learners from one of them on the same tasks.

    Args:
        per_task: what `evaluate(..., per_task=True)` gave, of one or more families and seeds.
        baseline: the learner to subtract.
        level: coverage of the intervals.

    Returns:
        One row per other learner, family, n_context and seed: mean, low, high (Student's t over tasks), n_tasks.
        n_context -1 is the mean over the lengths from 1 on, where there are such.

    Raises:
        ValueError: a table of another kind, a baseline that is not in it or nothing to compare with it, or a level
            outside (0, 1).
    """
    check_float("level", level, above=0, maximum=1 - 1e-9)
    needed = {"learner", "family", "n_context", "seed", "task", "value"}
    if not isinstance(per_task, pd.DataFrame) or not needed <= set(per_task.columns):
        got = list(per_task.columns) if isinstance(per_task, pd.DataFrame) else per_task
        raise ValueError(f"per_task: expected the table of evaluate(..., per_task=True), got {describe(got)}")
    names = list(per_task["learner"].unique())
    if baseline not in names:
        raise ValueError(f"baseline: expected one of {', '.join(map(str, names))}, got {baseline!r}")
    if len(names) < 2:
        raise ValueError(f"per_task: expected more learners than the baseline, got only {baseline!r}")
    rows = []
    for (family, seed), part in per_task.groupby(["family", "seed"], sort=False):
        wide = part.pivot_table(index=["learner", "task"], columns="n_context", values="value")
        with_context = wide.drop(columns=0, errors="ignore")
        if with_context.shape[1]:
            wide[-1] = with_context.mean(axis=1)
        for name in names:
            if name == baseline or name not in wide.index.get_level_values(0):
                continue
            difference = wide.loc[name] - wide.loc[baseline]
            low, high = task_interval(difference.to_numpy(), bounded=False, level=level)
            columns = {
                "learner": name,
                "baseline": baseline,
                "family": family,
                "n_context": difference.columns,
                "seed": seed,
            }
            rows.append(
                pd.DataFrame(
                    {
                        **columns,
                        "mean": difference.to_numpy().mean(0),
                        "low": low,
                        "high": high,
                        "n_tasks": len(difference),
                    }
                )
            )
    return pd.concat(rows, ignore_index=True)


def _check(learners: object, family: object) -> None:
    if not isinstance(family, TaskFamily):
        raise ValueError(f"family: expected a TaskFamily, got {describe(family)}")
    if not isinstance(learners, Mapping) or not learners:
        raise ValueError(f"learners: expected a non-empty mapping from names to learners, got {describe(learners)}")
    for name, learner in learners.items():
        if not isinstance(learner, Learner):
            raise ValueError(f"learners[{name!r}]: expected a Learner, got {describe(learner)}")
        if learner.n_features is not None and learner.n_features != family.n_features:
            raise ValueError(
                f"learners[{name!r}]: expected n_features = {family.n_features}, as {family.name} has, got {learner.n_features}"
            )
        if (learner.n_classes is None) != (family.n_classes is None) or (learner.n_classes or 0) < (
            family.n_classes or 0
        ):
            raise ValueError(
                f"learners[{name!r}]: expected n_classes = {family.n_classes}, as {family.name} has, got {learner.n_classes}"
            )
