"""The labels' frequencies, whatever the query."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_int
from ctxlearn.learners.base import Learner, one_hot


class Majority(Learner):
    """The context's label frequencies, whatever the query: logits log((count + prior) / (n + C prior)).

    Args:
        n_features: an int d or the shape of one input; None takes any.
        n_classes: C >= 2.
        prior: points added to each class, > 0.
    """

    n_classes: int

    def __init__(self, n_features: int | tuple[int, ...] | None = None, n_classes: int = 2, prior: float = 1.0) -> None:
        check_int("n_classes", n_classes, minimum=2)
        super().__init__(n_features, n_classes)
        self.prior = check_float("prior", prior, above=0)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> tuple[Tensor, int]:
        """Logits (B, C) float64, and the numbers in one input."""
        context_x, context_y = self.check_context(context_x, context_y)
        counts = one_hot(context_y, self.n_classes, torch.float64).sum(1) + self.prior
        return (counts / counts.sum(-1, keepdim=True)).log(), math.prod(context_x.shape[2:])

    def predict(self, state: tuple[Tensor, int], query_x: Tensor) -> Tensor:
        logits, n_values = state
        query_x = self.check_query(query_x, n_tasks=len(logits), n_values=n_values)
        return logits[:, None].expand(-1, query_x.shape[1], -1).to(query_x.dtype)
