"""How well a learner does on domains that no training saw: as it is, and fine-tuned in the way that validation domains like best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import answer_prefixes, score_output
from ctxlearn.inner_loop.fine_tuning_search import NOT_AT_ALL, Way, best_way, follow, ways_to_try
from ctxlearn.learners.base import Learner
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.domains import Domain, Domains
from ctxlearn.threads import Workers


class Met(NamedTuple):
    """A domain that is met.

    Attributes:
        family: it itself.
        adaptation: tasks to adapt to; who adapts to fewer has the first of them.
        probe: tasks on which a learner is measured.
        truth: the labels of the probe without noise, (B, N) for linear regression; None for classification.
    """

    family: Domain
    adaptation: Tasks
    probe: Tasks
    truth: torch.Tensor | None


def meet(
    domains: Domains, n: int, *, n_points: int, n_adaptation: int, n_probe: int, seed: int, stream: Stream
) -> list[Met]:
    """Draw `n` domains of linear tasks, with tasks of N points each; those of one stream are other ones than those of another."""
    met = []
    for i in range(n):
        generator = generator_for(seed, stream, 2, i)
        family = domains.sample_domain(generator=generator)
        adaptation = family.sample(n_adaptation, n_points, generator=generator)
        parameters = family.sample_parameters(n_probe, generator=generator)
        x, y = family.sample_points(parameters, n_points, generator=generator)
        truth = (x @ parameters["weights"][..., None])[..., 0] if domains.n_classes is None else None
        met.append(Met(family, adaptation, Tasks(x, y, domains.n_classes), truth))
    return met


def error_on(learner: Learner, met: Met) -> np.ndarray:
    """Mean over the probe at each context length, (N,): excess squared error, or error rate; infinite where not finite."""
    output = answer_prefixes(learner, met.probe, threads=1)
    if not bool(output.isfinite().all()):
        return np.full(met.probe.n_points, np.inf)
    if met.truth is not None:
        return np.asarray((output - met.truth).double().square().mean(0).numpy())
    return np.asarray(1 - score_output(output, met.probe.y, met.probe.n_classes).double().mean(0).numpy())


def errors_along(
    learner: Learner, met: Met, size: int, optimizer: str, rate: float, at: Sequence[int]
) -> dict[int, np.ndarray]:
    """The error (N,) after each number of steps in `at`, adapting to the first `size` tasks of the domain."""
    found = {step: np.full(met.probe.n_points, np.inf) for step in at}
    for step, tuned in follow(learner, met.adaptation.tasks(torch.arange(size)), optimizer, rate, at):
        found[step] = error_on(tuned, met)
    return found


@dataclass(frozen=True)
class Adapted:
    """What a learner does on D new domains after it was fine-tuned to each.

    Attributes:
        errors: (D, N).
        way: how it was fine-tuned.
        validation: mean error of that way on the validation domains.
        diverged: domains on which fine-tuning was not finite; there the error is that of the learner as it was.
    """

    errors: np.ndarray
    way: Way
    validation: float
    diverged: int


def adapt_to_new_domains(
    learner: Learner,
    size: int,
    validation: Sequence[Met],
    test: Sequence[Met],
    *,
    rates: Mapping[str, Sequence[float]],
    limit: int,
    threads: int = 1,
) -> Adapted:
    """Choose a way to fine-tune on some domains, and take it on others.

    Args:
        learner: who is fine-tuned; it is not changed.
        size: tasks of a domain to adapt to.
        validation: domains on which the way is chosen.
        test: domains on which it is taken.
        rates: learning rates to try, by optimiser.
        limit: most steps.
        threads: domains side by side.
    """
    with Workers(threads) as workers:
        tried = workers.map(partial(_explore, learner, size, ways_to_try(learner, rates, limit)), validation)
        errors = {way: np.stack([found[way] for found in tried]) for way in tried[0]}
        way = best_way(errors, errors[NOT_AT_ALL])
        tested, diverged = zip(*workers.map(partial(_take, learner, size, way), test), strict=True)
    return Adapted(np.stack(tested), way, float(errors[way].mean()), sum(diverged))


def _explore(
    learner: Learner, size: int, ways: Mapping[tuple[str, float], list[int]], met: Met
) -> dict[Way, np.ndarray]:
    """The error of every way on a validation domain, that of not adapting first."""
    found = {NOT_AT_ALL: error_on(learner, met)}
    for (optimizer, rate), at in ways.items():
        for step, error in errors_along(learner, met, size, optimizer, rate, at).items():
            found[Way(optimizer, rate, step)] = error
    return found


def _take(learner: Learner, size: int, way: Way, met: Met) -> tuple[np.ndarray, bool]:
    """The error on a test domain, and whether adapting diverged, which counts as not adapted."""
    if way.steps:
        error = errors_along(learner, met, size, way.optimizer, way.rate, [way.steps])[way.steps]
        if np.isfinite(error).all():
            return error, False
    return error_on(learner, met), bool(way.steps)
