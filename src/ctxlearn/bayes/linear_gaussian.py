"""The Bayes-optimal predictor of linear regression with normal weights and normal noise."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_int
from ctxlearn.learners.base import Learner
from ctxlearn.learners.quantiles import quantile_levels


class Posterior(NamedTuple):
    """Attributes:
    mean: of the weights, (B, d) float64.
    covariance: of the weights, (B, d, d).
    log_evidence: log p(y | x) of the context, (B,).
    """

    mean: Tensor
    covariance: Tensor
    log_evidence: Tensor


class LinearGaussian(Learner):
    """Posterior mean of y = w.x + e for w ~ N(mean, covariance) and e ~ N(0, noise^2): no learner has a smaller error.

    Where the inputs' distribution does not depend on w, as in the regression families, the query's x says nothing of
    w, and the evidence is that of the labels given the inputs. Computed in float64, one point at a time, so that all
    prefixes come in one pass. The noise is at least 1e-5 of the labels' prior deviation, so that labels which no weights
    give have an answer: that of least squares.

    Args:
        mean: prior mean of the weights: a number, (d,), or (B, d) for one prior a task (what is known of a domain).
        covariance: prior covariance: a number (times the identity), (d, d), or (B, d, d).
        noise: standard deviation, >= 0.
        n_features: d; may be left out where `mean` or `covariance` says it.

    Raises:
        ValueError: shapes that do not fit together, or a covariance that is not symmetric and positive semi-definite.

    Source: w^ = mu + S X' (X S X' + s^2 I)^-1 (y - X mu), the textbook's posterior mean.
    """

    def __init__(
        self,
        mean: Any = 0.0,
        covariance: Any = 1.0,
        noise: float = 0.0,
        n_features: int | None = None,
    ) -> None:
        centre = torch.as_tensor(mean, dtype=torch.float64)
        spread = torch.as_tensor(covariance, dtype=torch.float64)
        sizes = {int(t.shape[-1]) for t in (centre, spread) if t.ndim}
        if n_features is not None:
            sizes.add(check_int("n_features", n_features, minimum=1))
        if len(sizes) != 1:
            raise ValueError(
                "n_features: expected one number of features in n_features, mean and covariance, got"
                f" {sorted(sizes) if sizes else 'none'}"
            )
        d = sizes.pop()
        if spread.ndim == 0:
            spread = spread * torch.eye(d, dtype=torch.float64)
        if centre.ndim > 2 or spread.ndim not in (2, 3) or tuple(spread.shape[-2:]) != (d, d):
            raise ValueError(
                "covariance: expected a number, (d, d) or (B, d, d), and a mean of shape (), (d,) or (B, d), got shapes"
                f" {tuple(spread.shape)} and {tuple(centre.shape)}"
            )
        if not bool(torch.isfinite(spread).all() and torch.isfinite(centre).all()):
            raise ValueError("mean, covariance: expected finite numbers")
        least = torch.linalg.eigvalsh(spread).amin()
        if not torch.allclose(spread, spread.mT) or float(least) < -1e-9 * float(spread.abs().max()):
            raise ValueError("covariance: expected a symmetric positive semi-definite matrix")
        super().__init__(d, None)
        self.noise = check_float("noise", noise, minimum=0)
        self.register_buffer("prior_mean", centre.expand(*centre.shape[:-1], d).clone(), persistent=False)
        self.register_buffer("prior_covariance", spread, persistent=False)
        self.prior_mean: Tensor
        self.prior_covariance: Tensor

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Posterior:
        context_x, context_y = self.check_context(context_x, context_y)
        posterior = self._prior(context_x)
        for i in range(context_x.shape[1]):
            posterior = self._absorb(posterior, context_x[:, i].double(), context_y[:, i].double())
        return posterior

    def predict(self, state: Posterior, query_x: Tensor) -> Tensor:
        return self.predict_normal(state, query_x)[0]

    def predict_distribution(self, state: Posterior, query_x: Tensor) -> Tensor:
        mean, variance = self.predict_normal(state, query_x)
        deviations: Tensor = torch.special.ndtri(quantile_levels()).to(mean)
        return mean[..., None] + variance.sqrt()[..., None] * deviations

    def predict_normal(self, state: Posterior, query_x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of y_q given the context, noise included, (B, q) each."""
        query_x = self.check_query(query_x, n_tasks=state.mean.shape[0])
        x = query_x.double()
        mean = (x @ state.mean[..., None])[..., 0]
        variance = ((x @ state.covariance) * x).sum(-1).clamp(min=0) + self.noise**2
        return mean.to(query_x.dtype), variance.to(query_x.dtype)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        return self.predict_normal_prefixes(x, y)[0]

    def predict_normal_prefixes(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """`predict_normal` of each point from the points before it, (B, N) each."""
        x, y = self.check_context(x, y, names=("x", "y"))
        posterior, rows = self._prior(x), []
        for i in range(x.shape[1]):
            rows.append(self.predict_normal(posterior, x[:, i : i + 1].double()))
            posterior = self._absorb(posterior, x[:, i].double(), y[:, i].double())
        mean, variance = (torch.cat(columns, dim=1).to(x.dtype) for columns in zip(*rows, strict=True))
        return mean, variance

    def log_evidence(self, context_x: Tensor, context_y: Tensor) -> Tensor:
        """Of a context: log p(y_1..n | x_1..n), (B,) float64."""
        return self.adapt(context_x, context_y).log_evidence

    def log_evidence_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        """Of every prefix: log p(y_1..i | x_1..i) for i = 0..N, (B, N + 1) float64."""
        x, y = self.check_context(x, y, names=("x", "y"))
        posterior = self._prior(x)
        rows = [posterior.log_evidence]
        for i in range(x.shape[1]):
            posterior = self._absorb(posterior, x[:, i].double(), y[:, i].double())
            rows.append(posterior.log_evidence)
        return torch.stack(rows, dim=1)

    def _prior(self, x: Tensor) -> Posterior:
        n_tasks, d = x.shape[0], x.shape[2]
        given = {t.shape[0] for t, one in ((self.prior_mean, 1), (self.prior_covariance, 2)) if t.ndim > one}
        if given - {1, n_tasks}:
            raise ValueError(f"context_x: expected the {max(given)} tasks that the prior was given for, got {n_tasks}")
        mean, covariance = self.prior_mean.to(x.device), self.prior_covariance.to(x.device)
        zero = torch.zeros(n_tasks, dtype=torch.float64, device=x.device)
        return Posterior(mean.expand(n_tasks, d), covariance.expand(n_tasks, d, d), zero)

    def _absorb(self, posterior: Posterior, x: Tensor, y: Tensor) -> Posterior:
        """The posterior after one more point of each task, x (B, d) and y (B,)."""
        mean, covariance, log_evidence = posterior
        reach = (covariance @ x[..., None])[..., 0]
        # the least noise: without any, labels that no weights give would have no posterior, and rounding would decide
        largest = self.prior_covariance.diagonal(dim1=-2, dim2=-1).amax()
        noise = (1e-10 * largest * x.square().sum(-1)).clamp(min=max(self.noise**2, 1e-290))
        variance = (reach * x).sum(-1).clamp(min=0) + noise
        error = y - (mean * x).sum(-1)
        gain = reach / variance[:, None]
        return Posterior(
            mean + gain * error[:, None],
            covariance - gain[..., None] * reach[:, None, :],
            log_evidence - 0.5 * (error.square() / variance + (2 * math.pi * variance).log()),
        )
