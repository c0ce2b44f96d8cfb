"""What a predictor answers on probes, and what of that does not fit the promise of a predictor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ctxlearn.identification.predictors import Answers
from ctxlearn.identification.probes import Probes
from ctxlearn.threads import Workers, available_cores, one_thread_per_operator

POINTS = 2**16
"""Points (of contexts and queries) in one call of a predictor, about: what bounds the memory."""
ALONE = 4
"""Contexts on which queries are asked one by one, to see that they are answered one by one."""


@dataclass(frozen=True)
class Responses:
    """Scores of one predictor on probes; K = 1 for two classes and for regression, else C.

    Attributes:
        scores: (B, q, K) float64.
        influence: change of the scores when one label is changed, (B, m, q, K).
        shuffled: the scores when the context comes in another order, (B, q, K).
    """

    scores: Tensor
    influence: Tensor
    shuffled: Tensor

    def order_dependence(self) -> float:
        """Root mean square change by another order of the context, in standard deviations of the scores."""
        spread = float((self.scores - self.scores.mean((0, 1))).square().mean().sqrt())
        moved = float((self.shuffled - self.scores).square().mean().sqrt())
        return moved / spread if spread > 0 else 0.0


def respond(
    answers: Answers, probes: Probes, *, threads: int | None = None, done: Callable[[int], object] = lambda _: None
) -> Responses:
    """Ask a predictor everything about the probes, in chunks of contexts side by side."""
    n, n_contexts, m = probes.n_context, len(probes.x), probes.changed.shape[1]
    per_context = (m + 2) * (n + probes.queries.shape[1])
    pieces = torch.split(torch.arange(n_contexts), max(1, POINTS // per_context))

    def ask(rows: Tensor) -> Tensor:
        x, y, order = probes.x[rows], probes.y[rows], probes.shuffled[rows]
        place = order.reshape(*order.shape, *[1] * (x.ndim - 2)).expand_as(x)
        contexts = torch.cat([x[:, None].expand(-1, m + 1, *x.shape[1:]), x.gather(1, place)[:, None]], dim=1)
        labels = torch.cat([y[:, None], probes.changed[rows], y.gather(1, order)[:, None]], dim=1)
        queries = probes.queries[rows][:, None].expand(-1, m + 2, *probes.queries.shape[1:])
        found = answers(contexts.flatten(0, 1), labels.flatten(0, 1), queries.flatten(0, 1))
        done(len(rows))
        return found.reshape(len(rows), m + 2, *found.shape[1:])

    with one_thread_per_operator(), Workers(min(threads or available_cores(), len(pieces))) as workers:
        found = torch.cat(workers.map(ask, pieces))
    return Responses(found[:, 0], found[:, 1:-1] - found[:, :1], found[:, -1])


def check_alone(name: str, answers: Answers, probes: Probes, whole: Responses, tolerance: float = 0.0) -> None:
    """Refuse a predictor whose answer for a query is random, or depends on the other queries or their order.

    Scores may move by `tolerance`, or by a thousandth of their standard deviation where that is more.
    """
    x, y, queries = probes.x[:ALONE], probes.y[:ALONE], probes.queries[:ALONE]
    spread = float(whole.scores.std()) if whole.scores.numel() > 1 else 0.0
    expected = whole.scores[:ALONE]
    limit = 1e-3 * (spread + 1e-6 * float(whole.scores.abs().mean())) + 1e-9
    limit = max(limit, tolerance)
    n = probes.n_context

    def ask(asked: Tensor) -> Tensor:  # copies, which a predictor may write into
        return answers(x.clone(), y.clone(), asked.clone())

    first, again = ask(queries), ask(queries)
    gap = float((first - again).abs().max())
    if gap > limit:
        raise ValueError(
            f"{name}: expected equal answers to equal questions, but scores moved by {gap:.3g} at {n} context points when"
            f" the same was asked twice (their standard deviation is {spread:.3g}); fix its seed (a scikit-learn"
            " estimator's random_state), or switch off dropout by eval()"
        )
    single = torch.cat([ask(queries[:, j : j + 1]) for j in range(queries.shape[1])], dim=1)
    for what, found in (
        ("the order of the queries", ask(queries.flip(1)).flip(1)),
        ("the other queries", single),
    ):
        gap = float((found - expected).abs().max())
        if gap > limit:
            raise ValueError(
                f"{name}: expected each query to be answered on its own, but the answer depends on {what}: scores moved"
                f" by {gap:.3g} at {n} context points (their standard deviation is {spread:.3g}); fix its seed if it is random,"
                " switch off dropout and statistics over the batch, and let no query see another; where it is rounding, as in"
                " bfloat16, allow for it by tolerance="
            )


def implicit_weights(responses: Responses, probes: Probes) -> Tensor:
    """Least-squares weights (B, d, K) of the scores on the queries, with an intercept."""
    points = probes.queries.flatten(2).double()
    centred = points - points.mean(1, keepdim=True)
    found: Tensor = torch.linalg.pinv(centred, rtol=1e-6) @ (responses.scores - responses.scores.mean(1, keepdim=True))
    return found
