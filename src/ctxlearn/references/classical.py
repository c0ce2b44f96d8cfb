"""Classical algorithms without trained parameters, with a learner's methods."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_int, describe, solving
from ctxlearn.learners.base import Learner, one_hot
from ctxlearn.learners.metric import EPS
from ctxlearn.seeding import Stream, generator_for
from ctxlearn.tasks.base import TaskFamily

MOST_CLASSES = 100
"""Of logistic regression, whose work grows with their square and whose solving with their cube."""


class Context(NamedTuple):
    """A context as it came: x (B, n, *shape) and y (B, n)."""

    x: Tensor
    y: Tensor


class NearestNeighbor(Learner):
    """Vote of the k nearest context points by Euclidean distance; of equally near ones the earlier counts.

    Logits are log(share of votes + 2^-20); all equal for an empty context. With fewer than k points all of them vote.
    For regression the output is the mean label of the neighbours, 0 for an empty context.

    Args:
        n_features: an int d or the shape of one input; None takes any.
        n_classes: C >= 2, or None for regression.
        k: neighbours, >= 1.
    """

    def __init__(self, n_features: int | tuple[int, ...] | None = None, n_classes: int | None = 2, k: int = 1) -> None:
        super().__init__(n_features, n_classes)
        self.k = check_int("k", k, minimum=1)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Context:
        return Context(*self.check_context(context_x, context_y))

    def predict(self, state: Context, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=len(state.x), n_values=math.prod(state.x.shape[2:]))
        return self._vote(_distances(query_x.to(state.x.dtype), state.x), state.y)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = self.check_context(x, y, names=("x", "y"))
        distances = _distances(x, x)
        before = torch.ones(distances.shape[-2:], dtype=torch.bool, device=x.device).tril(-1)
        return self._vote(distances.masked_fill(~before, torch.inf), y)

    def _vote(self, distances: Tensor, y: Tensor) -> Tensor:
        """Votes over points at finite distance (B, q, n)."""
        order = distances.sort(dim=-1, stable=True)
        nearest, there = order.indices[..., : self.k], order.values[..., : self.k].isfinite()
        labels = y[:, None, :].expand(-1, distances.shape[1], -1).gather(-1, nearest)
        votes = there.sum(-1).clamp(min=1)
        if self.n_classes is None:
            return (labels * there).sum(-1) / votes
        counts = (one_hot(labels, self.n_classes, distances.dtype) * there[..., None]).sum(-2)
        return (counts / votes[..., None] + EPS).log()


def _distances(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean distances (B, q, n), by differences: the matrix-product form would reorder near ties."""
    return torch.cdist(a.flatten(2), b.flatten(2), compute_mode="donot_use_mm_for_euclid_dist")


