"""The Bayes-optimal predictor in domains of linear regression: domain known, unknown, or met in earlier tasks."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.bayes.linear_gaussian import LinearGaussian
from ctxlearn.checks import describe, solving
from ctxlearn.tasks.domains import Domain, GaussianWeights


class DomainBayes(LinearGaussian):
    """Posterior mean of a task of `GaussianWeights`, given its context and what is known of its domain.

    With the domain known the prior of the weights is N(mu, s^2 I); with it unknown, N(0, (s^2 + scale^2) I). Tasks of
    the domain seen earlier make of mu's prior the posterior N(m, V), and the weights' is N(m, V + s^2 I). All of it is
    exact; computed in float64.

    Args:
        domains: the distribution over domains, or one `Domain` of it, which is then known.
        earlier_x: points of earlier tasks of the domain, (m, n, d); or (B, m, n, d), for B tasks each of a domain of its
            own. None for no such tasks.
        earlier_y: their labels, (m, n) or (B, m, n).

    Raises:
        ValueError: other domains, or earlier tasks of the wrong shape or of a domain that is known anyway.

    Source: the labels of an earlier task are N(X mu, s^2 X X' + noise^2 I), the textbook's linear model for mu.
    """

    def __init__(
        self, domains: GaussianWeights | Domain, earlier_x: Tensor | None = None, earlier_y: Tensor | None = None
    ) -> None:
        family = domains.domains if isinstance(domains, Domain) else domains
        if not isinstance(family, GaussianWeights):
            raise ValueError(f"domains: expected GaussianWeights or one of its domains, got {describe(domains)}")
        d = family.n_features
        mean = torch.zeros(d, dtype=torch.float64)
        covariance = family.mean_scale**2 * torch.eye(d, dtype=torch.float64)
        if isinstance(domains, Domain):
            if earlier_x is not None or earlier_y is not None:
                raise ValueError(
                    "earlier_x: expected None, since a known domain has no more to tell; or give its domains"
                )
            mean, covariance = domains.latents["mean"].double(), torch.zeros_like(covariance)
        elif earlier_x is not None or earlier_y is not None:
            mean, covariance = _posterior_of_mean(family, earlier_x, earlier_y)
        own = family.spread**2 * torch.eye(d, dtype=torch.float64)
        super().__init__(mean, covariance + own.to(covariance.device), family.noise)


def _posterior_of_mean(domains: GaussianWeights, x: Tensor | None, y: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean (..., d) and covariance (..., d, d) of mu given tasks x (..., m, n, d) and y (..., m, n)."""
    right = isinstance(x, Tensor) and isinstance(y, Tensor) and x.ndim in (3, 4) and x.shape[-1] == domains.n_features
    if x is None or y is None or not right or y.shape != x.shape[:-1]:
        raise ValueError(
            f"earlier_x: expected earlier_x of shape (tasks, points, {domains.n_features}), or with domains before, and"
            f" earlier_y of the same shape but the last axis, got {describe(x)} and {describe(y)}"
        )
    x, y = x.double(), y.double()
    if not bool(x.isfinite().all() and y.isfinite().all()):
        raise ValueError("earlier_x: expected finite numbers in earlier_x and earlier_y")
    identity = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    squares = domains.spread**2 * (x.mT @ x)
    # the least noise: without any, fewer points than features would leave a singular matrix
    largest = squares.diagonal(dim1=-2, dim2=-1).amax(-1) if x.shape[-2] else squares.new_zeros(squares.shape[:-2])
    noise = (1e-10 * largest).clamp(min=max(domains.noise**2, 1e-290))[..., None, None]
    # X' (s^2 X X' + noise^2 I)^-1 = (s^2 X' X + noise^2 I)^-1 X'
    with solving("earlier_x"):
        seen = torch.linalg.solve(squares + noise * identity, x.mT)
    information = (seen @ x).sum(-3)
    pull = (seen @ y[..., None]).sum(-3)
    scale = domains.mean_scale**2
    with solving("earlier_x"):
        covariance = scale * torch.linalg.inv(identity + scale * information)
    covariance = (covariance + covariance.mT) / 2
    return (covariance @ pull)[..., 0], covariance
