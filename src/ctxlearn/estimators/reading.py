"""What a learner made of every view of a context, and its answers for any number of rows in bounded memory."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctxlearn.checks import trusted_values
from ctxlearn.estimators.views import Views
from ctxlearn.learners import Learner
from ctxlearn.learners.base import State
from ctxlearn.threads import Workers, available_cores, one_thread_per_operator

FEW, MANY = 64, 256
"""Points (rows times views) that pass through the learner at once, always exactly so many: `FEW` where it is asked about at most
`FEW_IN_ALL`, so that one row is answered soon, else `MANY`, so that two threads do not wait for each other's Python."""
FEW_IN_ALL = 512
CONTEXT_POINTS = 512
"""Points of contexts that are read at once, or of queries about contexts that lack a row."""

Answer = Callable[[Learner, State, Tensor], Tensor]
"""What to ask of a learner: its `predict` or its `predict_distribution`, as (learner, state, query_x)."""
Together = Callable[[Tensor], Tensor]
"""Answers of all views (E, q, ...) as one answer a row, (q, ...)."""


class Reading:
    """The states of E views of a context: keys and values in the case of a transformer.

    Rows are asked about in pieces of one of two sizes, filled up with copies where they are fewer. So each row goes through
    products of the same shape whichever rows are asked about with it, and its answer has the same bits; left to their own
    shapes, products in single precision differ by about 1e-6. The two sizes gave the same bits wherever this was tried.

    Args:
        learner: what reads and answers.
        views: of the context.
        x: the context's inputs, (n, d) float64.
        y: its labels, (n,) int64 classes or float64 numbers.
    """

    def __init__(self, learner: Learner, views: Views, x: Tensor, y: Tensor) -> None:
        self.learner, self.views = learner, views
        size = max(1, CONTEXT_POINTS // views.rows.shape[1])
        parts = [slice(i, i + size) for i in range(0, views.n_views, size)]
        self._states: list[State] = []
        with one_thread_per_operator(), torch.no_grad(), trusted_values():
            for part in parts:
                context_x, context_y = views.select(part).context(x, y, self._places)
                own = _device(learner)
                self._states.append(learner.adapt(context_x.to(own), context_y.to(own)))
        self._parts = parts

    def ask(self, x: NDArray[np.float64], answer: Answer, together: Together) -> NDArray[np.float64]:
        """An answer for each row of x (q, d), q >= 0."""
        rows = torch.from_numpy(x)
        points = FEW if len(rows) * self.views.n_views <= FEW_IN_ALL else MANY
        size = max(1, points // self.views.n_views)
        filled = torch.cat([rows, rows[-1:].expand(-len(rows) % size, -1)])
        chunks = torch.split(filled, size)
        with one_thread_per_operator(), Workers(min(available_cores(), len(chunks))) as workers:
            found = workers.map(lambda chunk: self._ask(chunk, answer, together), chunks)
        return torch.cat(found)[: len(rows)].numpy()

    def _ask(self, rows: Tensor, answer: Answer, together: Together) -> Tensor:
        own = _device(self.learner)
        with torch.inference_mode(), trusted_values():
            answers = [
                answer(self.learner, state, self.views.select(part).inputs(rows, self._places).to(own))
                for part, state in zip(self._parts, self._states, strict=True)
            ]
            found = together(torch.cat(answers).cpu().double())
            if not bool(torch.isfinite(found).all()):
                raise ValueError(
                    "model: its answers are not finite numbers; it has diverged in training, or the values in X are of"
                    " another kind than it was trained on"
                )
            return found

    @property
    def _places(self) -> int:
        assert isinstance(self.learner.n_features, int)
        return self.learner.n_features


def ask_without_each(
    learner: Learner, views: Views, x: Tensor, y: Tensor, asked: NDArray[np.float64], answer: Answer, together: Together
) -> NDArray[np.float64]:
    """`Reading.ask` once for each row of the context, from a context that lacks it: (n, q, ...).

    Every view must show all n >= 2 rows.
    """
    n, places = len(y), learner.n_features
    assert isinstance(places, int)
    own = _device(learner)
    kept = torch.arange(n - 1).expand(n, -1)
    kept = kept + (kept >= torch.arange(n)[:, None])  # (n, n - 1): row j lacks j
    context_x, context_y = views.context(x, y, places)
    queries = views.inputs(torch.from_numpy(asked), places)
    rows_at_once = max(1, CONTEXT_POINTS // (n * views.n_views))

    def ask(lacking: Tensor) -> Tensor:
        with torch.inference_mode(), trusted_values():
            part_x = context_x[:, lacking].transpose(0, 1).flatten(0, 1)  # (rows * E, n - 1, k)
            part_y = context_y[:, lacking].transpose(0, 1).flatten(0, 1)
            state = learner.adapt(part_x.to(own), part_y.to(own))
            found = []
            for some in torch.split(queries, max(1, CONTEXT_POINTS // len(part_x)), dim=1):
                answers = answer(learner, state, some.repeat(len(lacking), 1, 1).to(own)).cpu().double()
                found.append(torch.stack([together(part) for part in torch.split(answers, views.n_views)]))
            return torch.cat(found, dim=1)

    parts = torch.split(kept, rows_at_once)
    with one_thread_per_operator(), Workers(min(available_cores(), len(parts))) as workers:
        return torch.cat(workers.map(ask, parts)).numpy()


def _device(learner: Learner) -> torch.device:
    own = next(learner.parameters(), None)
    return torch.device("cpu") if own is None else own.device
