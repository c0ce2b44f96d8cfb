"""What the study measures: both arms with and without adaptation, and the Bayes predictors, on the same tasks of test domains."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np
import pandas as pd
import torch

from ctxlearn.evaluation.statistics import mean_interval
from ctxlearn.learners import Learner
from ctxlearn.progress import progress_bar
from ctxlearn.references import BayesOptimal, DomainBayes, EffectiveSampleSizeWarning
from ctxlearn.seeding import Stream
from ctxlearn.studies.base import Workload
from ctxlearn.studies.domains.adapting import NOT_AT_ALL, OWN, Met, Way, best_way, follow, meet, score, ways_of
from ctxlearn.studies.domains.settings import Part
from ctxlearn.tasks import GaussianWeights
from ctxlearn.threads import Workers, one_thread_per_operator

Out = TypeVar("Out")
M2, ICL = "M2", "ICL"
KNOWN, UNKNOWN, GIVEN = "Bayes, domain known", "Bayes, domain unknown", "Bayes, given those tasks"
CHANCE = "chance"


@dataclass(frozen=True)
class Measured:
    """What was measured on one kind of domains.

    Attributes:
        values: per predictor and adaptation tasks (0: not adapted) the score at each context length, (S, D, N): excess squared
            error for regression, error rate for classification.
        validation: the same on validation domains after M2's own inner steps on its training number of tasks, (S, D, N).
        ways: one row a seed, arm and size: the way to adapt that was chosen, and its validation score.
        diverged: adaptations on test domains that were not finite, and are measured unadapted in `values`.
    """

    values: dict[tuple[str, int], np.ndarray]
    validation: np.ndarray
    ways: pd.DataFrame
    diverged: int

    def mean(self, predictor: str, size: int = 0) -> np.ndarray:
        """(S, D): the mean over context lengths."""
        return np.asarray(self.values[predictor, size].mean(-1))

    def gain(self, size: int) -> np.ndarray:
        """(S, D): how much M2 is better than in-context learning, both adapted to `size` tasks."""
        return np.asarray(self.mean(ICL, size) - self.mean(M2, size))


def measure(part: Part, learners: Mapping[int, Mapping[str, Learner]], workload: Workload, name: str) -> Measured:
    """Measure the arms of every seed, each on test domains of its own.

    Args:
        part: the kind of domains.
        learners: by seed, then "M2" and "ICL".
        workload: threads and progress.
        name: for the progress bar.
    """
    values: dict[tuple[str, int], list[np.ndarray]] = {}
    gates, rows, diverged = [], [], 0
    with one_thread_per_operator(), Workers(workload.threads) as workers:
        for seed, arms in learners.items():
            bar = progress_bar(
                part.n_validation + part.n_test,
                f"{name}, seed {seed}",
                shown=workload.progress,
                unit="domain",
                leave=False,
            )
            with bar:
                validation = meet(part, seed, Stream.VALIDATION, part.n_validation)
                tried = workers.map(_ticking(partial(_explore, part, arms), bar), validation)
                chosen = {}
                for (arm, size), (way, value) in _choose(part, tried).items():
                    chosen[arm, size] = way
                    rows.append({"seed": seed, "arm": arm, "tasks": size, **way._asdict(), "validation": value})
                test = meet(part, seed, Stream.TEST, part.n_test)
                tested = workers.map(_ticking(partial(_test, part, arms, chosen), bar), test)
            gates.append(np.stack([found.own for found in tried]))
            diverged += sum(bad for _, bad in tested)
            for key in tested[0][0]:
                values.setdefault(key, []).append(np.stack([scores[key] for scores, _ in tested]))
    stacked = {key: np.stack(v) for key, v in values.items()}
    return Measured(stacked, np.stack(gates), pd.DataFrame(rows), diverged)


def _ticking(function: Callable[[Met], Out], bar: Any) -> Callable[[Met], Out]:
    """The function, with a tick of the progress bar after it."""

    def ticking(met: Met) -> Out:
        result = function(met)
        bar.update()
        return result

    return ticking


def _choose(part: Part, tried: list[_Explored]) -> dict[tuple[str, int], tuple[Way, float]]:
    """For each arm and size the best way over the validation domains, and its mean score there."""
    chosen = {}
    for arm in (M2, ICL):
        unadapted = np.stack([found.scores[arm, 0, NOT_AT_ALL] for found in tried])
        for size in part.sizes:
            ways = [way for a, s, way in tried[0].scores if (a, s) == (arm, size)]
            scores = {way: np.stack([found.scores[arm, size, way] for found in tried]) for way in ways}
            best = best_way(scores, unadapted)
            chosen[arm, size] = best, float((scores | {NOT_AT_ALL: unadapted})[best].mean())
    return chosen


@dataclass(frozen=True)
class _Explored:
    """One validation domain: the score of every arm, size and way, and that of M2's own inner steps."""

    scores: dict[tuple[str, int, Way], np.ndarray]
    own: np.ndarray


