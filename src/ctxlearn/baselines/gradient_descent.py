"""Gradient descent on a linear head over fixed features: what one step, or k steps, make of a context."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from ctxlearn.checks import check_choice, check_float, check_int, describe
from ctxlearn.learners.base import Learner, one_hot
from ctxlearn.learners.encoders import Encoder

MOST_STEPS = 100_000
"""Each step may have a size of its own."""


class LinearHead(NamedTuple):
    """Weights (B, K, e), the intercept last where there is one, in float64; and the numbers in one input."""

    weights: Tensor
    n_values: int


class GradientDescent(Learner):
    """A linear head on fixed features, moved from zero by k plain steps of gradient descent on the whole context.

    With features phi_i = encoder(x_i) (and a constant 1 where `intercept`), W starts at zero and each step does

        W <- W - step_size * gradient of [ (1/n) sum_i l_i + penalty / 2 |W|^2 ],

    where l_i = 1/2 |W phi_i - t_i|^2 for `loss="squared"` (t_i the one-hot label, or y_i for regression), and the
    cross-entropy of softmax(W phi_i) for `loss="softmax"`. The penalty falls on all weights, the intercept's too. The
    output is W phi(q): logits (B, q, C), or means (B, q). An empty context leaves W = 0. This is MAML with a linear
    head, adapted at test time, on features that do not move. Steps are explicit updates in float64; features and output
    have the learner's precision. A step above 2 / (largest curvature) diverges, as it does on paper.

    Args:
        steps: k >= 0.
        step_size: > 0, or `steps` of them, one a step (Chebyshev's, say).
        loss: "squared", or "softmax" (classification only).
        n_features: an int d or the shape of one input; None takes any, with the identity encoder alone.
        n_classes: C >= 2, or None for regression.
        penalty: >= 0, in units of the mean loss's curvature.
        encoder: "identity" for the flattened input, None for an untrained `MLP`, or a module from (M, *shape) to
            (M, e); copied, and its parameters frozen.
        intercept: append a constant 1 to the features.

    Raises:
        ValueError: a number out of range, another number of step sizes than steps, or an encoder without `n_features`.

    Source: Finn et al. 2017, eq. 1, for the head alone; von Oswald et al. 2023, eq. 1 and 2, is `loss="squared"`.
    """

    def __init__(
        self,
        steps: int = 1,
        step_size: float | Sequence[float] = 0.1,
        loss: str = "squared",
        *,
        n_features: int | tuple[int, ...] | None = None,
        n_classes: int | None = 2,
        penalty: float = 0.0,
        encoder: nn.Module | str | None = "identity",
        intercept: bool = False,
    ) -> None:
        super().__init__(n_features, n_classes)
        self.steps = check_int("steps", steps, minimum=0, maximum=MOST_STEPS)
        self.step_size = step_size
        self.step_sizes = _step_sizes(step_size, self.steps)
        self.objective = check_choice("loss", loss, ("squared", "softmax"))
        if n_classes is None and loss == "softmax":
            raise ValueError('loss: expected "squared" for regression (n_classes=None), got "softmax"')
        self.penalty = check_float("penalty", penalty, minimum=0)
        self.intercept = bool(intercept)
        if n_features is not None:
            self.encoder: Encoder | None = Encoder(encoder, n_features, width=64).requires_grad_(False)
        elif encoder == "identity":
            self.encoder = None
        else:
            raise ValueError(
                f'encoder: expected "identity" where n_features is None, got {describe(encoder)}; give n_features'
            )

    def adapt(self, context_x: Tensor, context_y: Tensor) -> LinearHead:
        context_x, context_y = self.check_context(context_x, context_y)
        present = torch.ones(context_x.shape[0], 1, context_x.shape[1], dtype=torch.float64, device=context_x.device)
        weights = self._descend(self._features(context_x), self._targets(context_y), present)
        return LinearHead(weights[:, 0], math.prod(context_x.shape[2:]))

    def predict(self, state: LinearHead, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=len(state.weights), n_values=state.n_values)
        return self._read(self._features(query_x) @ state.weights.mT, query_x)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = self.check_context(x, y, names=("x", "y"))
        features = self._features(x)
        before = torch.ones(x.shape[1], x.shape[1], dtype=torch.float64, device=x.device).tril(-1)
        weights = self._descend(features, self._targets(y), before.expand(len(x), -1, -1))
        return self._read(torch.einsum("bpkd,bpd->bpk", weights, features), x)

    def _features(self, x: Tensor) -> Tensor:
        """phi, (B, n, e) float64."""
        points = (x.flatten(2) if self.encoder is None else self.encoder(x)).double()
        return torch.cat([points, torch.ones_like(points[..., :1])], dim=-1) if self.intercept else points

    def _targets(self, y: Tensor) -> Tensor:
        """t, (B, n, K) float64."""
        return y[..., None].double() if self.n_classes is None else one_hot(y, self.n_classes, torch.float64)

    def _descend(self, features: Tensor, targets: Tensor, present: Tensor) -> Tensor:
        """Weights (B, P, K, e) of P contexts a task: the points that count are 1 in `present` (B, P, n)."""
        share = present / present.sum(-1, keepdim=True).clamp(min=1)
        points = features[:, None]
        targets = targets.mT[:, None]
        weights = features.new_zeros(*present.shape[:2], targets.shape[-2], features.shape[-1])
        for size in self.step_sizes:
            outputs = weights @ points.mT
            if self.objective == "softmax":
                outputs = outputs.softmax(-2)
            gradient = ((outputs - targets) * share[..., None, :]) @ points + self.penalty * weights
            weights = weights - size * gradient
        return weights

    def _read(self, outputs: Tensor, x: Tensor) -> Tensor:
        outputs = outputs.to(x.dtype)
        return outputs[..., 0] if self.n_classes is None else outputs


def _step_sizes(step_size: object, steps: int) -> tuple[float, ...]:
    if isinstance(step_size, str) or not isinstance(step_size, Sequence):
        return (check_float("step_size", step_size, above=0),) * steps
    if len(step_size) != steps:
        raise ValueError(f"step_size: expected a number, or {steps} of them, one a step, got {len(step_size)}")
    return tuple(check_float(f"step_size[{i}]", size, above=0) for i, size in enumerate(step_size))


def equal_steps(k: int, low: float, high: float) -> list[float]:
    """The k equal step sizes that are best for a squared loss whose curvatures lie in [low, high]."""
    return [2 / (low + high)] * k


def chebyshev_steps(k: int, low: float, high: float) -> list[float]:
    """The best k step sizes for curvatures in [low, high]: one over the roots of Chebyshev's polynomial, far ones in turn.

    In their natural order the first steps, all long, would let rounding errors grow.

    Source: Young 1953; Lebedev and Finogenov 1971 for the order.
    """
    roots = [(high + low) / 2 - (high - low) / 2 * math.cos(math.pi * (2 * i + 1) / (2 * k)) for i in range(k)]
    order = [0]
    while len(order) < k:
        order = [j for i in order for j in (i, 2 * len(order) - 1 - i)]
    return [1 / roots[i] for i in order if i < k]
