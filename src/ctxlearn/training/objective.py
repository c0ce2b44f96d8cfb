"""What a training minimises: from tasks to a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_int, describe
from ctxlearn.configurable import Configurable, configurable_repr
from ctxlearn.episodes import Tasks
from ctxlearn.learners.base import Learner


class Objective(Configurable, ABC):
    """Turns a batch into a loss. The generator is seeded by (run seed, step): all shards of a step share it."""

    def __repr__(self) -> str:
        return configurable_repr(self)

    @abstractmethod
    def __call__(self, learner: Learner, batch: Any, generator: torch.Generator) -> Tensor:
        """The loss, a scalar."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""


class Prediction(Objective, ABC):
    """Compares answers with labels: a subclass says which points are asked about, after which contexts."""

    @abstractmethod
    def answers(self, learner: Learner, batch: Tasks, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Outputs (B, q, C) or (B, q), of the classes that the tasks have, and the labels (B, q)."""

    def __call__(self, learner: Learner, batch: Tasks, generator: torch.Generator) -> Tensor:
        return learner.loss(*self.answers(learner, batch, generator))


class RandomSplit(Prediction):
    """One context length a step, drawn uniformly; every other point is a query.

    Args:
        min_context: shortest context, >= 0; the longest leaves one query.
    """

    def __init__(self, min_context: int = 0) -> None:
        self.min_context = check_int("min_context", min_context, minimum=0)

    def answers(self, learner: Learner, batch: Tasks, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if self.min_context >= batch.n_points:
            raise ValueError(
                f"min_context: expected less than the {batch.n_points} points of a task, got {self.min_context}"
            )
        device = generator.device
        n_context = int(torch.randint(self.min_context, batch.n_points, (), generator=generator, device=device))
        return answers_after(n_context, learner, batch)


class RandomShots(Prediction):
    """N-way tasks cut after K points a class, K one number a step, drawn uniformly from 1 up; every other point is a query.

    The tasks' points must come in rounds of one a class, as `Labelled` and image families deal them: N points of
    C classes allow K up to N / C - 1. Unlike `RandomSplit` no step has a class without points, and few shots are as
    frequent as many.

    Raises:
        ValueError: tasks of regression, or of fewer than two rounds of points.

    Source: episodic training, Vinyals et al. 2016, with the number of shots drawn.
    """

    def answers(self, learner: Learner, batch: Tasks, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if batch.n_classes is None:
            raise ValueError("batch: expected tasks of classes, which RandomShots counts by, got tasks of regression")
        rounds = batch.n_points // batch.n_classes
        if rounds < 2:
            raise ValueError(
                f"n_points: expected at least {2 * batch.n_classes} points of a {batch.n_classes}-way task, one a class"
                f" for the context and one for queries, got {batch.n_points}"
            )
        shots = int(torch.randint(1, rounds, (), generator=generator, device=generator.device))
        return answers_after(shots * batch.n_classes, learner, batch)


class AllPrefixes(Prediction):
    """Every point is predicted from those before it: the mean loss over all context lengths 0..N-1.

    The loss is that of `predict_prefixes`; quantiles (`predict_for_loss`) are trained by `RandomSplit` alone.
    """

    def answers(self, learner: Learner, batch: Tasks, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        return of_task_classes(learner.predict_prefixes(batch.x, batch.y), batch.n_classes), batch.y


class HardestTasks(Objective):
    """The mean loss over those tasks of each batch that the learner is worst at: mining, one level up.

    Args:
        objective: which points of a task are asked about.
        share: of the tasks that count, in (0, 1]; at least one does.

    Raises:
        ValueError: another kind of objective, or a share out of range.
    """

    def __init__(self, objective: Prediction, share: float = 0.5) -> None:
        if not isinstance(objective, Prediction):
            raise ValueError(
                f"objective: expected RandomSplit, AllPrefixes or another Prediction, got {describe(objective)}"
            )
        self.objective = objective
        self.share = check_float("share", share, above=0, maximum=1)

    def __call__(self, learner: Learner, batch: Tasks, generator: torch.Generator) -> Tensor:
        output, y = self.objective.answers(learner, batch, generator)
        with torch.no_grad():
            losses = torch.stack([learner.loss(output[b : b + 1], y[b : b + 1]) for b in range(len(y))])
            hardest = losses.argsort(descending=True, stable=True)[: max(1, round(self.share * len(y)))]
        return learner.loss(output[hardest], y[hardest])


def answers_after(n_context: int, learner: Learner, batch: Tasks) -> tuple[Tensor, Tensor]:
    """Outputs and labels of every point after the first `n_context`, which are the context."""
    episode = batch.split(n_context)
    output = learner.predict_for_loss(learner.adapt(episode.context_x, episode.context_y), episode.query_x)
    return of_task_classes(output, batch.n_classes), episode.query_y


def of_task_classes(output: Tensor, n_classes: int | None) -> Tensor:
    """Logits of the classes that the tasks have; a learner may have outputs for more."""
    return output if n_classes is None else output[..., :n_classes]
