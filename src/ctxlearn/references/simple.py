"""Rules of one line: kernel regression, a threshold at the mean, the labels' majority."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_int
from ctxlearn.learners.base import Learner, one_hot
from ctxlearn.learners.metric import EPS
from ctxlearn.references.classical import Context


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
