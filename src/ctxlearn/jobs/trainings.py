"""A training that a study needs, found again by the hash of its run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from ctxlearn.configurable import configurable_classes, configuration
from ctxlearn.learners.base import Learner
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.training import Objective, RandomSplit, TrainingConfig, run_settings
from ctxlearn.training.run_folder import run_hash
from ctxlearn.training.sources import Source


@dataclass(frozen=True)
class Training:
    """One training. Among the arguments of a measurement it stands for the trained learner.

    Attributes:
        name: for messages and progress.
        learner: freshly made, with its seed.
        source: what it is trained on.
        config: how.
        objective: from tasks to a loss.
        threads: shards computed side by side; the training then takes that many of the study's jobs.
        cost: relative work per step, by which the longest training starts first; None means parameters times tasks.
    """

    name: str
    learner: Learner
    source: TaskFamily | Source
    config: TrainingConfig
    objective: Objective = RandomSplit()  # noqa: RUF009 (has no state)
    threads: int = 1
    cost: float | None = None

    @cached_property
    def hash(self) -> str:
        """The run's hash: what its result depends on."""
        return run_hash(run_settings(self.learner, self.source, self.config, self.objective))

    @cached_property
    def reads_files(self) -> bool:
        """Whether the learner opens files that its arguments name, as a language model does."""
        return any(getattr(cls, "reads_files", False) for cls in configurable_classes(self.learner))

    @property
    def work(self) -> float:
        """Relative work in all."""
        per_step = sum(p.numel() for p in self.learner.parameters()) * self.config.tasks_per_step
        return float(self.config.steps * (per_step if self.cost is None else self.cost))

    def described(self) -> dict[str, Any]:
        """As JSON-able data that builds it again."""
        return {
            "learner": configuration(self.learner),
            "source": configuration(self.source),
            "objective": configuration(self.objective),
            "config": configuration(self.config),
        }
