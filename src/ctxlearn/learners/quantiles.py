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


def pinball(quantiles: Tensor, y: Tensor) -> Tensor:
    """Twice the mean pinball loss of quantiles (..., K) at `quantile_levels(K)`, for labels (...); |e| where K is 1.

    As K grows it comes to the continuous ranked probability score.

    Source: Gneiting & Raftery 2007, sections 4.2 and 6.1.
    """
    levels = quantile_levels(quantiles.shape[-1]).to(quantiles)
    above = y[..., None] - quantiles
    return 2 * torch.maximum(levels * above, (levels - 1) * above).mean()
