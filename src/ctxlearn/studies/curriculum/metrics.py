"""The error of every arm on tasks of full difficulty: on the way, and against the context length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ctxlearn import lab
from ctxlearn.checks import trusted_values
from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import CHUNK, score_output, score_prefixes
from ctxlearn.learners import Learner
from ctxlearn.references import LogisticRegression
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.curriculum.settings import (
    CLASSES,
    FULL,
    INTERLEAVED,
    Sizes,
    family_of,
    is_long,
    training,
    training_seeds,
)
from ctxlearn.tasks import TaskFamily
from ctxlearn.threads import Workers

LONG = f"{INTERLEAVED}, long"
ZERO, LOGISTIC = "zero predictor", "LogisticRegression"


@dataclass(frozen=True)
class Measured:
    """Everything that was measured of S trainings of each arm, each on T tasks of its own that its setting's arms share.

    The long runs of "interleaved" are a setting, too, `LONG`.

    Attributes:
        steps: by setting, those at which weights were tested, up to the budget, (K,).
        errors: by setting and arm, at the longest context, (S, T, K): squared error, or 1 where the label is wrong.
        lengths: by setting, arm and budget, at every context length, (S, T, N).
        zero: squared error of the zero predictor at the longest context, on the tasks of each seed of "interleaved", (S, T).
        logistic: share of wrong labels of logistic regression on the tasks of "classes", (S, T, N).
    """

    steps: dict[str, np.ndarray]
    errors: lab.Samples
    lengths: lab.Samples
    zero: lab.Paired
    logistic: lab.Paired


def plan(sizes: Sizes, seed: int) -> list[lab.Planned]:
    """Test the weights that every training kept on its way; and the references."""
    planned: list[lab.Planned] = []
    for setting, one in sizes.settings.items():
        for arm in one.arms:
            for k, own in enumerate(training_seeds(sizes, setting, arm, seed)):
                weights = lab.Kept(training(sizes, setting, arm, k, own))
                budgets = sizes.budgets if setting == INTERLEAVED else (one.steps,)
                planned.append(_test(sizes, setting, arm, own, weights, one.steps, budgets))
                if is_long(sizes, setting, arm, k):
                    planned.append(_test(sizes, LONG, arm, own, weights, sizes.long_steps, ()))
    for own in training_seeds(sizes, INTERLEAVED, FULL, seed):
        asked = lab.call(zero_errors, family_of(sizes, INTERLEAVED), sizes.n_tasks, sizes.n_points, own)
        planned.append(lab.Measurement((ZERO,), own, asked, f"{INTERLEAVED} {own}"))
    for own in training_seeds(sizes, CLASSES, FULL, seed):
        rule = {LOGISTIC: LogisticRegression(sizes.n_features, 2)}
        planned.append(lab.Cell((CLASSES,), family_of(sizes, CLASSES), rule, own, sizes.n_tasks, sizes.n_points))
    return planned


def _test(
    sizes: Sizes, setting: str, arm: str, own: int, weights: lab.Kept, last_step: int, budgets: Sequence[int]
) -> lab.Measurement:
    family = family_of(sizes, INTERLEAVED if setting == LONG else setting)
    asked = lab.call(test_weights, weights, family, sizes.n_tasks, sizes.n_points, own, last_step, list(budgets))
    return lab.Measurement((setting, arm), own, asked, f"{setting} {own}")


def test_tasks(family: TaskFamily, n_tasks: int, n_points: int, seed: int) -> Tasks:
    """The test tasks of the trainings of one seed: of full difficulty, the same for all arms."""
    return family.sample(n_tasks, n_points, generator=generator_for(seed, Stream.TEST))


def test_weights(
    weights: Iterable[tuple[int, Learner]],
    family: TaskFamily,
    n_tasks: int,
    n_points: int,
    seed: int,
    last_step: int,
    budgets: Sequence[int],
    threads: int,
) -> dict[str, object]:
    """Measures "errors" at the longest context after each number of steps, (T, K); "lengths" at the budgets, (T, budgets, N)."""
    tasks = test_tasks(family, n_tasks, n_points, seed)
    steps, errors, lengths = [], [], []
    for step, learner in weights:
        if step > last_step:
            break
        steps.append(step)
        errors.append(_last_errors(learner, tasks, threads))
        if step in budgets:
            scores = score_prefixes(learner, tasks, threads=threads)
            lengths.append(scores if tasks.n_classes is None else 1 - scores)
    found: dict[str, object] = {
        "errors": np.stack(errors, axis=-1),
        "facts": {"steps": steps, "budgets": list(budgets)},
    }
    return found | ({"lengths": np.stack(lengths, axis=1)} if lengths else {})


def zero_errors(family: TaskFamily, n_tasks: int, n_points: int, seed: int) -> dict[str, np.ndarray]:
    """Measures "zero": squared error of answering 0 at the longest context, (T,)."""
    tasks = test_tasks(family, n_tasks, n_points, seed)
    return {"zero": tasks.y[:, -1].double().square().numpy()}


def _last_errors(learner: Learner, tasks: Tasks, threads: int) -> np.ndarray:
    """Errors (T,) on the last point of each task, the others being the context."""

    def errors(start: int) -> torch.Tensor:
        with torch.inference_mode(), trusted_values():
            part = tasks.tasks(torch.arange(start, min(start + CHUNK, tasks.n_tasks)))
            episode = part.split(part.n_points - 1)
            output = learner(episode.context_x, episode.context_y, episode.query_x)
            scores = score_output(output, episode.query_y, tasks.n_classes)[:, 0].double()
            return scores if tasks.n_classes is None else 1 - scores

    with Workers(threads) as workers:
        return torch.cat(workers.map(errors, range(0, tasks.n_tasks, CHUNK))).numpy()


def found(numbers: lab.Numbers) -> Measured:
    """Sort what was measured."""
    errors = numbers["errors"]
    facts = {key: numbers.facts(*key)[0] for key in errors}
    lengths = {
        (*key, budget): by_length.at((i, ...))
        for key, by_length in numbers["lengths"].items()
        for i, budget in enumerate(facts[key]["budgets"])
    }
    steps = {str(setting): np.array(facts[setting, arm]["steps"]) for setting, arm in errors}
    logistic = 1 - numbers["score"][LOGISTIC, CLASSES]
    return Measured(steps, errors, lab.Samples(lengths), numbers["zero"][ZERO], logistic)
