"""Where a training's batches come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from ctxlearn.checks import check_int
from ctxlearn.configurable import Configurable, configurable_repr
from ctxlearn.tasks.base import TaskFamily


class Source(Configurable, ABC):
    """What the training loop draws from. A curriculum is one; so is a source of domains.

    A source with state (where a curriculum stands) gives it in `state_dict` as tensors, numbers and strings, and takes
    it back in `load_state_dict`; it is kept in every checkpoint.
    """

    def __repr__(self) -> str:
        return configurable_repr(self)

    @abstractmethod
    def batch(self, step: int, shard: int, generator: torch.Generator) -> Any:
        """The batch of one shard of one step, drawn from `generator` alone: any shard can be drawn again."""

    def validation_batch(self, index: int, generator: torch.Generator) -> Any:
        """The `index`-th validation batch; by default drawn as a training batch of step 0 is."""
        return self.batch(0, index, generator)

    def numbers(self, shards: int) -> dict[str, int]:
        """What it has in place of a configuration's `tasks_per_step` and `n_points`, which are for families: by their names."""
        return {}

    def observe(self, step: int, loss: Tensor) -> None:
        """Be told the loss of a step that was just taken, a scalar: its mean over the shards of all processes.

        Called once a step, in every process alike, between the steps' batches. Reading a loss back stalls an accelerator, so a
        source that does not need it leaves it be.
        """

    def facts(self, step: int) -> dict[str, float]:
        """What to log of a step: names of further columns of metrics.csv, the same at every step, and their values."""
        return {}

    def state_dict(self) -> dict[str, Any]:
        """What a checkpoint must keep."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take back what `state_dict` gave."""


class FamilySource(Source):
    """Fresh tasks of one family at every step.

    Args:
        family: the training distribution.
        n_tasks: tasks a shard.
        n_points: N points a task.
    """

    def __init__(self, family: TaskFamily, n_tasks: int, n_points: int) -> None:
        self.family = family
        self.n_tasks = check_int("n_tasks", n_tasks, minimum=1)
        self.n_points = check_int("n_points", n_points, minimum=1)

    def batch(self, step: int, shard: int, generator: torch.Generator) -> Any:
        return self.family.sample(self.n_tasks, self.n_points, generator=generator)

    def numbers(self, shards: int) -> dict[str, int]:
        return {"tasks_per_step": self.n_tasks * shards, "n_points": self.n_points}
