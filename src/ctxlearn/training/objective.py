"""What a training minimises: from tasks to a loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from ctxlearn.checks import check_int
from ctxlearn.episodes import Tasks
from ctxlearn.learners.base import Learner
from ctxlearn.recorded import Recorded


class Objective(Recorded, ABC):
    """Turns a batch into a loss. The generator is seeded by (run seed, step): all shards of a step share it."""

    @abstractmethod
    def __call__(self, learner: Learner, batch: Any, generator: torch.Generator) -> Tensor:
        """The loss, a scalar."""

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""


class RandomSplit(Objective):
    """One context length a step, drawn uniformly; every other point is a query.

    Args:
        min_context: shortest context, >= 0; the longest leaves one query.
    """

    def __init__(self, min_context: int = 0) -> None:
        self.min_context = check_int("min_context", min_context, minimum=0)

    def __call__(self, learner: Learner, batch: Tasks, generator: torch.Generator) -> Tensor:
        if self.min_context >= batch.n_points:
            raise ValueError(
                f"min_context: expected less than the {batch.n_points} points of a task, got {self.min_context}"
            )
        device = generator.device
        n_context = int(torch.randint(self.min_context, batch.n_points, (), generator=generator, device=device))
        episode = batch.split(n_context)
        output = learner(episode.context_x, episode.context_y, episode.query_x)
        return learner.loss(of_task_classes(output, batch.n_classes), episode.query_y)


class AllPrefixes(Objective):
    """Every point is predicted from those before it: the mean loss over all context lengths 0..N-1."""

    def __call__(self, learner: Learner, batch: Tasks, generator: torch.Generator) -> Tensor:
        output = learner.predict_prefixes(batch.x, batch.y)
        return learner.loss(of_task_classes(output, batch.n_classes), batch.y)


def of_task_classes(output: Tensor, n_classes: int | None) -> Tensor:
    """Logits of the classes that the tasks have; a learner may have outputs for more."""
    return output if n_classes is None else output[..., :n_classes]