def _explore(part: Part, arms: Mapping[str, Learner], met: Met) -> _Explored:
    scores = {}
    for arm in (M2, ICL):
        scores[arm, 0, NOT_AT_ALL] = score(arms[arm], met)
        for size, limit in zip(part.sizes, part.limits, strict=True):
            for (optimizer, rate), at in ways_of(part, arms[arm], limit).items():
                for step, value in follow(arms[arm], met, size, optimizer, rate, at).items():
                    scores[arm, size, Way(optimizer, rate, step)] = value
    own = follow(arms[M2], met, part.n_tasks, OWN, 0.0, [part.inner_steps])[part.inner_steps]
    return _Explored(scores, own)


def _test(
    part: Part, arms: Mapping[str, Learner], chosen: Mapping[tuple[str, int], Way], met: Met
) -> tuple[dict[tuple[str, int], np.ndarray], int]:
    found, diverged = {}, 0
    for arm in (M2, ICL):
        found[arm, 0] = score(arms[arm], met)
        for size in part.sizes:
            way = chosen[arm, size]
            value = found[arm, 0]
            if way.steps:
                value = follow(arms[arm], met, size, way.optimizer, way.rate, [way.steps])[way.steps]
            if not np.isfinite(value).all():
                diverged, value = diverged + 1, found[arm, 0]
            found[arm, size] = value
    return found | _references(part, met), diverged


def _references(part: Part, met: Met) -> dict[tuple[str, int], np.ndarray]:
    """The Bayes predictors with the domain known and unknown, those given its tasks where they are exact, and chance."""
    if met.truth is None:
        n = met.probe.n_points
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EffectiveSampleSizeWarning)
            known, unknown = (score(BayesOptimal(f), met) for f in (met.family, part.domains.pooled()))
        return {(KNOWN, 0): known, (UNKNOWN, 0): unknown, (CHANCE, 0): np.full(n, 1 - 1 / (met.probe.n_classes or 1))}
    assert isinstance(part.domains, GaussianWeights)
    found = {
        (KNOWN, 0): score(DomainBayes(met.family), met),
        (UNKNOWN, 0): score(DomainBayes(part.domains), met),
        (CHANCE, 0): np.asarray(met.truth.double().square().mean(0).numpy()),
    }
    for size in part.sizes:
        tasks = met.adaptation.tasks(torch.arange(size))
        found[GIVEN, size] = score(DomainBayes(part.domains, tasks.x, tasks.y), met)
    return found


def results(measured: Mapping[str, Measured]) -> pd.DataFrame:
    """One row a kind of domains, predictor, adaptation tasks, context length and seed; -1 is the mean over lengths."""
    rows = []
    for part, found in measured.items():
        for (predictor, size), values in found.values.items():
            for seed, by_domain in enumerate(values):
                lengths = {-1: by_domain.mean(-1)} | {n: by_domain[:, n] for n in range(by_domain.shape[1])}
                for n, scores in lengths.items():
                    interval = mean_interval(scores, resamples=999)
                    rows.append(
                        {
                            "family": part,
                            "learner": predictor,
                            "adaptation_tasks": size,
                            "n_context": n,
                            "seed": seed,
                            **interval.as_columns(),
                        }
                    )
    return pd.DataFrame(rows)
