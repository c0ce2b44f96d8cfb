"""A learner that is told, beside each point, what kernel regressions on the context say of it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ctxlearn.checks import describe
from ctxlearn.learners.base import Learner, State, one_hot

ADVISERS = (("linear", 0.03), ("linear", 0.5), ("radial", 0.1))
"""Kernel and penalty of each regression: nearly least squares; nearly the nearest class mean; by neighbours."""


class AdvisedContext(NamedTuple):
    """What the inner learner made of the advised context; the context's points without gaps, (B, n, d); and of each
    adviser the weights of the context's labels, (B, n, k).
    """

    inner: State
    points: Tensor
    weights: tuple[Tensor, ...]


class Advised(Learner):
    """A learner in front of which three kernel ridge regressions on the context give each point 3 k numbers more.

    Their targets are the labels (indicators of the C classes, k = C; or the number, k = 1). A query is told what they
    predict for it; a context point what they would without it (left out in closed form), so that it shows how far
    they can be trusted. So the learner need not find least squares, class means and neighbours by itself.
    Kernels are x.z / d + 1 and exp(-|x - z|^2 / d) + 1: made for inputs of about unit variance, as `ContextScaled` gives them.

    Time grows with the cube of the context's length, memory with its square. Computed in float64 where the device has it.

    Args:
        learner: takes d + 3 k features; d are this one's.

    Raises:
        ValueError: no learner, or one that takes too few features.
    """

    def __init__(self, learner: Learner) -> None:
        if not isinstance(learner, Learner):
            raise ValueError(f"learner: expected a Learner, got {describe(learner)}")
        advice = len(ADVISERS) * (learner.n_classes or 1)
        if not isinstance(learner.n_features, int) or learner.n_features <= advice:
            raise ValueError(
                f"learner: expected one of more than {advice} features, the last {advice} for advice, got"
                f" n_features = {learner.n_features}"
            )
        super().__init__(learner.n_features - advice, learner.n_classes)
        self.learner = learner
        self.accepts_missing = learner.accepts_missing

    def adapt(self, context_x: Tensor, context_y: Tensor) -> AdvisedContext:
        x, y = self.check_context(context_x, context_y)
        points = without_gaps(x)
        labels = (y[..., None] if self.n_classes is None else one_hot(y, self.n_classes, x.dtype)).to(points.dtype)
        weights, advice = [], []
        for kernel, penalty in ADVISERS:
            gram = kernel_values(kernel, points, points)
            gram = gram + penalty * torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
            inverse = torch.cholesky_inverse(torch.linalg.cholesky(gram)) if gram.shape[1] else gram
            found = inverse @ labels
            weights.append(found)
            advice.append(labels - found / inverse.diagonal(dim1=1, dim2=2)[..., None])
        inner = self.learner.adapt(torch.cat([x, *(a.to(x.dtype) for a in advice)], dim=-1), y)
        return AdvisedContext(inner, points, tuple(weights))

    def predict(self, state: AdvisedContext, query_x: Tensor) -> Tensor:
        return self.learner.predict(state.inner, self._advised(state, query_x))

    def predict_for_loss(self, state: AdvisedContext, query_x: Tensor) -> Tensor:
        return self.learner.predict_for_loss(state.inner, self._advised(state, query_x))

    def predict_distribution(self, state: AdvisedContext, query_x: Tensor) -> Tensor:
        return self.learner.predict_distribution(state.inner, self._advised(state, query_x))

    def loss(self, output: Tensor, y: Tensor) -> Tensor:
        return self.learner.loss(output, y)

    def _advised(self, state: AdvisedContext, query_x: Tensor) -> Tensor:
        x = self.check_query(query_x, n_tasks=len(state.points))
        points = without_gaps(x)
        advice = [
            (kernel_values(kernel, points, state.points) @ weights).to(x.dtype)
            for (kernel, _), weights in zip(ADVISERS, state.weights, strict=True)
        ]
        return torch.cat([x, *advice], dim=-1)


def without_gaps(x: Tensor) -> Tensor:
    """Inputs without gaps, in the precision of the advice; Apple's devices have no float64."""
    return x.nan_to_num(nan=0.0).to(x.dtype if x.device.type == "mps" else torch.float64)


def kernel_values(kind: str, x: Tensor, z: Tensor) -> Tensor:
    """(B, m, n) of points (B, m, d) and (B, n, d)."""
    inner = x @ z.mT / x.shape[2]
    if kind == "linear":
        return inner + 1
    squares = x.square().mean(-1)[:, :, None] + z.square().mean(-1)[:, None, :]
    return (2 * inner - squares).exp() + 1
