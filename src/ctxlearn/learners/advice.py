"""What regressions on a context say of each point: of a query, and of a context point by the others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from ctxlearn.learners.base import largest, one_hot
from ctxlearn.learners.kernel_features import ADVISERS, regress, regress_features, regressed, without_gaps
from ctxlearn.learners.levels import Levels, find_levels
from ctxlearn.learners.ridge_logistic import fit_logistic, of_absent
from ctxlearn.threads import stop_if_nobody_waits

PENALTIES = (10.0, 1.0, 0.1)
"""Of logistic regression on columns of unit variance: C of 0.1, 1 and 10 in scikit-learn's terms.

On the development tables their blend is as good as scikit-learn's with C by cross-validation: with 16 rows 82.6 % and .427 nats against 83.0 % and
.427; with 64 rows 88.5 % and .301 against 88.2 % and .292. Penalties of 20, 4 and 1 had 80.2 % and .452 with 16 rows."""
MATCHED = 1.0
"""Penalty of the regression on indicators of values."""
NEAR = 6
"""Columns, the first, that count for nearness."""
NEARNESS = ((1.0, 0.1), (4.0, 0.1))
"""Of the regressions by nearness: how fast it falls with the squared distance, and the penalty."""
INTERCEPT = 3.0
"""The constant column, so large that the penalty hardly holds the intercept."""
LEAST = -8.0
"""Smallest log-probability that is handed on as a feature."""
KINDS = {"ridge": len(ADVISERS), "near": len(NEARNESS), "logistic": len(PENALTIES), "match": 1}
"""Kinds of advice, and how many regressions each has:

- "ridge": the kernel ridge regressions of `KernelFeatures`.
- "near": kernel ridge regressions by nearness in the first six columns, which are the strongest where `ContextScaled` sorts them.
- "logistic": logistic regression with three ridge penalties; of classes only.
- "match": logistic regression (ridge regression of a number) on the columns and, where values of a column repeat, on indicators of each value.
"""
SIZES = 2
"""Numbers that tell how large the context is."""


def n_told(kinds: Sequence[str], n_classes: int | None) -> int:
    """Numbers that are told of each point: one per regression and class (or one for a number), the classes' frequencies, and sizes."""
    told = sum(KINDS[kind] for kind in kinds)
    return SIZES + (told if n_classes is None else (told + 1) * n_classes)


class Advice(NamedTuple):
    """Fitted regressions of B contexts of n points, for k outputs: C classes, or 1 number.

    Attributes:
        kinds: which.
        context: the points, (B, n, d), NaN where missing.
        by_kernel: weights of the points in each kernel regression, (B, n, k).
        by_features: weights of the features in each other regression, (P, B, m, k), by kind.
        levels: values of columns, for "match".
        active: columns from the first on, beyond which none of the contexts varies.
        n_columns: columns that vary, (B, 1, 1).
        absent: added to the logistic regressions' scores: `of_absent`, (B, 1, C); of a number zero, (B, 1, 1).
        trust: weight of each logistic regression, and last of the classes' frequencies, in a blend; from losses on points
            left out, (B, regressions + 1). Of a number: empty.
        constant: what is told of every point alike: the classes' log-frequencies, and sizes, (B, 1, C + 2) or (B, 1, 2).
    """

    kinds: tuple[str, ...]
    context: Tensor
    by_kernel: tuple[Tensor, ...]
    by_features: dict[str, Tensor]
    levels: Levels | None
    active: int
    n_columns: Tensor
    absent: Tensor
    trust: Tensor
    constant: Tensor

    @torch.no_grad()
    def of(self, x: Tensor) -> Tensor:
        """What is told of queries x (B, q, d), (B, q, `n_told`)."""
        told = []
        for (kernel, _, points, others), weights in zip(
            _kernels(self.kinds, x, self.context, self.n_columns), self.by_kernel, strict=True
        ):
            told.append(regressed(kernel, points, others, weights).to(x.dtype))
        told += [
            _as_feature(found, self._of_classes).to(x.dtype) for scores in self._scores(x).values() for found in scores
        ]
        constant = self.constant.expand(-1, x.shape[1], -1)
        if not self.context.shape[1]:
            n_classes = constant.shape[2] - SIZES if self._of_classes else None
            told = [x.new_zeros(*x.shape[:2], n_told(self.kinds, n_classes) - constant.shape[2])]
        return torch.cat([*told, constant], dim=-1)

    @torch.no_grad()
    def blend(self, x: Tensor) -> Tensor:
        """Log-probabilities (B, q, C) of queries x: the mean of logistic regressions' and frequencies' probabilities, by trust."""
        shares = [scores.log_softmax(-1).to(x.dtype) for found in self._scores(x).values() for scores in found]
        shares.append(self.constant[..., :-SIZES].expand(-1, x.shape[1], -1))
        return (torch.stack(shares, dim=1) + self.trust.to(x.dtype).log()[:, :, None, None]).logsumexp(1)

    @property
    def _of_classes(self) -> bool:
        return self.constant.shape[2] > SIZES

    def _scores(self, x: Tensor) -> dict[str, Tensor]:
        """By kind, scores (P, B, q, k) of queries."""
        if not self.by_features:
            return {}
        features = _features(self.by_features, x, self.active, self.n_columns, self.levels)
        return {kind: features[kind] @ weights + self.absent for kind, weights in self.by_features.items()}


