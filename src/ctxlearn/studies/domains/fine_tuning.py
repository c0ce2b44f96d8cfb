"""How the arms are fine-tuned on a domain: ways that are tried on validation domains, and the best of them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import answer_prefixes, score_output
from ctxlearn.learners import Learner
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.studies.domains.settings import Part
from ctxlearn.tasks.domains import Domain
from ctxlearn.training import Adaptable
from ctxlearn.training.adaptation import descend, take_inner_steps

OWN = "inner steps"


class Way(NamedTuple):
    """A way to adapt: its optimiser ("adamw", "sgd", or M2's own inner steps), learning rate, and steps taken."""

    optimizer: str
    rate: float
    steps: int

    def words(self) -> str:
        """For tables."""
        if self.steps == 0:
            return "not at all"
        if self.optimizer == OWN:
            return f"its own {self.steps} inner steps"
        return f"{self.optimizer}, rate {self.rate:g}, {self.steps} steps"


NOT_AT_ALL = Way(OWN, 0.0, 0)


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


def ways_of(part: Part, learner: Learner, limit: int) -> dict[tuple[str, float], list[int]]:
    """(optimiser, rate) of the ways to try, and after how many steps each is measured; never before the first."""
    at = [limit >> k for k in range(6) if limit >> k]
    ways = {("adamw", rate): at for rate in part.adamw_rates} | {("sgd", rate): at for rate in part.sgd_rates}
    return {(OWN, 0.0): [part.inner_steps], **ways} if isinstance(learner, Adaptable) else ways


def follow(
    learner: Learner, met: Met, size: int, optimizer: str, rate: float, at: Sequence[int]
) -> dict[int, np.ndarray]:
    """The score (N,) after each number of steps in `at`, adapting to the first `size` tasks of the domain."""
    tasks = met.adaptation.tasks(torch.arange(size))
    found = {step: np.full(met.probe.n_points, np.inf) for step in at}
    tuned = copy.deepcopy(learner)
    if optimizer == OWN:
        assert isinstance(tuned, Adaptable)
        take_inner_steps(tuned, tasks)
        return {step: score(tuned, met) for step in at}
    for step, finite in descend(tuned, tasks, optimizer=optimizer, learning_rate=rate, steps=max(at)):
        if not finite:
            break
        if step in found:
            found[step] = score(tuned, met)
    return found


def best_way(scores: Mapping[Way, np.ndarray], unadapted: np.ndarray) -> Way:
    """The way of least mean score over validation domains; not to adapt is one of them.

    Args:
        scores: of each way on each domain, (D, N).
        unadapted: of no adaptation, (D, N).
    """
    everything = {NOT_AT_ALL: unadapted, **scores}
    return min(everything, key=lambda way: float(everything[way].mean()))
