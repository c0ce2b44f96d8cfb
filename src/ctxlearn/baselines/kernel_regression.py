"""The mean of the labels, weighted by a Gaussian kernel."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctxlearn.checks import check_float
from ctxlearn.learners.base import Context, Learner, one_hot
from ctxlearn.learners.metric import EPS


class KernelRegression(Learner):
    """Mean of the labels, weighted by exp(-|q - x_i|^2 / (2 bandwidth^2)).

    Logits are log(share of a class + 1e-6), as those of `MatchNet`; for regression the output is the mean itself. An
    empty context gives equal logits, or 0. Far from all points the nearest decides. Distances are taken in float64.

    Args:
        bandwidth: > 0, in units of x.
        n_features: an int d or the shape of one input; None takes any.
        n_classes: C >= 2, or None for regression.

    Source: Nadaraya 1964; Watson 1964.
    """

    def __init__(
        self,
        bandwidth: float = 1.0,
        *,
        n_features: int | tuple[int, ...] | None = None,
        n_classes: int | None = 2,
    ) -> None:
        super().__init__(n_features, n_classes)
        self.bandwidth = check_float("bandwidth", bandwidth, above=0)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Context:
        return Context(*self.check_context(context_x, context_y))

    def predict(self, state: Context, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=len(state.x), n_values=math.prod(state.x.shape[2:]))
        a, b = query_x.flatten(2).double(), state.x.flatten(2).double()
        distances = torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist") / self.bandwidth
        weights = (-0.5 * distances.square()).softmax(-1)
        if self.n_classes is None:
            return (weights @ state.y[..., None].double())[..., 0].to(query_x.dtype)
        return (weights @ one_hot(state.y, self.n_classes, torch.float64) + EPS).log().to(query_x.dtype)
