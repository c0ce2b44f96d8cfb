"""A learner that first scales inputs, and labels of regression, by statistics of the context alone."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ctxlearn.checks import describe
from ctxlearn.learners.base import Learner, State, full_precision, one_hot
from ctxlearn.learners.outliers import find_inliers
from ctxlearn.learners.wrapper import Method, Wrapper, expect_learner

CLIP = 4.0
"""Standard deviations from the mean beyond which a scaled input grows with the logarithm of its distance only."""
FARTHEST = 12.0
"""Largest scaled input."""


class Scaling(NamedTuple):
    """How the inputs of B tasks of d features are scaled, (B, 1, d) each; and which feature comes where, (B, 1, d) int64.

    A feature is halved (so that no difference overflows), and missing from `limit` on either side of `centre`; `low` is subtracted, the rest
    divided by `extent`; then `mean` is subtracted and the rest multiplied by `factor`, which is zero for features to be left out.
    """

    centre: Tensor
    limit: Tensor
    low: Tensor
    extent: Tensor
    mean: Tensor
    factor: Tensor
    order: Tensor
    whole: Tensor

    def __call__(self, x: Tensor) -> Tensor:
        """Inputs (B, m, d), scaled; NaN stays, but for features that are left out."""
        half = 0.5 * x
        half = half.masked_fill((half - self.centre).abs() >= self.limit, torch.nan)
        z = (half - self.low) / self.extent - self.mean
        z = torch.where(self.factor == 0, 0.0, z * self.factor)
        size = z.abs()
        far = CLIP + (size.clamp(min=CLIP) - CLIP).log1p()
        z = torch.where(size > CLIP, z.sign() * far.clamp(max=FARTHEST), z)
        return (z * self.whole).gather(2, self.order.expand_as(z))


class ScaledContext(NamedTuple):
    """What the inner learner made of the scaled context, how inputs are scaled, and centre and scale of y, (B, 1)."""

    inner: State
    scaling: Scaling
    centre: Tensor
    scale: Tensor


class ContextScaled(Wrapper):
    """A learner in front of which every feature is scaled by the context, so that units mean nothing.

    Mean and standard deviation s of a feature are those of its n context values that are there (NaN is missing); inputs are
    divided by s sqrt(1 + 1/n), the standard deviation of a next point as a context of few points suggests it, and
    beyond 4 of these grow with the logarithm of the distance only. A feature that is constant in the context is zero for
    context and queries; the others are multiplied by sqrt(d / number of these), so that few features are as
    loud as many. For regression labels are scaled likewise, and predictions and quantiles scaled back.

    Wild values, which lie far beyond a wide gap (`find_inliers`), count as missing, in contexts and in queries; a wild label is drawn in to 4
    standard deviations. The statistics are those of the others. A column without such values has the plain mean and
    standard deviation, to the bit.

    Scaling is computed in the precision of what comes in, and what is scaled is handed on in that of the learner's weights. So
    large numbers in double precision keep their differences in front of a learner in single precision.

    With `sort` the features are handed on in the order of what each alone says of the label in the context (share of the
    variance between classes, or squared correlation), strongest first and constant ones last. So their order
    in the table means nothing, and the inner learner finds signal in the same places in every task.

    Args:
        learner: what learns from the scaled context. Where it takes no NaN, missing values become the feature's mean.
        sort: hand features on by relevance.

    Raises:
        ValueError: no learner, or one whose inputs are no vectors of known size.
    """

    def __init__(self, learner: Learner, sort: bool = True) -> None:
        expect_learner("learner", learner)
        if not isinstance(learner.n_features, int):
            raise ValueError(f"learner: expected one whose n_features is an integer, got {learner.n_features}")
        if not isinstance(sort, bool):
            raise ValueError(f"sort: expected True or False, got {describe(sort)}")
        super().__init__(learner)
        self.sort = sort
        self.accepts_missing = self.scales_by_context = True
        self.ignores_feature_order = sort or learner.ignores_feature_order

    def adapt(self, context_x: Tensor, context_y: Tensor) -> ScaledContext:
        x, y = self.check_context(context_x, context_y)
        centre, scale = x.new_zeros(len(x), 1), x.new_ones(len(x), 1)
        if self.n_classes is None and y.shape[1]:
            centre, scale, y = _scaled_labels(y)
        relevance = y[..., None] if self.n_classes is None else one_hot(y, self.n_classes, x.dtype)
        with torch.no_grad(), full_precision(x):
            scaling = _scaling(x, relevance if self.sort else None)
        return ScaledContext(self.learner.adapt(self._scaled(scaling, x), y), scaling, centre, scale)

    def ask(self, method: Method, state: ScaledContext, query_x: Tensor) -> Tensor:
        scaled = self._scaled(state.scaling, self.check_query(query_x, n_tasks=len(state.centre)))
        return self._back(state, method(state.inner, scaled))

    def _precision(self, given: torch.dtype) -> torch.dtype:
        return torch.promote_types(given, super()._precision(given))

    def _scaled(self, scaling: Scaling, x: Tensor) -> Tensor:
        z = scaling(x)
        return z if self.learner.accepts_missing else z.nan_to_num(nan=0.0)

    def _back(self, state: ScaledContext, output: Tensor) -> Tensor:
        if self.n_classes is not None:
            return output
        shape = (-1, *[1] * (output.ndim - 1))
        return output * state.scale.view(shape) + state.centre.view(shape)


def by_relevance(x: Tensor, labels: Tensor) -> Tensor:
    """Features of contexts x (B, n, d), n >= 1, in the order in which `sort` hands them on: positions (B, d) int64.

    Args:
        x: NaN where missing.
        labels: indicators of classes, (B, n, C), or numbers, (B, n, 1).
    """
    return _scaling(x, labels).order[:, 0]


def _scaled_labels(y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and predictive standard deviation of labels (B, n), n >= 1, (B, 1) each, and the labels scaled by them.

    The scale is 1 where labels are equal. A wild label is drawn in to `CLIP`.
    """
    weights = find_inliers(0.5 * y[..., None]).weights[..., 0]
    kept = y.masked_fill(weights == 0, torch.nan)
    extent = kept.nan_to_num(nan=-torch.inf).amax(1, keepdim=True) - kept.nan_to_num(nan=torch.inf).amin(
        1, keepdim=True
    )
    count = weights.sum(1, keepdim=True)
    centre = (weights * y).sum(1, keepdim=True) / count
    variance = (weights * (y - centre).square()).sum(1, keepdim=True) / (count - 1).clamp(min=1) * (1 + 1 / count)
    scale = torch.where(extent > 0, variance.sqrt(), 1.0)
    scaled = (y - centre) / scale
    near = scaled.clamp(min=-CLIP, max=CLIP)
    return centre, scale, torch.where(weights < 1, near + weights * (scaled - near), scaled)


