"""The separating plane of the largest margin, for many contexts at once."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_int
from ctxlearn.learners.base import Learner

LEAST = 1e-6
"""Penalty on the intercept, in place of none: with it a context of one class has an answer."""


class MaxMargin(Learner):
    """Linear classification by the largest margin, one class against the rest.

    For each class c, with s_i = 1 where y_i = c and -1 elsewhere, minimises

        1/2 r^2 |w|^2 + cost sum_i max(0, 1 - s_i (w.x_i + b)),

    r^2 being the mean squared distance of the context's points from their mean, so that units of x do not matter; the
    logits are the values w.x + b. With a large cost, separable points are separated by the hard margin. With two
    classes the logits are opposite. A primal-dual interior-point method in float64 finishes in `iterations` steps of a
    system of d + 1 unknowns. An empty context gives zero.

    Args:
        n_features: an int d or the shape of one input; None takes any.
        n_classes: C >= 2.
        cost: > 0, of a violated margin; r^2 times scikit-learn's C.
        iterations: >= 1, of Newton's method at most.

    Source: Cortes and Vapnik 1995, eq. 6 and 13; Mehrotra 1992 for the steps.
    """

    n_classes: int

    def __init__(
        self,
        n_features: int | tuple[int, ...] | None = None,
        n_classes: int = 2,
        cost: float = 1000.0,
        iterations: int = 40,
    ) -> None:
        check_int("n_classes", n_classes, minimum=2)
        super().__init__(n_features, n_classes)
        self.cost = check_float("cost", cost, above=0)
        self.iterations = check_int("iterations", iterations, minimum=1)

    def adapt(self, context_x: Tensor, context_y: Tensor) -> Tensor:
        """Weights (B, C, d + 1), the intercept last, in float64."""
        context_x, context_y = self.check_context(context_x, context_y)
        points = context_x.flatten(2).double()
        if points.shape[1] == 0:
            return points.new_zeros(len(points), self.n_classes, points.shape[2] + 1)
        centre = points.mean(1, keepdim=True)
        centred = points - centre
        radius = centred.square().sum(-1).mean(1).sqrt()[:, None, None]
        radius = torch.where(radius > 1e-12 * centre.abs().amax(-1, keepdim=True), radius, 1.0)
        scaled = torch.cat([centred / radius, torch.ones_like(points[..., :1])], dim=-1)
        signs = 2.0 * (context_y[:, None] == torch.arange(self.n_classes, device=points.device)[:, None]) - 1
        fitted = self._fit(signs.double()[..., None] * scaled[:, None])
        weights = fitted[..., :-1] / radius
        return torch.cat([weights, fitted[..., -1:] - weights @ centre.mT], dim=-1)

    def predict(self, state: Tensor, query_x: Tensor) -> Tensor:
        query_x = self.check_query(query_x, n_tasks=len(state), n_values=state.shape[-1] - 1)
        outputs = query_x.flatten(2).double() @ state[..., :-1].mT + state[:, None, :, -1]
        return outputs.to(query_x.dtype)

    def _fit(self, rows: Tensor) -> Tensor:
        """Weights (B, C, D) of problems whose rows s_i (x_i, 1) are (B, C, n, D).

        Each point has a slack v >= 0 of its margin and a distance g = row.w - 1 + v >= 0 from it; their multipliers are
        cost - a and a. A step follows Newton to v (cost - a) = g a = target, the target being Mehrotra's guess.
        """
        size = rows.shape[-1]
        ridge = torch.ones(size, dtype=rows.dtype, device=rows.device)
        ridge[-1] = LEAST
        w = rows.new_zeros(*rows.shape[:2], size)
        slack = rows.new_full(rows.shape[:3], 2.0)
        gap, a = torch.ones_like(slack), torch.full_like(slack, 0.5 * min(self.cost, 1.0))
        for _ in range(self.iterations):
            rest = self.cost - a
            mean = ((gap * a + slack * rest).sum(-1, keepdim=True) / (2 * rows.shape[2])).clamp(min=1e-300)
            dual = (a[..., None, :] @ rows)[..., 0, :] - ridge * w  # what the weights still lack
            primal = (rows @ w[..., None])[..., 0] - 1 + slack - gap
            left = torch.maximum(mean[..., 0], torch.maximum(dual.abs().amax(-1), primal.abs().amax(-1)))
            open_ = (left > 1e-10)[..., None]  # a finished problem rests: further steps would divide zero by zero
            if not bool(open_.any()):
                break
            stiffness = 1 / (gap / a + slack / rest)
            system = rows.mT @ (stiffness[..., None] * rows) + torch.diag(ridge)
            factor = torch.linalg.cholesky_ex(system)[0]

            def step(gap_target: Tensor, slack_target: Tensor) -> tuple[Tensor, ...]:
                # eliminated in order: slack, gap, a; what is left is a system for the weights
                lead = primal + slack_target / rest - gap_target / a  # noqa: B023
                right = dual - ((stiffness * lead)[..., None, :] @ rows)[..., 0, :]  # noqa: B023
                d_w = torch.cholesky_solve(right[..., None], factor)[..., 0]  # noqa: B023
                d_a = -stiffness * ((rows @ d_w[..., None])[..., 0] + lead)  # noqa: B023
                return d_w, d_a, (gap_target - gap * d_a) / a, (slack_target + slack * d_a) / rest  # noqa: B023

            def reach(d_a: Tensor, d_gap: Tensor, d_slack: Tensor) -> Tensor:
                # the share of the step that leaves all of them positive
                pairs = ((a, d_a), (rest, -d_a), (gap, d_gap), (slack, d_slack))  # noqa: B023
                limits = [torch.where(d < 0, -v / d.clamp(max=-1e-300), torch.inf).amin(-1, True) for v, d in pairs]
                return torch.stack(limits).amin(0).clamp(max=1.0)

            _, d_a, d_gap, d_slack = step(-gap * a, -slack * rest)
            share = reach(d_a, d_gap, d_slack)
            ahead = (gap + share * d_gap) * (a + share * d_a) + (slack + share * d_slack) * (rest - share * d_a)
            target = mean * (ahead.sum(-1, keepdim=True) / (2 * rows.shape[2] * mean)).clamp(0, 1) ** 3
            d_w, d_a, d_gap, d_slack = step(target - gap * a - d_gap * d_a, target - slack * rest + d_slack * d_a)
            share = 0.99 * reach(d_a, d_gap, d_slack)
            open_ = open_ & (share * d_w).isfinite().all(-1, keepdim=True)
            w, a, gap, slack = (
                torch.where(open_, value + share * change, value)
                for value, change in ((w, d_w), (a, d_a), (gap, d_gap), (slack, d_slack))
            )
        return w
