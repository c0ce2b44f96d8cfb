"""Metric learners: MatchNet compares a query with each context point, ProtoNet with the mean of each class."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ctxlearn.checks import check_choice, check_int
from ctxlearn.learners.base import Learner, one_hot
from ctxlearn.learners.encoders import Encoder
from ctxlearn.seeding import initial_weights

EPS = 2.0**-20
"""About 1e-6, and exact in every precision. Added to class shares before the logarithm, so that a class without points
has a finite logit (-13.9)."""


FACTOR = 10.0
"""What the learned factor of cosines starts at."""


class EmbeddedContext(NamedTuple):
    """A context after the encoder: points (B, n, e) and labels, one-hot (B, n, C) or values (B, n, 1)."""

    points: Tensor
    labels: Tensor


class MatchNet(Learner):
    """Attention over the context points: the share of a class is the attention on its points.

    With f the encoder and s the similarity, a_i = softmax_i s(f(q), f(x_i)) and the logits are log(sum_i a_i y_i +
    2^-20). `attention="sum"` is Wu et al.'s variant: the logits are sum_i s(f(q), f(x_i)) y_i, no softmax over points.
    An empty context contributes zero: equal logits. For regression the output is sum_i a_i y_i.

    Args:
        n_features: an int d or the shape of one input.
        n_classes: C >= 2, or None for regression (softmax attention only).
        encoder: None for a one-hidden-layer MLP, "identity", or a module from (M, *shape) to (M, e).
        similarity: "cosine" (Vinyals et al. 2016), "dot", or "scaled_cosine": the cosine times a learned factor, the inverse
            of a temperature. Plain cosines are at most 1, so their softmax weighs the nearest of n points no more than e^2
            times the farthest.
        attention: "softmax" (Vinyals et al. 2016) or "sum".
        width: outputs and hidden units of the default encoder.
        seed: of the initial weights.

    Source: Vinyals et al. 2016, eq. 1 and 2, without full-context embeddings.
    """

    def __init__(
        self,
        n_features: int | tuple[int, ...],
        n_classes: int | None,
        encoder: nn.Module | str | None = None,
        similarity: str = "cosine",
        attention: str = "softmax",
        width: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(n_features, n_classes)
        self.similarity = check_choice("similarity", similarity, ("cosine", "dot", "scaled_cosine"))
        self.attention = check_choice("attention", attention, ("softmax", "sum"))
        if n_classes is None and attention == "sum":
            raise ValueError('attention: expected "softmax" for regression (n_classes=None), got "sum"')
        with initial_weights(seed):
            self.encoder = Encoder(encoder, n_features, check_int("width", width, minimum=1))
        self.log_factor: nn.Parameter | None = None
        if similarity == "scaled_cosine":
            self.log_factor = nn.Parameter(torch.tensor(FACTOR).log())

    def adapt(self, context_x: Tensor, context_y: Tensor) -> EmbeddedContext:
        return self._embedded(*self.check_context(context_x, context_y))

    def predict(self, state: EmbeddedContext, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=state.points.shape[0])
        scores = self._scores(self._points(query_x).to(state.points.dtype), state.points)
        weights = scores if self.attention == "sum" else scores.softmax(-1)
        return self._read(weights @ state.labels)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        points, labels = self._embedded(*self.check_context(x, y, names=("x", "y")))
        scores = self._scores(points, points)
        before = torch.ones(scores.shape[-2:], dtype=torch.bool, device=scores.device).tril(-1)
        if self.attention == "softmax":
            # the most negative finite number, not -inf: the first row has no point to attend to and must stay finite
            scores = scores.masked_fill(~before, torch.finfo(scores.dtype).min).softmax(-1)
        return self._read((scores * before) @ labels)

    def _points(self, x: Tensor) -> Tensor:
        points = self.encoder(x)
        return points if self.similarity == "dot" else F.normalize(points, dim=-1)

    def _scores(self, queries: Tensor, points: Tensor) -> Tensor:
        scores = queries @ points.mT
        return scores if self.log_factor is None else scores * self.log_factor.exp().to(scores.dtype)

    def _embedded(self, x: Tensor, y: Tensor) -> EmbeddedContext:
        points = self._points(x)
        labels = y[..., None] if self.n_classes is None else one_hot(y, self.n_classes, points.dtype)
        return EmbeddedContext(points, labels)

    def _read(self, shares: Tensor) -> Tensor:
        if self.n_classes is None:
            return shares[..., 0]
        return shares if self.attention == "sum" else (shares + EPS).log()


class ProtoNet(Learner):
    """Nearest class mean in a learned space: logits are negative squared Euclidean distances to the class means.

    A class without points has the zero prototype. With `encoder="identity"` this is the nearest-class-mean rule,
    without parameters.

    Args:
        n_features: an int d or the shape of one input.
        n_classes: C >= 2.
        encoder: None for a one-hidden-layer MLP, "identity", or a module from (M, *shape) to (M, e).
        width: outputs and hidden units of the default encoder.
        seed: of the initial weights.

    Source: Snell et al. 2017, eq. 1 and 2. Their c_k is `prototypes`.
    """

    n_classes: int

    def __init__(
        self,
        n_features: int | tuple[int, ...],
        n_classes: int,
        encoder: nn.Module | str | None = None,
        width: int = 64,
        seed: int = 0,
    ) -> None:
        check_int("n_classes", n_classes, minimum=2)  # class means need classes: None is refused here
        super().__init__(n_features, n_classes)
        with initial_weights(seed):
            self.encoder = Encoder(encoder, n_features, check_int("width", width, minimum=1))

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Tensor:
        """Class means (B, C, e)."""
        context_x, context_y = self.check_context(context_x, context_y)
        points = self.encoder(context_x)
        labels = one_hot(context_y, self.n_classes, points.dtype)
        means: Tensor = (labels.mT @ points) / labels.sum(1).clamp(min=1)[..., None]
        return means

    def predict(self, state: Tensor, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=state.shape[0])
        return _negative_distances(self.encoder(query_x), state[:, None])

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = self.check_context(x, y, names=("x", "y"))
        points = self.encoder(x)
        labels = one_hot(y, self.n_classes, points.dtype)
        sums = exclusive_cumsum(labels[..., None] * points[:, :, None, :])
        counts = exclusive_cumsum(labels).clamp(min=1)
        return _negative_distances(points, sums / counts[..., None])


def _negative_distances(points: Tensor, prototypes: Tensor) -> Tensor:
    """-|f - c|^2 of points (B, q, e) and prototypes (B, q or 1, C, e): (B, q, C)."""
    return -(points[:, :, None, :] - prototypes).square().sum(-1)


def exclusive_cumsum(values: Tensor) -> Tensor:
    """Row i is the sum over rows 0..i-1 of axis 1."""
    return torch.cat([torch.zeros_like(values[:, :1]), values[:, :-1].cumsum(1)], dim=1)