def _scaling(x: Tensor, labels: Tensor | None) -> Scaling:
    """The scaling of contexts (B, n, d), n >= 0; with labels (B, n, k) the order of features is by what they say of these."""
    n_tasks, n, d = x.shape
    half = 0.5 * x if n else x.new_full((n_tasks, 1, d), torch.nan)
    weights, centre, limit = find_inliers(half)
    there = weights > 0
    low = half.masked_fill(~there, torch.inf).amin(1, keepdim=True)
    high = half.masked_fill(~there, -torch.inf).amax(1, keepdim=True)
    varies = high > low
    low = torch.where(varies, low, 0.0)
    extent = torch.where(varies, high - low, 1.0)
    z = ((half - low) / extent).masked_fill(~there | ~varies, 0.0)
    count = weights.sum(1, keepdim=True).clamp(min=1)
    mean = (weights * z).sum(1, keepdim=True) / count
    z = (z - mean).masked_fill(~there, 0.0)
    squares = (weights * z.square()).sum(1, keepdim=True)
    variance = squares / (count - 1).clamp(min=1) * (1 + 1 / count)
    factor = torch.where(varies, variance.clamp(min=torch.finfo(x.dtype).tiny).rsqrt(), 0.0)
    whole = (d / varies.sum(2, keepdim=True).clamp(min=1)).sqrt().to(x.dtype)
    order = torch.arange(d, device=x.device).expand(n_tasks, 1, d)
    if labels is not None and n:
        explained = _explained(weights * z, weights, squares, labels)
        # in steps of 2^-10: what differs by rounding alone (copies of a feature, say) keeps its order
        order = torch.where(varies, (explained * 1024).round(), -1.0).argsort(dim=2, descending=True, stable=True)
    return Scaling(centre, limit, low, extent, mean, factor, order, whole)


def _explained(z: Tensor, there: Tensor, squares: Tensor, labels: Tensor) -> Tensor:
    """The share of each centred feature's variance that labels explain, (B, 1, d) in [0, 1]."""
    sums = labels.mT @ z  # (B, k, d)
    if labels.shape[2] > 1:  # indicators: between the classes
        explained = (sums.square() / (labels.mT @ there).clamp(min=1)).sum(1, keepdim=True)
    else:  # the squared slope's part; labels centred over where the feature is there
        count = there.sum(1, keepdim=True).clamp(min=1)
        means = (labels.mT @ there) / count
        spread = (labels.square().mT @ there) - count * means.square()
        explained = sums.square() / spread.clamp(min=torch.finfo(z.dtype).tiny)
    return (explained / squares.clamp(min=torch.finfo(z.dtype).tiny)).clamp(max=1.0)
