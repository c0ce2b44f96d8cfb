"""Multinomial logistic regression with a ridge penalty, for many small contexts at once, and what it says of each point left out."""

from __future__ import annotations

import torch
from torch import Tensor

STEPS = 30
"""Accelerated steps. After these, log-probabilities are within some hundredths of the optimum at penalties of 1 and more; with smaller ones it
ends early where classes can be separated, which is a penalty, too."""


def fit_logistic(kernel: Tensor, labels: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Minimise the summed cross-entropy + penalty / 2 sum_c w_c . w_c over linear functions of the kernel's features.

    Each step minimises a quadratic bound, whose curvature of 1/2 never changes, so one inverse serves all of them; Nesterov's momentum with
    restarts makes few suffice. Nothing here is differentiated.

    Args:
        kernel: inner products of the context's points, (B, n, n), n >= 1.
        labels: indicators, (B, n, C). Classes without a point get scores below the others'.
        penalty: of the squared weights, above 0; 1 / C of scikit-learn.

    Returns:
        Weights of the points (B, n, C), by which the scores of queries are kernel (B, q, n) @ weights; and the scores of each
        point by a fit without it, to first order, (B, n, C). With small penalties these are too good.

    Source of the bound: Böhning 1992. Of the left-out scores: Rad & Maleki 2020, with one curvature per point.
    """
    n = kernel.shape[1]
    identity = torch.eye(n, dtype=kernel.dtype, device=kernel.device)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(0.5 * kernel + penalty * identity))
    weights = torch.zeros_like(labels)
    scores = ahead = torch.zeros_like(labels)
    momentum = torch.ones_like(labels[:, :1, :1])
    for _ in range(STEPS):
        weights = inverse @ (0.5 * ahead + labels - ahead.softmax(-1))
        moved = kernel @ weights
        faster = 0.5 + (0.25 + momentum.square()).sqrt()
        # where momentum points uphill, it starts again
        uphill = ((ahead - moved) * (moved - scores)).sum((1, 2), keepdim=True) > 0
        rate = torch.where(uphill, 0.0, (momentum - 1) / faster)
        ahead = moved + rate * (moved - scores)
        momentum = torch.where(uphill, 1.0, faster)
        scores = moved
    return weights, _left_out(kernel, labels, scores, penalty)


def _left_out(kernel: Tensor, labels: Tensor, scores: Tensor, penalty: float) -> Tensor:
    shares = scores.softmax(-1)
    spread = shares * (1 - shares)
    total, squares = spread.sum(2), spread.square().sum(2).clamp(min=1e-12)
    # the curvature along the classes in question: exact for two classes, and for any number that are equally likely
    n_eff = (total.square() / squares).clamp(min=2.0)
    curvature = (squares / total.clamp(min=1e-6)) * n_eff / (n_eff - 1)
    root = curvature.sqrt()
    identity = torch.eye(kernel.shape[1], dtype=kernel.dtype, device=kernel.device)
    factor = torch.linalg.cholesky(root[:, :, None] * kernel * root[:, None, :] + penalty * identity)
    part = torch.linalg.solve_triangular(factor, root[:, :, None] * kernel, upper=False)
    reach = ((kernel.diagonal(dim1=1, dim2=2) - part.square().sum(1)) / penalty).clamp(min=0.0)
    step = reach / (1 - curvature * reach).clamp(min=0.05)
    left_out: Tensor = scores - step[..., None] * (labels - shares)
    return left_out
