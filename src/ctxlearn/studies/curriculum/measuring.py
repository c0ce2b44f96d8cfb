"""The error of every arm on tasks of full difficulty: on the way, and against the context length."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ctxlearn.checks import trusted_values
from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import CHUNK, score_output, score_prefixes
from ctxlearn.learners import Learner
from ctxlearn.references import LogisticRegression
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.base import Workload
from ctxlearn.studies.curriculum.settings import (
    CLASSES,
    FULL,
    INTERLEAVED,
    Settings,
    family_of,
    is_long,
    run_name,
    training_seeds,
)
from ctxlearn.threads import Workers, one_thread_per_operator
from ctxlearn.training import kept_learners


@dataclass(frozen=True)
class Arm:
    """What was measured of S trainings of one arm, each on T tasks of its own that its setting's arms share.

    Attributes:
        seeds: of the trainings, (S,).
        steps: at which weights were tested, up to the budget, (K,).
        errors: at the longest context, (S, K, T): squared error, or 1 where the label is wrong.
        lengths: by budget, at every context length, (S, T, N).
    """

    seeds: list[int]
    steps: np.ndarray
    errors: np.ndarray
    lengths: dict[int, np.ndarray]


@dataclass(frozen=True)
class Measured:
    """Everything that was measured.

    Attributes:
        arms: by setting and arm.
        long: the long runs of "interleaved", by arm; their `steps` go on to the long budget, `lengths` are empty.
        zero: squared error of the zero predictor at the longest context, on the tasks of each seed of "interleaved", (S,).
        logistic: share of wrong labels of logistic regression by context length on the tasks of "classes", (N,).
    """

    arms: dict[tuple[str, str], Arm]
    long: dict[str, Arm]
    zero: np.ndarray
    logistic: np.ndarray


def measure(settings: Settings, workload: Workload) -> Measured:
    """Test the weights that every training kept on its way.

    Raises:
        RunFolderError: a training kept none, because it was run otherwise than by this study.
    """
    arms, long = {}, {}
    seeds_of_study = sorted(workload.folders)
    for setting, sizes in settings.settings.items():
        for arm in sizes.arms:
            parts, long_parts, seeds, long_seeds = [], [], [], []
            for seed in seeds_of_study:
                for k, own in enumerate(training_seeds(settings, setting, arm, seed)):
                    tasks = test_tasks(settings, setting, own)
                    folder = workload.folders[seed][run_name(setting, arm, own)]
                    budgets = settings.budgets if setting == INTERLEAVED else (sizes.steps,)
                    part = _one_run(folder, tasks, budgets, workload)
                    parts.append(part)
                    seeds.append(own)
                    if is_long(settings, setting, arm, k):
                        long_parts.append(part)
                        long_seeds.append(own)
            arms[setting, arm] = _arm(seeds, parts, sizes.steps)
            if long_parts:
                long[arm] = _arm(long_seeds, long_parts, settings.long_steps)
    tested = [test_tasks(settings, INTERLEAVED, seed) for seed in arms[INTERLEAVED, FULL].seeds]
    zero = np.array([float(tasks.y[:, -1].double().square().mean()) for tasks in tested])
    reference = LogisticRegression(settings.n_features, 2)
    logistic = 1 - np.mean(
        [
            score_prefixes(reference, test_tasks(settings, CLASSES, seed), threads=workload.threads).mean(0)
            for seed in arms[CLASSES, FULL].seeds
        ],
        axis=0,
    )
    return Measured(arms, long, zero, logistic)


def test_tasks(settings: Settings, setting: str, seed: int) -> Tasks:
    """The test tasks of the trainings of one seed: of full difficulty, the same for all arms."""
    generator = generator_for(seed, Stream.TEST)
    return family_of(settings, setting).sample(settings.n_tasks, settings.n_points, generator=generator)


@dataclass(frozen=True)
class _Run:
    """One training: steps (K,), errors at the longest context (K, T), and by budget at every context length (T, N)."""

    steps: np.ndarray
    errors: np.ndarray
    lengths: dict[int, np.ndarray]


def _one_run(folder: Path, tasks: Tasks, budgets: tuple[int, ...], workload: Workload) -> _Run:
    steps, errors, lengths = [], [], {}
    for step, learner in kept_learners(folder):
        steps.append(step)
        errors.append(_last_errors(learner, tasks, workload.threads))
        if step in budgets:
            scores = score_prefixes(learner, tasks, threads=workload.threads)
            lengths[step] = scores if tasks.n_classes is None else 1 - scores
    return _Run(np.array(steps), np.stack(errors), lengths)


def _last_errors(learner: Learner, tasks: Tasks, threads: int) -> np.ndarray:
    """Errors (T,) on the last point of each task, the others being the context."""

    def errors(start: int) -> torch.Tensor:
        with torch.inference_mode(), trusted_values():
            part = tasks.tasks(torch.arange(start, min(start + CHUNK, tasks.n_tasks)))
            episode = part.split(part.n_points - 1)
            output = learner(episode.context_x, episode.context_y, episode.query_x)
            scores = score_output(output, episode.query_y, tasks.n_classes)[:, 0].double()
            return scores if tasks.n_classes is None else 1 - scores

    with one_thread_per_operator(), Workers(threads) as workers:
        return torch.cat(workers.map(errors, range(0, tasks.n_tasks, CHUNK))).numpy()


def _arm(seeds: list[int], runs: list[_Run], last_step: int) -> Arm:
    """Trainings of one arm together, up to a step that all of them took."""
    steps = runs[0].steps[runs[0].steps <= last_step]
    errors = np.stack([run.errors[: len(steps)] for run in runs])
    return Arm(seeds, steps, errors, {b: np.stack([run.lengths[b] for run in runs]) for b in runs[0].lengths})
