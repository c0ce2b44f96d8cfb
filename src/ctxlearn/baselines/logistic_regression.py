"""Multinomial logistic regression, fitted to each context."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_int, solving
from ctxlearn.learners.base import Learner, one_hot

MOST_CLASSES = 100
"""A Newton step solves for the weights of all classes at once: its work grows with the cube of their number."""


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
