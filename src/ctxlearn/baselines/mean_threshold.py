"""A threshold at the mean of the inputs, whatever the labels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctxlearn.learners.base import Learner


class MeanThreshold(Learner):
    """Class 0 above the expected threshold of `Amortization`, class 1 below; labels are not looked at.

    With u = 1.x / sqrt(d), the threshold after n points, given the query's x too, is t = (sum_i u_i + u_q) / (n + 2), and
    the logits are (u_q - t) / 2 and (t - u_q) / 2. It is what a conditional neural process can make of a task of
    `Amortization` from the mean of the points and nothing else.

    Args:
        n_features: an int d or the shape of one input; None takes any.
    """

    n_classes: int

    def __init__(self, n_features: int | tuple[int, ...] | None = None) -> None:
        super().__init__(n_features, 2)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> tuple[Tensor, int, int]:
        """The sum of u (B,) float64, the number of points, and the numbers in one input."""
        context_x, _ = self.check_context(context_x, context_y)
        return _along_ones(context_x).sum(1), context_x.shape[1], math.prod(context_x.shape[2:])

    def predict(self, state: tuple[Tensor, int, int], query_x: Tensor) -> Tensor:
        total, n, n_values = state
        u = _along_ones(self.check_query(query_x, n_tasks=len(total), n_values=n_values))
        half = (u - (total[:, None] + u) / (n + 2)) / 2
        return torch.stack([half, -half], dim=-1).to(query_x.dtype)


def _along_ones(x: Tensor) -> Tensor:
    """1.x / sqrt(d) of inputs (B, n, *shape), (B, n) float64."""
    points = x.flatten(2).double()
    u: Tensor = points.sum(-1) / points.shape[-1] ** 0.5
    return u
