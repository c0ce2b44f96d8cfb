"""Contexts of many lengths in one training, at about equal cost per step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctxlearn.checks import check_int
from ctxlearn.episodes import Tasks
from ctxlearn.learners.base import Learner
from ctxlearn.tasks.base import TaskFamily
from ctxlearn.training.objective import Prediction, answers_after
from ctxlearn.training.sources import Source


class VariedLengths(Source):
    """Fresh tasks of a family, with one context length per shard and step, drawn log-uniformly; `LastPoints` trains on it.

    The number of tasks falls as the length grows, so that a shard always has about `n_points` points: many short contexts, few long ones.

    Args:
        family: the training distribution.
        n_points: points per shard, over all its tasks.
        shortest: fewest points of a context, >= 1.
        longest: most points of a context.
        n_queries: points of each task after the context.
        most_tasks: most tasks per shard.
    """

    def __init__(
        self,
        family: TaskFamily,
        n_points: int = 3200,
        shortest: int = 4,
        longest: int = 512,
        n_queries: int = 32,
        most_tasks: int = 64,
    ) -> None:
        self.family = family
        self.n_points = check_int("n_points", n_points, minimum=1)
        self.shortest = check_int("shortest", shortest, minimum=1)
        self.longest = check_int("longest", longest, minimum=shortest)
        self.n_queries = check_int("n_queries", n_queries, minimum=1)
        self.most_tasks = check_int("most_tasks", most_tasks, minimum=1)

    def batch(self, step: int, shard: int, generator: torch.Generator) -> Tasks:
        place = float(torch.rand((), generator=generator, device=generator.device))
        n_context = int(self.shortest * math.exp(place * math.log((self.longest + 1) / self.shortest)))
        n = n_context + self.n_queries
        n_tasks = min(self.most_tasks, max(1, self.n_points // n))
        return self.family.sample(n_tasks, n, generator=generator)


class LastPoints(Prediction):
    """The last points of each task are the queries, all others the context.

    Args:
        n_queries: how many.
    """

    def __init__(self, n_queries: int = 32) -> None:
        self.n_queries = check_int("n_queries", n_queries, minimum=1)

    def answers(self, learner: Learner, batch: Tasks, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if self.n_queries >= batch.n_points:
            raise ValueError(
                f"n_queries: expected less than the {batch.n_points} points of a task, got {self.n_queries}"
            )
        return answers_after(batch.n_points - self.n_queries, learner, batch)
