"""The best answer without looking at any input."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.checks import describe
from ctxlearn.learners.base import Learner, one_hot
from ctxlearn.learners.metric import EPS
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.base import TaskFamily


class Chance(Learner):
    """The best answer without looking at any input: the family's label frequencies, or its mean label.

    Estimated once from 4,096 tasks of 8 points of the family, drawn from a fixed seed of their own.

    Args:
        family: whose labels to expect.
    """

    def __init__(self, family: TaskFamily) -> None:
        if not isinstance(family, TaskFamily):
            raise ValueError(f"family: expected a TaskFamily, got {describe(family)}")
        super().__init__(family.n_features, family.n_classes)
        y = family.sample(4096, 8, generator=generator_for(0, Stream.REFERENCE)).y
        if family.n_classes is None:
            answer = y.mean()
        else:
            answer = ((one_hot(y, family.n_classes, torch.float32).mean((0, 1))) + EPS).log()
        self.register_buffer("answer", answer, persistent=False)
        self.answer: Tensor

    def adapt(self, context_x: Tensor, context_y: Tensor) -> int:
        """The number of tasks: nothing else is remembered."""
        context_x, _ = self.check_context(context_x, context_y)
        return context_x.shape[0]

    def predict(self, state: int, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=state)
        return self.answer.to(query_x).expand(*query_x.shape[:2], *self.answer.shape)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, _ = self.check_context(x, y, names=("x", "y"))
        return self.answer.to(x).expand(*x.shape[:2], *self.answer.shape)
