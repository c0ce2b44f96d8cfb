"""What the study measures: both arms with and without adaptation, and the Bayes predictors, on the same tasks of test domains."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch

from ctxlearn import lab
from ctxlearn.evaluation.new_domains import Met, adapt_to_new_domains, error_on, errors_along, meet
from ctxlearn.inner_loop.fine_tuning_search import OWN
from ctxlearn.learners import Learner
from ctxlearn.references import BayesOptimal, DomainBayes
from ctxlearn.seeding import Stream
from ctxlearn.studies.domains.settings import GATE, ICL, M2, Part, icl_training, m2_training
from ctxlearn.tasks import GaussianWeights
from ctxlearn.threads import Workers

KNOWN, UNKNOWN, GIVEN = "Bayes, domain known", "Bayes, domain unknown", "Bayes, given those tasks"
CHANCE = "chance"
GATE_KEY = "M2 on validation domains"


@dataclass(frozen=True)
class Measured:
    """What was measured on one kind of domains.

    Attributes:
        values: per predictor and adaptation tasks (0: not adapted) the score at each context length, (S, D, N): excess squared
            error for regression, error rate for classification.
        validation: the same on validation domains after M2's own inner steps on its training number of tasks, (S, D, N).
        ways: one row per seed, arm and size: the way to adapt that was chosen, and its validation score.
        diverged: adaptations on test domains that were not finite, and are measured unadapted in `values`.
    """

    values: lab.Samples
    validation: lab.Paired
    ways: pd.DataFrame
    diverged: int

    def mean(self, predictor: str, size: int = 0) -> lab.Paired:
        """The mean over context lengths."""
        return self.values[predictor, size].averaged(slice(None))

    def gain(self, size: int) -> lab.Paired:
        """How much M2 is better than in-context learning, both adapted to `size` tasks."""
        return self.mean(ICL, size) - self.mean(M2, size)

    @property
    def unconverged(self) -> list[int]:
        """The seeds with which M2 did not pass the gate of convergence."""
        reached = self.validation.values.mean((1, 2))
        return [seed for seed, error in zip(self.validation.seeds, reached, strict=True) if error > GATE]


def measurements(name: str, part: Part, seed: int) -> Iterator[lab.Measurement]:
    """Both arms unadapted and adapted to each number of tasks, and the references, on the same test domains."""
    arms = {M2: m2_training(name, part, seed), ICL: icl_training(name, part, seed)}
    calls = {}
    for arm, training in arms.items():
        calls[arm, 0] = lab.call(unadapted_error, training, part, seed)
        calls |= {(arm, size): lab.call(adapted_error, training, part, size, seed) for size in part.sizes}
    given = [(GIVEN, size) for size in part.sizes if part.domains.n_classes is None]
    for predictor, size in [(KNOWN, 0), (UNKNOWN, 0), (CHANCE, 0), *given]:
        calls[predictor, size] = lab.call(reference_error, predictor, part, size, seed)
    for key, asked in calls.items():
        yield lab.Measurement((name, *key), seed, asked, f"domains of {name}, seed {seed}")
    yield lab.Measurement((name, GATE_KEY), seed, lab.call(gate_error, arms[M2], part, seed))


def met_by(part: Part, seed: int, stream: Stream) -> list[Met]:
    """The validation or the test domains of a training seed."""
    n = part.n_test if stream == Stream.TEST else part.n_validation
    tasks = {"n_points": part.n_points, "n_adaptation": max(part.sizes), "n_probe": part.n_test_tasks}
    return meet(part.domains, n, seed=seed, stream=stream, **tasks)


def _each(error: Callable[[Met], np.ndarray], met: list[Met], threads: int) -> np.ndarray:
    """The error at each context length on each of D domains, (D, N)."""
    with Workers(threads) as workers:
        return np.stack(workers.map(error, met))


def unadapted_error(learner: Learner, part: Part, seed: int, threads: int) -> dict[str, np.ndarray]:
    """Of a learner as it is, on each of D test domains: "error" (D, N)."""
    return {"error": _each(partial(error_on, learner), met_by(part, seed, Stream.TEST), threads)}


def adapted_error(learner: Learner, part: Part, size: int, seed: int, threads: int) -> dict[str, object]:
    """Of a learner that is adapted to `size` tasks of each of D test domains in the way that is best on validation domains.

    Returns:
        "error" (D, N); and the facts "way", its "validation" score, and how many adaptations "diverged".
    """
    validation, test = (met_by(part, seed, stream) for stream in (Stream.VALIDATION, Stream.TEST))
    rates, limit = {"adamw": part.adamw_rates, "sgd": part.sgd_rates}, part.limits[part.sizes.index(size)]
    found = adapt_to_new_domains(learner, size, validation, test, rates=rates, limit=limit, threads=threads)
    facts = {"way": found.way._asdict(), "validation": found.validation, "diverged": found.diverged}
    return {"error": found.errors, "facts": facts}


def gate_error(learner: Learner, part: Part, seed: int, threads: int) -> dict[str, np.ndarray]:
    """Of M2 after its own inner steps on its training number of tasks: "gate" (validation domains, N)."""

    def error(met: Met) -> np.ndarray:
        return errors_along(learner, met, part.n_tasks, OWN, 0.0, [part.inner_steps])[part.inner_steps]

    return {"gate": _each(error, met_by(part, seed, Stream.VALIDATION), threads)}


def reference_error(predictor: str, part: Part, size: int, seed: int, threads: int) -> dict[str, np.ndarray]:
    """Of a Bayes predictor, given `size` tasks of the domain or none, or of chance: "error" (D, N)."""
    return {"error": _each(partial(_reference, predictor, part, size), met_by(part, seed, Stream.TEST), threads)}


def _reference(predictor: str, part: Part, size: int, met: Met) -> np.ndarray:
    if predictor == CHANCE and met.truth is not None:
        return np.asarray(met.truth.double().square().mean(0).numpy())
    if predictor == CHANCE:
        return np.full(met.probe.n_points, 1 - 1 / (met.probe.n_classes or 1))
    if met.truth is None:
        return error_on(BayesOptimal(met.family if predictor == KNOWN else part.domains.pooled()), met)
    assert isinstance(part.domains, GaussianWeights)
    if predictor == GIVEN:
        tasks = met.adaptation.tasks(torch.arange(size))
        return error_on(DomainBayes(part.domains, tasks.x, tasks.y), met)
    return error_on(DomainBayes(met.family if predictor == KNOWN else part.domains), met)


def found(name: str, part: Part, numbers: lab.Numbers) -> Measured:
    """What was measured on one kind of domains."""
    values = {key[1:]: error for key, error in numbers["error"].items() if key[0] == name}
    facts = {(arm, size): numbers.facts(name, arm, size) for arm in (M2, ICL) for size in part.sizes}
    ways = [
        {"seed": seed, "arm": arm, "tasks": size, **by_seed[seed]["way"], "validation": by_seed[seed]["validation"]}
        for seed in range(numbers.seeds)
        for (arm, size), by_seed in facts.items()
    ]
    diverged = sum(about["diverged"] for by_seed in facts.values() for about in by_seed)
    return Measured(lab.Samples(values), numbers["gate"][name, GATE_KEY], pd.DataFrame(ways), diverged)


def results(numbers: lab.Numbers) -> pd.DataFrame:
    """One row per kind of domains, predictor, adaptation tasks, context length and seed; -1 is the mean over lengths."""
    errors = numbers["error"]
    means = errors.map(lambda error: error.averaged(slice(None)))
    axes = ("family", "learner", "adaptation_tasks")
    return pd.concat([found.frame(*axes, bounded=False) for found in (means, errors)], ignore_index=True)
