"""The error of every arm on tasks of full difficulty: on the way, and against the context length."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ctxlearn import lab
from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import CHUNK, score_prefixes
from ctxlearn.evaluation.queries import score_queries
from ctxlearn.learners import Learner
from ctxlearn.references import LogisticRegression
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.curriculum import settings
from ctxlearn.studies.curriculum.settings import CLASSES, FULL, INTERLEAVED, RISING, SET, Sizes
from ctxlearn.tasks import TaskFamily

LONG = f"{INTERLEAVED}, long"
ZERO, LOGISTIC = "zero predictor", "LogisticRegression"


@dataclass(frozen=True)
class Measured:
    """Everything that was measured of S trainings of each arm, each on T tasks of its own that its setting's arms share.

    The long runs of "interleaved" are a setting, too, `LONG`.

    Attributes:
        steps: by setting, those at which weights were tested, up to the budget, (K,).
        errors: by setting and arm, at the longest context, (S, T, K): squared error, or 1 where the label is wrong.
        validation: likewise on validation tasks, of the two main arms at each learning rate.
        lengths: by setting, arm and budget, at every context length, (S, T, N).
        zero: squared error of the zero predictor at the longest context, on the tasks of each seed of "interleaved", (S, T).
        logistic: share of wrong labels of logistic regression on the tasks of "classes", (S, T, N).
    """

    steps: dict[str, np.ndarray]
    errors: lab.Samples
    validation: lab.Samples
    lengths: lab.Samples
    zero: lab.Paired
    logistic: lab.Paired


def plan(sizes: Sizes, seed: int) -> list[lab.Planned]:
    """Test the weights that every training kept on its way; and the references."""
    planned: list[lab.Planned] = []
    rates = (INTERLEAVED, *sizes.other_rates)

    def test(setting: str, arm: str, own: int, weights: lab.Kept, last_step: int, budgets: Sequence[int]) -> None:
        on = INTERLEAVED if setting == LONG else setting
        about = (settings.family_of(sizes, on), sizes.n_tasks, sizes.n_points, own, last_step, list(budgets))
        asked = lab.call(test_weights, weights, *about, validated=setting in rates and arm in (FULL, RISING))
        planned.append(lab.Measurement((setting, arm), own, asked, f"{setting} {own}"))

    for setting, one in sizes.trained.items():
        budgets = {INTERLEAVED: sizes.budgets, SET: (one.steps,), CLASSES: (one.steps,)}.get(setting, ())
        for arm in one.arms:
            for k, own in enumerate(settings.training_seeds(sizes, setting, arm, seed)):
                weights = lab.Kept(settings.training(sizes, setting, arm, k, own))
                test(setting, arm, own, weights, one.steps, budgets)
                if settings.is_long(sizes, setting, arm, k):
                    test(LONG, arm, own, weights, sizes.long_steps, ())
    for own in settings.training_seeds(sizes, INTERLEAVED, FULL, seed):
        asked = lab.call(zero_errors, settings.family_of(sizes, INTERLEAVED), sizes.n_tasks, sizes.n_points, own)
        planned.append(lab.Measurement((ZERO,), own, asked, f"{INTERLEAVED} {own}"))
    for own in settings.training_seeds(sizes, CLASSES, FULL, seed):
        rule, family = {LOGISTIC: LogisticRegression(sizes.n_features, 2)}, settings.family_of(sizes, CLASSES)
        planned.append(lab.Cell((CLASSES,), family, rule, own, sizes.n_tasks, sizes.n_points))
    return planned


def test_tasks(family: TaskFamily, n_tasks: int, n_points: int, seed: int, stream: Stream) -> Tasks:
    """The test tasks of the trainings of one seed: of full difficulty, the same for all arms."""
    return family.sample(n_tasks, n_points, generator=generator_for(seed, stream))


def test_weights(
    weights: Iterable[tuple[int, Learner]],
    family: TaskFamily,
    n_tasks: int,
    n_points: int,
    seed: int,
    last_step: int,
    budgets: Sequence[int],
    validated: bool,
    threads: int,
) -> dict[str, object]:
    """Measures "errors" at the longest context after each number of steps, (T, K); "lengths" at the budgets, (T, budgets, N).

    Where it is `validated`, "validation" has the errors on other tasks, by which a learning rate may be chosen.
    """
    tasks = test_tasks(family, n_tasks, n_points, seed, Stream.TEST)
    others = test_tasks(family, n_tasks, n_points, seed, Stream.VALIDATION)
    steps, scores, validation, lengths = [], [], [], []
    for step, learner in weights:
        if step > last_step:
            break
        steps.append(step)
        scores.append(score_queries(learner, tasks, n_points - 1, 1, threads=threads, chunk=CHUNK))
        if validated:
            validation.append(score_queries(learner, others, n_points - 1, 1, threads=threads, chunk=CHUNK))
        if step in budgets:
            lengths.append(score_prefixes(learner, tasks, threads=threads))
    stacked = {"errors": (scores, -1), "validation": (validation, -1), "lengths": (lengths, 1)}
    measured = {name: np.stack(values, axis) for name, (values, axis) in stacked.items() if values}
    if tasks.n_classes is not None:  # scores are accuracies
        measured = {name: 1 - values for name, values in measured.items()}
    return {**measured, "facts": {"steps": steps, "budgets": list(budgets)}}


def zero_errors(family: TaskFamily, n_tasks: int, n_points: int, seed: int) -> dict[str, np.ndarray]:
    """Measures "zero": squared error of answering 0 at the longest context, (T,)."""
    tasks = test_tasks(family, n_tasks, n_points, seed, Stream.TEST)
    return {"zero": tasks.y[:, -1].double().square().numpy()}


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
    return Measured(steps, errors, numbers["validation"], lab.Samples(lengths), numbers["zero"][ZERO], logistic)
