"""Multinomial logistic regression with ridge penalties, for many small contexts at once, and what it says of each point left out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ctxlearn.learners.kernel_features import inverse_of

STEPS = 30
"""Accelerated steps. After these, log-probabilities are within some hundredths of the optimum at penalties of 1 and more; with smaller ones it
ends early where classes can be separated, which is a penalty, too."""
ABSENT = -30.0
"""Score of a class without a point."""

NUMBERS = 1 << 25
"""Of as many numbers at a time classes are left out, one class at least: 268 MB."""


def fit_logistic(features: Tensor, labels: Tensor, penalties: Sequence[float]) -> tuple[Tensor, Tensor]:
    """Minimise the summed cross-entropy + penalty / 2 sum_c w_c . w_c over linear functions of the features, once per penalty.

    Each step minimises a quadratic bound, whose curvature of 1/2 never changes, so one inverse serves all of them; Nesterov's momentum with
    restarts makes few suffice. Matrices are as large as the smaller of n and m. Nothing here is differentiated.

    Args:
        features: of the context's points, (B, n, m), n >= 1.
        labels: indicators, (B, n, C). Classes without a point are no part of the fit; see `of_absent`.
        penalties: of the squared weights, P numbers above 0; 1 / C of scikit-learn.

    Returns:
        Weights of the features (P, B, m, C), by which the scores of queries are features (B, q, m) @ weights + `of_absent`; and
        the scores of each point by a fit without it, to first order, (P, B, n, C).

    Source of the bound: Böhning 1992.
    """
    strength = torch.tensor(penalties, dtype=features.dtype, device=features.device)[:, None, None, None]
    by_points = features.shape[1] <= features.shape[2]
    gram = features @ features.mT if by_points else features.mT @ features
    ridge = strength * torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    inverse = inverse_of(0.5 * gram + ridge)  # (P, B, s, s)
    # weights = solve @ residuals; scores = features @ weights
    solve = features.mT @ inverse if by_points else inverse @ features.mT
    absent = of_absent(labels)
    labels = labels.expand(len(penalties), *labels.shape)
    weights = features.new_zeros(*solve.shape[:3], labels.shape[3])
    scores = ahead = torch.zeros_like(labels)
    momentum = torch.ones_like(labels[..., :1, :1])
    for _ in range(STEPS):
        weights = solve @ (0.5 * ahead + labels - (ahead + absent).softmax(-1))
        moved = features @ weights
        faster = 0.5 + (0.25 + momentum.square()).sqrt()
        # where momentum points uphill, it starts again
        uphill = ((ahead - moved) * (moved - scores)).sum((2, 3), keepdim=True) > 0
        rate = torch.where(uphill, 0.0, (momentum - 1) / faster)
        ahead = moved + rate * (moved - scores)
        momentum = torch.where(uphill, 1.0, faster)
        scores = moved
    return weights, _left_out(features, gram if by_points else None, labels, scores + absent, ridge)


def of_absent(labels: Tensor) -> Tensor:
    """What is added to the scores of classes by indicators (B, n, C): 0, or `ABSENT` for a class without a point, (B, 1, C)."""
    return torch.where(labels.any(1, keepdim=True), 0.0, ABSENT).to(labels.dtype)


def _left_out(features: Tensor, gram: Tensor | None, labels: Tensor, scores: Tensor, ridge: Tensor) -> Tensor:
    """The scores of each point by a fit without it, to first order.

    The curvature is that of each class alone, which for two classes, where their scores mirror each other, is doubled: then this is the
    exact first order. With more classes what they share is left out: with small penalties it is then a little too bad, where one
    curvature for all classes is much too good.

    Source: Rad & Maleki 2020, for one score per point.
    """
    shares = scores.softmax(-1)
    two = ((labels.sum(2, keepdim=True) > 0).sum(3, keepdim=True) == 2).to(scores.dtype)
    curvature = (shares * (1 - shares) * (1 + two)).movedim(3, 2)[..., None]  # (P, B, C, n, 1)
    if gram is not None:
        root = curvature.sqrt()
        part = root * gram[:, None]
        factor = torch.linalg.cholesky(part * root.mT + ridge[:, :, None])
        held = torch.linalg.solve_triangular(factor, part, upper=False).square().sum(3)
        penalty = ridge[:, :, None, 0, 0, None]
        reach = ((gram.diagonal(dim1=1, dim2=2)[:, None] - held) / penalty).clamp(min=0.0)
    else:
        size = max(1, NUMBERS // (len(curvature) * features.numel()))
        reach = torch.cat([_reach(features, some, ridge) for some in torch.split(curvature, size, dim=2)], dim=2)
    step = reach / (1 - curvature[..., 0] * reach).clamp(min=0.05)  # (P, B, C, n)
    left_out: Tensor = scores - step.mT * (labels - shares)
    return left_out


def _reach(features: Tensor, curvature: Tensor, ridge: Tensor) -> Tensor:
    """Features (B, n, m) in the inverse Hessians of curvatures (P, B, c, n, 1): how far a point moves its own score, (P, B, c, n)."""
    factor = torch.linalg.cholesky(features.mT[:, None] @ (curvature * features[:, None]) + ridge[:, :, None])
    spread = features.mT[:, None].expand(*curvature.shape[:3], *features.mT.shape[1:])
    found: Tensor = torch.linalg.solve_triangular(factor, spread, upper=False).square().sum(3)
    return found