@torch.no_grad()
def advise(x: Tensor, y: Tensor, n_classes: int | None, kinds: Sequence[str]) -> tuple[Advice, Tensor]:
    """Fit regressions to contexts x (B, n, d), scaled as `ContextScaled` does and NaN where missing, with labels y (B, n).

    Returns:
        The advice, and what is told of each context point by the others, (B, n, `n_told`).
    """
    n_tasks, n, d = x.shape
    labels = y[..., None].to(x.dtype) if n_classes is None else one_hot(y, n_classes, x.dtype)
    varies = (x.nan_to_num(nan=0.0) != 0).any(1)
    n_columns = varies.sum(1)[:, None, None].to(x.dtype)
    active = max(1, largest(varies.any(0) * torch.arange(1, d + 1, device=x.device), d))
    levels = find_levels(x[..., :active]) if "match" in kinds and n else None
    constant = [x.new_full((n_tasks, 1, 1), math.log((n + 1) / 32) / 2), (n_columns.clamp(min=1) / 8).log() / 2]
    losses = []
    if n_classes is not None:
        frequencies = ((labels.sum(1, keepdim=True) + 0.5) / (n + 0.5 * n_classes)).log()
        losses.append(-(labels * frequencies).sum((1, 2)))
        constant.insert(0, frequencies)
    told, by_kernel, by_features = [], [], {}
    for kernel, penalty, points, _ in _kernels(kinds, x, x, n_columns) if n else []:
        stop_if_nobody_waits()
        weights, left_out = regress(kernel, penalty, points, labels.to(points.dtype))
        by_kernel.append(weights)
        told.append(left_out.to(x.dtype))
    wanted = [kind for kind in ("logistic", "match") if kind in kinds and n]
    features = _features(wanted, x, active, n_columns, levels) if wanted else {}
    for kind in wanted:
        stop_if_nobody_waits()
        own = labels.to(features[kind].dtype)
        if n_classes is None:
            weights, left_out = (some[None] for some in regress_features(MATCHED, features[kind], own))
            by_features[kind] = weights
        else:
            penalties = PENALTIES if kind == "logistic" else (MATCHED,)
            by_features[kind], left_out = fit_logistic(features[kind], own, penalties)
            losses[-1:-1] = list(-(own * left_out.log_softmax(-1)).sum((2, 3)).to(x.dtype))
        told += [_as_feature(scores, n_classes is not None).to(x.dtype) for scores in left_out]
    trust = (-torch.stack(losses, dim=1)).softmax(1) if losses else x.new_zeros(n_tasks, 0)
    absent = x.new_zeros(n_tasks, 1, 1) if n_classes is None else of_absent(labels)
    told_to_all = torch.cat(constant, dim=2)
    advice = Advice(
        tuple(kinds), x, tuple(by_kernel), by_features, levels, active, n_columns, absent, trust, told_to_all
    )
    if not n:
        return advice, x.new_zeros(n_tasks, 0, n_told(kinds, n_classes))
    return advice, torch.cat([*told, told_to_all.expand(-1, n, -1)], dim=-1)


def _kernels(
    kinds: Sequence[str], x: Tensor, context: Tensor, n_columns: Tensor
) -> list[tuple[str, float, Tensor, Tensor]]:
    """Kernel, penalty, and what it sees of points x (B, m, d) and of the context's, of each kernel regression."""
    if not context.shape[1]:
        return []
    found: list[tuple[str, float, Tensor, Tensor]] = []
    if "ridge" in kinds:
        points, others = without_gaps(x), without_gaps(context)
        found += [(name, penalty, points, others) for name, penalty in ADVISERS]
    if "near" in kinds:
        for speed, penalty in NEARNESS:
            # `ContextScaled` makes few columns as loud as many; here each has about unit variance
            factor = (speed * n_columns / x.shape[2]).sqrt()
            near, others = (without_gaps(factor * some[..., :NEAR]) for some in (x, context))
            found.append(("radial", penalty, near, others))
    return found


def _features(
    kinds: Sequence[str] | dict[str, Tensor], x: Tensor, active: int, n_columns: Tensor, levels: Levels | None
) -> dict[str, Tensor]:
    """By kind, what regressions that are linear see of points x (B, m, d)."""
    columns = without_gaps(x[..., :active]) * (n_columns / x.shape[2]).sqrt()
    linear = torch.cat([columns, torch.full_like(columns[..., :1], INTERCEPT)], dim=2)
    found = {}
    for kind in kinds:
        found[kind] = linear
        if kind == "match":
            assert levels is not None
            found[kind] = torch.cat([linear, levels.indicators(x[..., :active]).to(linear.dtype)], dim=2)
    return found


def _as_feature(scores: Tensor, of_classes: bool) -> Tensor:
    """Of classes: log-probabilities, bounded below, on the scale of a scaled column. Of a number: as it is."""
    return scores.log_softmax(-1).clamp(min=LEAST) / 4 + 0.5 if of_classes else scores
