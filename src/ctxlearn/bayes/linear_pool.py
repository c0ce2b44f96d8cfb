"""The Bayes predictor over a finite pool of linear tasks: what a learner does that has memorised them."""

from __future__ import annotations

import math
from typing import NamedTuple

from torch import Tensor

from ctxlearn.checks import check_float, describe
from ctxlearn.learners.base import Learner
from ctxlearn.learners.metric import exclusive_cumsum


class PoolWeights(NamedTuple):
    """Attributes:
    log_weights: unnormalised log-posterior of the pool's P tasks, (B, P) float64.
    """

    log_weights: Tensor


class LinearPool(Learner):
    """Posterior mean of y = w.x + e when w is one of P known vectors, equally likely beforehand.

    Computed in float64. Raventos et al. 2023 call it dMMSE; the Bayes predictor over the prior is `LinearGaussian`.

    Args:
        weights: the pool, (P, d).
        noise: standard deviation of e, > 0.

    Source: Raventos et al. 2023, eq. 2.
    """

    def __init__(self, weights: Tensor, noise: float) -> None:
        if not isinstance(weights, Tensor) or weights.ndim != 2 or not weights.numel():
            raise ValueError(f"weights: expected a non-empty tensor (P, d), got {describe(weights)}")
        super().__init__(int(weights.shape[1]), None)
        self.noise = check_float("noise", noise, above=0)
        self.register_buffer("weights", weights.double(), persistent=False)
        self.weights: Tensor

    def adapt(self, context_x: Tensor, context_y: Tensor) -> PoolWeights:
        context_x, context_y = self.check_context(context_x, context_y)
        return PoolWeights(self._log_likelihood(context_x, context_y).sum(1))

    def predict(self, state: PoolWeights, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=state.log_weights.shape[0])
        mean = state.log_weights.softmax(-1) @ self.weights
        return (query_x.double() @ mean[..., None])[..., 0].to(query_x.dtype)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = self.check_context(x, y, names=("x", "y"))
        mean = exclusive_cumsum(self._log_likelihood(x, y)).softmax(-1) @ self.weights
        return (mean * x.double()).sum(-1).to(x.dtype)

    def _log_likelihood(self, x: Tensor, y: Tensor) -> Tensor:
        """Log p(y_i | x_i, w_p), (B, n, P)."""
        misfit = (y.double()[..., None] - x.double() @ self.weights.T) / self.noise
        return -0.5 * misfit.square() - math.log(self.noise) - 0.5 * math.log(2 * math.pi)
