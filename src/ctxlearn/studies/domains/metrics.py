"""What the study measures: both arms with and without adaptation, and the Bayes predictors, on the same tasks of test domains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch

from ctxlearn import lab
from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import answer_prefixes, score_output
from ctxlearn.learners import Learner
from ctxlearn.references import BayesOptimal, DomainBayes
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.domains.settings import GATE, ICL, M2, Part, icl_training, m2_training
from ctxlearn.tasks import GaussianWeights
from ctxlearn.tasks.domains import Domain
from ctxlearn.threads import Workers
from ctxlearn.training.ways import NOT_AT_ALL, OWN, Way, best_way, follow, ways_to_try

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


class Met(NamedTuple):
    """A domain that is met.

    Attributes:
        family: it itself.
        adaptation: as many tasks as the largest size has; smaller sizes have the first of them.
        probe: tasks on which it is measured.
        truth: the labels of the probe without noise, (B, N) for regression; None for classification.
    """

    family: Domain
    adaptation: Tasks
    probe: Tasks
    truth: torch.Tensor | None


def meet(part: Part, seed: int, stream: Stream, n: int) -> list[Met]:
    """`n` domains that no training saw; test domains are of another stream than validation domains."""
    met = []
    for i in range(n):
        generator = generator_for(seed, stream, 2, i)
        family = part.domains.sample_domain(generator=generator)
        adaptation = family.sample(max(part.sizes), part.n_points, generator=generator)
        parameters = family.sample_parameters(part.n_test_tasks, generator=generator)
        x, y = family.sample_points(parameters, part.n_points, generator=generator)
        truth = (x @ parameters["weights"][..., None])[..., 0] if part.domains.n_classes is None else None
        met.append(Met(family, adaptation, Tasks(x, y, part.domains.n_classes), truth))
    return met


def score(learner: Learner, met: Met) -> np.ndarray:
    """Mean over the probe at each context length, (N,): excess squared error, or error rate; infinite where not finite."""
    output = answer_prefixes(learner, met.probe, threads=1)
    if not bool(output.isfinite().all()):
        return np.full(met.probe.n_points, np.inf)
    if met.truth is not None:
        return np.asarray((output - met.truth).double().square().mean(0).numpy())
    return np.asarray(1 - score_output(output, met.probe.y, met.probe.n_classes).double().mean(0).numpy())


def scores_along(
    learner: Learner, met: Met, size: int, optimizer: str, rate: float, at: Sequence[int]
) -> dict[int, np.ndarray]:
    """The score (N,) after each number of steps in `at`, adapting to the first `size` tasks of the domain."""
    found = {step: np.full(met.probe.n_points, np.inf) for step in at}
    for step, tuned in follow(learner, met.adaptation.tasks(torch.arange(size)), optimizer, rate, at):
        found[step] = score(tuned, met)
    return found


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


def unadapted_error(learner: Learner, part: Part, seed: int, threads: int) -> dict[str, np.ndarray]:
    """Of a learner as it is, on each of D test domains: "error" (D, N)."""
    with Workers(threads) as workers:
        return {"error": np.stack(workers.map(partial(score, learner), meet(part, seed, Stream.TEST, part.n_test)))}


def adapted_error(learner: Learner, part: Part, size: int, seed: int, threads: int) -> dict[str, object]:
    """Of a learner that is adapted to `size` tasks of each of D test domains in the way that is best on validation domains.

    Returns:
        "error" (D, N); and the facts "way", its "validation" score, and how many adaptations "diverged".
    """
    limit = part.limits[part.sizes.index(size)]
    with Workers(threads) as workers:
        explore = partial(_explore, part, learner, size, limit)
        tried = workers.map(explore, meet(part, seed, Stream.VALIDATION, part.n_validation))
        scores = {way: np.stack([found[way] for found in tried]) for way in tried[0]}
        way = best_way(scores, scores[NOT_AT_ALL])
        tested = workers.map(partial(_test, learner, size, way), meet(part, seed, Stream.TEST, part.n_test))
    errors, diverged = zip(*tested, strict=True)
    facts = {"way": way._asdict(), "validation": float(scores[way].mean()), "diverged": sum(diverged)}
    return {"error": np.stack(errors), "facts": facts}


def _explore(part: Part, learner: Learner, size: int, limit: int, met: Met) -> dict[Way, np.ndarray]:
    """The score of every way on a validation domain, that of not adapting first."""
    found = {NOT_AT_ALL: score(learner, met)}
    rates = {"adamw": part.adamw_rates, "sgd": part.sgd_rates}
    for (optimizer, rate), at in ways_to_try(learner, rates, limit).items():
        for step, value in scores_along(learner, met, size, optimizer, rate, at).items():
            found[Way(optimizer, rate, step)] = value
    return found


def _test(learner: Learner, size: int, way: Way, met: Met) -> tuple[np.ndarray, bool]:
    """The score on a test domain, and whether adapting diverged, which counts as not adapted."""
    if way.steps:
        value = scores_along(learner, met, size, way.optimizer, way.rate, [way.steps])[way.steps]
        if np.isfinite(value).all():
            return value, False
    return score(learner, met), bool(way.steps)


def gate_error(learner: Learner, part: Part, seed: int, threads: int) -> dict[str, np.ndarray]:
    """Of M2 after its own inner steps on its training number of tasks: "gate" (validation domains, N)."""
    steps = part.inner_steps
    with Workers(threads) as workers:
        found = workers.map(
            lambda met: scores_along(learner, met, part.n_tasks, OWN, 0.0, [steps])[steps],
            meet(part, seed, Stream.VALIDATION, part.n_validation),
        )
    return {"gate": np.stack(found)}


def reference_error(predictor: str, part: Part, size: int, seed: int, threads: int) -> dict[str, np.ndarray]:
    """Of a Bayes predictor, given `size` tasks of the domain or none, or of chance: "error" (D, N)."""
    with Workers(threads) as workers:
        found = workers.map(partial(_reference, predictor, part, size), meet(part, seed, Stream.TEST, part.n_test))
    return {"error": np.stack(found)}


def _reference(predictor: str, part: Part, size: int, met: Met) -> np.ndarray:
    if predictor == CHANCE and met.truth is not None:
        return np.asarray(met.truth.double().square().mean(0).numpy())
    if predictor == CHANCE:
        return np.full(met.probe.n_points, 1 - 1 / (met.probe.n_classes or 1))
    if met.truth is None:
        return score(BayesOptimal(met.family if predictor == KNOWN else part.domains.pooled()), met)
    assert isinstance(part.domains, GaussianWeights)
    if predictor == GIVEN:
        tasks = met.adaptation.tasks(torch.arange(size))
        return score(DomainBayes(part.domains, tasks.x, tasks.y), met)
    return score(DomainBayes(met.family if predictor == KNOWN else part.domains), met)


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
