"""Least squares and ridge regression, in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.checks import check_float, solving
from ctxlearn.learners.base import Learner, one_hot


class Ridge(Learner):
    """Least squares, with a penalty on the weights: the minimum of sum_i |W x_i + b - t_i|^2 + penalty |W|^2.

    t_i is y_i for regression and the one-hot label for classification; with two classes the difference of the logits is
    the fit to labels -1 and 1. Where `penalty` is 0 and many weights fit equally well, the smallest are taken. The
    intercept is not penalised. An empty context gives zero. By singular values, in float64.

    Args:
        n_features: an int d or the shape of one input; None takes any.
        n_classes: C >= 2, or None for regression.
        penalty: >= 0, in squared units of x summed over the points (scikit-learn's alpha).
        intercept: fit b; otherwise b = 0.
    """

    def __init__(
        self,
        n_features: int | tuple[int, ...] | None = None,
        n_classes: int | None = 2,
        penalty: float = 0.0,
        intercept: bool = True,
    ) -> None:
        super().__init__(n_features, n_classes)
        self.penalty = check_float("penalty", penalty, minimum=0)
        self.intercept = bool(intercept)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> tuple[Tensor, Tensor]:
        """Weights (B, K, d) and intercepts (B, K), in float64."""
        context_x, context_y = self.check_context(context_x, context_y)
        points = context_x.flatten(2).double()
        classes = self.n_classes
        targets = context_y[..., None].double() if classes is None else one_hot(context_y, classes, torch.float64)
        if points.shape[1] == 0:
            return points.new_zeros(len(points), targets.shape[-1], points.shape[2]), targets.new_zeros(
                len(points), targets.shape[-1]
            )
        centre, mean = points.mean(1, keepdim=True), targets.mean(1, keepdim=True)
        if not self.intercept:
            centre, mean = torch.zeros_like(centre), torch.zeros_like(mean)
        with solving("context_x"):
            left, size, right = torch.linalg.svd(points - centre, full_matrices=False)
        least = 1e-12 * max(points.shape[1:]) * torch.maximum(size[:, :1], centre.abs().amax(-1))
        there = size > least  # directions that the points span; the others would divide rounding by rounding
        gain = torch.where(there, size / torch.where(there, size.square() + self.penalty, 1.0), 0.0)
        weights = ((targets - mean).mT @ left * gain[:, None]) @ right
        return weights, (mean - centre @ weights.mT)[:, 0]

    def predict(self, state: tuple[Tensor, Tensor], query_x: Tensor) -> Tensor:
        weights, intercepts = state
        query_x = self.check_query(query_x, n_tasks=len(weights), n_values=weights.shape[-1])
        outputs = (query_x.flatten(2).double() @ weights.mT + intercepts[:, None]).to(query_x.dtype)
        return outputs[..., 0] if self.n_classes is None else outputs
