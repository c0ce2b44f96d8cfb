"""Ways to fine-tune a learner on a domain: an optimiser, its rate and a number of steps, and which of them is best.

`fine_tune` knows one domain and stops early on tasks of it that it holds out. Who has several domains to validate on
chooses a way on them once, and takes it on new domains as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ctxlearn.episodes import Tasks
from ctxlearn.inner_loop.fine_tuning import descend, take_inner_steps
from ctxlearn.inner_loop.meta_learning import Adaptable
from ctxlearn.learners.base import Learner

OWN = "inner steps"
HALVINGS = 6
"""A way is measured after its most steps, half as many, and so on: so many times."""


class Way(NamedTuple):
    """A way to fine-tune: its optimiser ("adamw", "sgd", or the learner's own inner steps), learning rate, and steps taken."""

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


def ways_to_try(
    learner: Learner, rates: Mapping[str, Sequence[float]], limit: int
) -> dict[tuple[str, float], list[int]]:
    """By optimiser and rate, the numbers of steps after which a way is measured.

    Args:
        learner: one that is `Adaptable` has its own inner steps as a way, too.
        rates: learning rates by optimiser, "adamw" and "sgd".
        limit: most steps.
    """
    at = [limit >> k for k in range(HALVINGS) if limit >> k]
    ways = {(optimizer, rate): at for optimizer, each in rates.items() for rate in each}
    return {(OWN, 0.0): [learner.adaptation.steps], **ways} if isinstance(learner, Adaptable) else ways


def follow(
    learner: Learner, tasks: Tasks, optimizer: str, rate: float, at: Sequence[int]
) -> Iterator[tuple[int, Learner]]:
    """Fine-tune a copy of a learner on tasks, and show it after each number of steps in `at`.

    Yields:
        (steps taken, the copy). It ends early where a loss or gradient is not finite.
    """
    tuned = copy.deepcopy(learner)
    if optimizer == OWN:
        assert isinstance(tuned, Adaptable)
        take_inner_steps(tuned, tasks)
        yield tuned.adaptation.steps, tuned
        return
    for step, finite in descend(tuned, tasks, optimizer=optimizer, learning_rate=rate, steps=max(at)):
        if not finite:
            return
        if step in at:
            yield step, tuned


def best_way(errors: Mapping[Way, np.ndarray], unadapted: np.ndarray) -> Way:
    """The way of least mean error over validation domains; not to adapt is one of them.

    Args:
        errors: of each way on each of D domains, (D, ...).
        unadapted: without adapting, (D, ...).
    """
    everything = {NOT_AT_ALL: unadapted, **errors}
    return min(everything, key=lambda way: float(everything[way].mean()))
