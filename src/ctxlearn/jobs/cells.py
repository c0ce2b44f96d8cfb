"""Cells: learners meet on the same test tasks, one measurement each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ctxlearn.checks import check_int
from ctxlearn.configurable import digest
from ctxlearn.episodes import Tasks
from ctxlearn.evaluation.curves import answer_prefixes, score_output
from ctxlearn.jobs.calls import Call, call, describe_argument
from ctxlearn.jobs.measurement import Key, Measurement
from ctxlearn.jobs.trainings import Training
from ctxlearn.learners.base import Learner
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.base import TaskFamily

Contestant = Training | Learner | Path | Call
Contestants = Mapping[Any, Any]
"""Contestants by name, or by a tuple of names; loosely typed, since dictionaries of one kind of them are meant too."""
Measure = Callable[[Tensor, Tasks], Tensor]
"""From `predict_prefixes` of the tasks, (B, N, C) or (B, N), to numbers per task: (B, ...)."""


def score(answers: Tensor, tasks: Tasks) -> Tensor:
    """Accuracy of each point (equal top logits share it), or its squared error: (B, N)."""
    return score_output(answers, tasks.y, tasks.n_classes).double()


def decision(answers: Tensor, tasks: Tasks) -> Tensor:
    """The class that is answered for each point, (B, N)."""
    return answers.argmax(-1).to(torch.int16)


def answer(answers: Tensor, tasks: Tasks) -> Tensor:
    """What is answered, as it is."""
    return answers


@dataclass(frozen=True)
class Cell:
    """Learners that predict each point of the same test tasks from the points before it.

    Attributes:
        key: of the cell; the name of a contestant is put before it.
        family: where the test tasks come from.
        contestants: by name; a name may be a tuple of several axes.
        seed: of the test tasks, and the training seed they belong to.
        n_tasks: test tasks.
        n_points: N points per task.
        first: measure on the first ones of these tasks only; None means on all.
        measures: functions of the top level, from answers and tasks to numbers.
        draw: further numbers of the random stream, where cells of one seed should have other tasks.
    """

    key: Key
    family: TaskFamily
    contestants: Contestants
    seed: int
    n_tasks: int
    n_points: int
    first: int | None = None
    measures: Sequence[Measure] = (score,)
    draw: tuple[int, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "key", tuple(self.key))
        check_int("n_tasks", self.n_tasks, minimum=2)
        check_int("n_points", self.n_points, minimum=1)
        if self.first is not None:
            check_int("first", self.first, minimum=2, maximum=self.n_tasks)
        if not self.contestants:
            raise ValueError("contestants: expected at least one learner by name, got none")

    @property
    def pairing(self) -> str:
        """Names the test tasks."""
        return digest([describe_argument(self.family, "family"), self.n_tasks, self.n_points, self.seed, [*self.draw]])

    def measurements(self) -> Iterator[Measurement]:
        """One of each contestant, so that a changed learner is measured anew and its rivals are not."""
        for name, learner in self.contestants.items():
            asked = call(
                measure_prefixes,
                learner=learner,
                family=self.family,
                seed=self.seed,
                draw=list(self.draw),
                n_tasks=self.n_tasks,
                n_points=self.n_points,
                first=self.first,
                measures=list(self.measures),
            )
            key = (*((name,) if isinstance(name, str) else name), *self.key)
            yield Measurement(key, self.seed, asked, self.pairing)

    def only(self, first: int, contestants: Contestants) -> Cell:
        """The same tasks for other contestants, who are slow and see the first of them only."""
        return replace(self, first=min(first, self.n_tasks), contestants=contestants)


def measure_prefixes(
    learner: Learner,
    family: TaskFamily,
    seed: int,
    draw: Sequence[int],
    n_tasks: int,
    n_points: int,
    first: int | None,
    measures: Sequence[Measure],
    threads: int,
) -> dict[str, np.ndarray]:
    """The numbers of one contestant of a cell."""
    tasks = family.sample(n_tasks, n_points, generator=generator_for(seed, Stream.TEST, *draw))
    if first is not None:
        tasks = tasks.tasks(torch.arange(first))
    answers = answer_prefixes(learner, tasks, threads=threads)
    return {measure.__name__: np.asarray(measure(answers, tasks).numpy()) for measure in measures}


Planned = Cell | Measurement


def all_measurements(planned: Sequence[Planned]) -> list[Measurement]:
    """Every measurement of cells and of others.

    Raises:
        ValueError: two have the same key and seed but measure different things.
    """
    found: dict[tuple[Any, ...], Measurement] = {}
    for part in planned:
        for one in part.measurements():
            other = found.setdefault((one.key, one.seed), one)
            if other is not one and other.call.hash != one.call.hash:
                raise ValueError(f"plan: two measurements have the key {one.key} and seed {one.seed}; tell them apart")
    return list(found.values())