class LogisticRegression(Learner):
    """Ridge-penalised multinomial logistic regression, fitted to each context by Newton's method.

    Minimises sum_i CE(W x_i + b, y_i) + penalty / 2 |W|^2 + 1e-3 penalty / 2 |b|^2; the small penalty on the
    intercepts keeps a context of one class finite. An empty context gives W = 0, b = 0: equal logits. Every prefix is
    fitted at once, in float64.

    Args:
        n_features: an int d or the shape of one input; None takes any.
        n_classes: C, 2 to 100: a Newton step solves for the weights of all classes at once.
        penalty: > 0; scikit-learn's 1 / C. The default is weak: the tasks of the paper have no label noise.
        iterations: Newton steps at most; each is shortened per task until the loss falls.
    """

    n_classes: int

    def __init__(
        self,
        n_features: int | tuple[int, ...] | None = None,
        n_classes: int = 2,
        penalty: float = 0.01,
        iterations: int = 20,
    ) -> None:
        check_int("n_classes", n_classes, minimum=2, maximum=MOST_CLASSES)
        super().__init__(n_features, n_classes)
        self.penalty = check_float("penalty", penalty, above=0)
        self.iterations = check_int("iterations", iterations, minimum=1)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Tensor:
        """Weights (B, C, d + 1), the intercept last, in float64."""
        context_x, context_y = self.check_context(context_x, context_y)
        present = torch.ones(context_x.shape[:2], dtype=torch.bool, device=context_x.device)
        return self._fit(_with_intercept(context_x)[:, None], context_y[:, None], present[:, None])[:, 0]

    def predict(self, state: Tensor, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=len(state), n_values=state.shape[-1] - 1)
        return (_with_intercept(query_x) @ state.mT).to(query_x.dtype)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, y = self.check_context(x, y, names=("x", "y"))
        n = x.shape[1]
        before = torch.ones(n, n, dtype=torch.bool, device=x.device).tril(-1)
        points = _with_intercept(x)
        weights = self._fit(points[:, None], y[:, None], before[None].expand(len(x), n, n))
        return torch.einsum("bpcd,bpd->bpc", weights, points).to(x.dtype)

    def _fit(self, points: Tensor, y: Tensor, present: Tensor) -> Tensor:
        """Weights (B, P, C, D) of P fits a task; points (B, 1, n, D), y (B, 1, n), present (B, P, n)."""
        labels = one_hot(y, self.n_classes, points.dtype).mT  # classes before points throughout: (B, P, C, n)
        size, n_fits = points.shape[-1], present.shape[:2]
        ridge = torch.full((size,), self.penalty, dtype=points.dtype, device=points.device)
        ridge[-1] *= 1e-3
        mask = present[..., None, :].to(points.dtype)
        squares = (points[..., :, None] * points[..., None, :]).flatten(
            -2
        )  # (B, 1, n, D D): Hessians are sums of these

        def evaluate(w: Tensor) -> tuple[Tensor, Tensor]:
            log_p = (w @ points.mT).log_softmax(-2)
            return -(mask * labels * log_p).sum((-1, -2)) + 0.5 * (ridge * w.square()).sum((-1, -2)), log_p

        weights = points.new_zeros(*n_fits, self.n_classes, size)
        value, log_p = evaluate(weights)
        for _ in range(self.iterations):
            p = log_p.exp() * mask
            gradient = (p - mask * labels) @ points + ridge * weights
            hessian = points.new_zeros(*n_fits, self.n_classes, size, self.n_classes, size)
            for a in range(self.n_classes):
                for b in range(a + 1):
                    curvature = p[..., a, :] * (float(a == b) - p[..., b, :])
                    block = (curvature[..., None, :] @ squares).view(*n_fits, size, size)
                    hessian[:, :, a, :, b] = hessian[:, :, b, :, a] = block
            hessian = hessian.flatten(4, 5).flatten(2, 3) + torch.diag(ridge.repeat(self.n_classes))
            with solving("context_x"):
                step = torch.linalg.solve(hessian, gradient.flatten(2)).view_as(weights)
            tried, log_p = evaluate(weights - step)
            for _ in range(5):  # halve the step of those fits whose loss would rise by more than rounding
                worse = ~(tried <= value + 1e-9)
                if not bool(worse.any()):
                    break
                step = torch.where(worse[..., None, None], 0.5 * step, step)
                tried, log_p = evaluate(weights - step)
            weights, value = weights - step, tried
            if (
                float(step.abs().max()) < 1e-6
            ):  # Newton converges quadratically: the next step would be about its square
                break
        return weights


def _with_intercept(x: Tensor) -> Tensor:
    points = x.flatten(2).double()
    return torch.cat([points, torch.ones_like(points[..., :1])], dim=-1)


class Chance(Learner):
    """The best answer without looking at any input: the family's label frequencies, or its mean label.

    Estimated once from 4,096 tasks of 8 points of the family, drawn from a fixed seed of their own.

    Args:
        family: whose labels to expect.
    """

    def __init__(self, family: TaskFamily) -> None:
        if not isinstance(family, TaskFamily):
            raise ValueError(f"family: expected a TaskFamily, got {describe(family)}")
        super().__init__(family.n_features, family.n_classes)
        y = family.sample(4096, 8, generator=generator_for(0, Stream.REFERENCE)).y
        if family.n_classes is None:
            answer = y.mean()
        else:
            answer = ((one_hot(y, family.n_classes, torch.float32).mean((0, 1))) + EPS).log()
        self.register_buffer("answer", answer, persistent=False)
        self.answer: Tensor

    def adapt(self, context_x: Tensor, context_y: Tensor) -> int:
        """The number of tasks: nothing else is remembered."""
        context_x, _ = self.check_context(context_x, context_y)
        return context_x.shape[0]

    def predict(self, state: int, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=state)
        return self.answer.to(query_x).expand(*query_x.shape[:2], *self.answer.shape)

    def predict_prefixes(self, x: Tensor, y: Tensor) -> Tensor:
        x, _ = self.check_context(x, y, names=("x", "y"))
        return self.answer.to(x).expand(*x.shape[:2], *self.answer.shape)
