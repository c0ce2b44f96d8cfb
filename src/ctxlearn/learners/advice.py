"""What regressions on a context say of each point: of a query, and of a context point by the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ctxlearn.learners.base import one_hot
from ctxlearn.learners.kernel_features import ADVISERS, kernel_values, without_gaps
from ctxlearn.learners.kernel_logistic import fit_logistic

PENALTIES = (10.0, 1.0, 0.1)
"""Of logistic regression on columns of unit variance: C of 0.1, 1 and 10 in scikit-learn's terms.

On the development tables their blend is as good as scikit-learn's with C by cross-validation: with 16 rows 82.6 % and .427 nats against 83.0 % and
.427; with 64 rows 88.5 % and .301 against 88.2 % and .292. Penalties of 20, 4 and 1 had 80.2 % and .452 with 16 rows."""
INTERCEPT = 9.0
"""Kernel of the constant column, so that the penalty hardly holds the intercept."""
LEAST = -8.0
"""Smallest log-probability that is handed on as a feature."""
REPEATING = 0.5
"""A column with at most this many different values per row may be one of categories."""
KINDS = {"ridge": len(ADVISERS), "logistic": len(PENALTIES), "match": 1}
"""Kinds of advice, and how many regressions each has:

- "ridge": the kernel ridge regressions of `KernelFeatures`.
- "logistic": logistic regression with three ridge penalties.
- "match": logistic regression whose kernel counts, besides, the columns of repeating values in which two points are equal: as if these
  were one-hot.
"""


def n_told(kinds: Sequence[str], n_classes: int) -> int:
    """Numbers that are told of each point: one per regression and class, and the classes' frequencies."""
    return (sum(KINDS[kind] for kind in kinds) + 1) * n_classes


class Advice(NamedTuple):
    """Fitted regressions of B contexts of n points.

    Attributes:
        kinds: which.
        context: the points, (B, n, d), NaN where missing.
        weights: of the points in each regression, (B, n, C).
        repeating: columns that may be of categories, (B, d) bool.
        n_columns: columns that vary, (B, 1, 1).
        trust: weight of each logistic regression, and last of the classes' frequencies, in a blend; from losses on points
            left out, (B, regressions + 1).
        frequencies: logarithms of the classes' smoothed shares, (B, 1, C).
    """

    kinds: tuple[str, ...]
    context: Tensor
    weights: tuple[Tensor, ...]
    repeating: Tensor
    n_columns: Tensor
    trust: Tensor
    frequencies: Tensor

    def of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """What is told of queries x (B, q, d): features (B, q, `n_told`), and log-probabilities of the blend (B, q, C)."""
        told, shares = [], []
        if self.weights:
            kernels = _kernels(self.kinds, x, self.context, self.repeating, self.n_columns)
            for (kind, _, kernel), weights in zip(kernels, self.weights, strict=True):
                scores = (kernel @ weights).to(x.dtype)
                if kind != "ridge":
                    shares.append(scores.log_softmax(-1))
                told.append(scores if kind == "ridge" else _as_feature(shares[-1]))
        else:
            told.append(
                x.new_zeros(*x.shape[:2], n_told(self.kinds, self.frequencies.shape[2]) - self.frequencies.shape[2])
            )
        frequencies = self.frequencies.expand(-1, x.shape[1], -1)
        shares.append(frequencies)
        blend = (torch.stack(shares, dim=1) + self.trust.log()[:, :, None, None]).logsumexp(1)
        return torch.cat([*told, frequencies], dim=-1), blend


@torch.no_grad()
def advise(x: Tensor, y: Tensor, n_classes: int, kinds: Sequence[str]) -> tuple[Advice, Tensor]:
    """Fit regressions to contexts x (B, n, d), scaled as `ContextScaled` does and NaN where missing, with classes y (B, n).

    Returns:
        The advice, and what is told of each context point by the others, (B, n, `n_told`).
    """
    labels = one_hot(y, n_classes, x.dtype)
    n = x.shape[1]
    points = x.nan_to_num(nan=0.0)
    varies = (points != 0).any(1)
    repeating = _repeating(x) if "match" in kinds and n else torch.zeros_like(varies)
    n_columns = varies.sum(1)[:, None, None].to(x.dtype)
    frequencies = ((labels.sum(1, keepdim=True) + 0.5) / (n + 0.5 * n_classes)).log()
    weights, told, losses = [], [], []
    for kind, penalty, kernel in _kernels(kinds, x, x, repeating, n_columns) if n else []:
        if kind == "ridge":
            found, left_out = _ridge(kernel, labels, penalty)
        else:
            found, scores = fit_logistic(kernel, labels.to(kernel.dtype), penalty)
            left_out = scores.to(x.dtype).log_softmax(-1)
            losses.append(-(labels * left_out).sum((1, 2)))
            left_out = _as_feature(left_out)
        weights.append(found)
        told.append(left_out)
    losses.append(-(labels * frequencies).sum((1, 2)))
    trust = (-torch.stack(losses, dim=1)).softmax(1)
    told.append(frequencies.expand(-1, n, -1))
    return Advice(tuple(kinds), x, tuple(weights), repeating, n_columns, trust, frequencies), (
        torch.cat(told, dim=-1) if n else x.new_zeros(len(x), 0, n_told(kinds, n_classes))
    )


def _kernels(
    kinds: Sequence[str], x: Tensor, context: Tensor, repeating: Tensor, n_columns: Tensor
) -> list[tuple[str, float, Tensor]]:
    """Kind, penalty and kernel (B, m, n) of each regression."""
    points, others = without_gaps(x), without_gaps(context)
    # `ContextScaled` makes few columns as loud as many; here every column that varies has about unit variance
    linear = (points @ others.mT) * (n_columns / x.shape[2]) + INTERCEPT
    found: list[tuple[str, float, Tensor]] = []
    if "ridge" in kinds:
        found += [("ridge", penalty, kernel_values(name, points, others)) for name, penalty in ADVISERS]
    if "logistic" in kinds:
        found += [("logistic", penalty, linear) for penalty in PENALTIES]
    if "match" in kinds:
        match = torch.zeros_like(linear)
        for j in repeating.any(0).nonzero()[:, 0].tolist():
            match += (x[:, :, None, j] == context[:, None, :, j]) & repeating[:, j, None, None]
        found.append(("match", PENALTIES[1], linear + match))
    return found


def _ridge(kernel: Tensor, labels: Tensor, penalty: float) -> tuple[Tensor, Tensor]:
    """Weights of the points (B, n, C), and what the others say of each."""
    gram = kernel + penalty * torch.eye(kernel.shape[1], dtype=kernel.dtype, device=kernel.device)
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram))
    found = inverse @ labels.to(kernel.dtype)
    return found, (labels - found / inverse.diagonal(dim1=1, dim2=2)[..., None]).to(labels.dtype)


def _as_feature(log_shares: Tensor) -> Tensor:
    """Log-probabilities, bounded below, on the scale of a scaled column."""
    return log_shares.clamp(min=LEAST) / 4 + 0.5


def _repeating(x: Tensor) -> Tensor:
    """Which columns of contexts (B, n, d) have more than one value, but few different ones: (B, d) bool."""
    ordered = x.sort(1).values
    n_values = 1 + (ordered[:, 1:] > ordered[:, :-1]).sum(1)
    return (n_values > 1) & (n_values <= REPEATING * x.shape[1])
