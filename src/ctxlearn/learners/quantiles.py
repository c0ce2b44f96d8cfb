"""Quantiles of a number: a distribution without a form assumed."""

from __future__ import annotations

import torch
from torch import Tensor

QUANTILES = 20
"""How many a learner gives. The outermost, at 0.025 and 0.975, bound the central 95 %."""


def quantile_levels(n: int = QUANTILES) -> Tensor:
    """The levels (k + 1/2) / n for k = 0..n-1, (n,) float64: the mean of quantiles at these is the distribution's mean
    as n grows.
    """
    return (torch.arange(n, dtype=torch.float64) + 0.5) / n


def mixture_quantiles(quantiles: Tensor, weights: Tensor) -> Tensor:
    """Quantiles of mixtures of distributions that are given by their quantiles.

    Each of the M distributions stands for K equally likely points. They are pooled, and interpolated between the middles of
    their weights: equal distributions give the very same quantiles.

    Args:
        quantiles: at `quantile_levels(K)`, (..., M, K).
        weights: of the distributions, >= 0 and of sum 1, (..., M).

    Returns:
        (..., K), not decreasing.
    """
    k = quantiles.shape[-1]
    points, order = quantiles.flatten(-2).sort(dim=-1)
    share = (weights[..., None] / k).expand(*quantiles.shape).flatten(-2).gather(-1, order).double()
    middle = share.cumsum(-1) - share / 2
    levels = quantile_levels(k).to(middle.device).expand(*middle.shape[:-1], k).contiguous()
    above = torch.searchsorted(middle, levels).clamp(1, middle.shape[-1] - 1)
    low, high = middle.gather(-1, above - 1), middle.gather(-1, above)
    part = ((levels - low) / (high - low).clamp(min=1e-12)).clamp(0, 1).to(points.dtype)
    return points.gather(-1, above - 1).lerp(points.gather(-1, above), part)


def pinball(quantiles: Tensor, y: Tensor) -> Tensor:
    """Twice the mean pinball loss of quantiles (..., K) at `quantile_levels(K)`, for labels (...); |e| where K is 1.

    As K grows it comes to the continuous ranked probability score.

    Source: Gneiting & Raftery 2007, sections 4.2 and 6.1.
    """
    levels = quantile_levels(quantiles.shape[-1]).to(quantiles)
    above = y[..., None] - quantiles
    return 2 * torch.maximum(levels * above, (levels - 1) * above).mean()
