"""The vote of the nearest context points."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctxlearn.checks import check_int
from ctxlearn.learners.base import Context, Learner, one_hot
from ctxlearn.learners.metric import EPS


class NearestNeighbor(Learner):
    """Vote of the k nearest context points by Euclidean distance; of equally near ones the earlier counts.

    Logits are log(share of votes + 2^-20); all equal for an empty context. With fewer than k points all of them vote.
    For regression the output is the mean label of the neighbours, 0 for an empty context.

    Args:
        n_features: an int d or the shape of one input; None takes any.
        n_classes: C >= 2, or None for regression.
        k: neighbours, >= 1.
    """

    def __init__(self, n_features: int | tuple[int, ...] | None = None, n_classes: int | None = 2, k: int = 1) -> None:
        super().__init__(n_features, n_classes)
        self.k = check_int("k", k, minimum=1)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Context:
        return Context(*self.check_context(context_x, context_y))

    def predict(self, state: Context, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=len(state.x), n_values=math.prod(state.x.shape[2:]))
        return self._vote(_distances(query_x.to(state.x.dtype), state.x), state.y)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = self.check_context(x, y, names=("x", "y"))
        distances = _distances(x, x)
        before = torch.ones(distances.shape[-2:], dtype=torch.bool, device=x.device).tril(-1)
        return self._vote(distances.masked_fill(~before, torch.inf), y)

    def _vote(self, distances: Tensor, y: Tensor) -> Tensor:
        """Votes over points at finite distance (B, q, n)."""
        order = distances.sort(dim=-1, stable=True)
        nearest, there = order.indices[..., : self.k], order.values[..., : self.k].isfinite()
        labels = y[:, None, :].expand(-1, distances.shape[1], -1).gather(-1, nearest)
        votes = there.sum(-1).clamp(min=1)
        if self.n_classes is None:
            return (labels * there).sum(-1) / votes
        counts = (one_hot(labels, self.n_classes, distances.dtype) * there[..., None]).sum(-2)
        return (counts / votes[..., None] + EPS).log()


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances (B, q, n), by differences: the matrix-product form would reorder near ties."""
    return torch.cdist(a.flatten(2), b.flatten(2), compute_mode="donot_use_mm_for_euclid_dist")
