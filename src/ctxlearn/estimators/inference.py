"""What a learner made of every view of a context, and its answers for any number of rows in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctxlearn.checks import trusted_values
from ctxlearn.estimators.devices import device_of
from ctxlearn.estimators.ensemble import Views
from ctxlearn.learners import Learner
from ctxlearn.learners.base import State
from ctxlearn.progress import is_watched, progress_bar
from ctxlearn.threads import available_cores, single_threaded_workers

FEW, MANY = 64, 256
"""Points (rows times views) that pass through the learner at once, always exactly so many: `FEW` where it is asked about at most
`FEW_IN_ALL`, so that one row is answered soon, else `MANY`, so that two threads do not wait for each other's Python."""
FEW_IN_ALL = 512
CONTEXT_POINTS = 512
"""Points of contexts that are read at once, or of queries about contexts that lack a row."""
LONG_SECONDS = 2.0
"""How long work may take before its progress is shown."""

Answer = Callable[[Learner, State, Tensor], Tensor]
"""What to ask of a learner: its `predict` or its `predict_distribution`, as (learner, state, query_x)."""
Together = Callable[[Tensor], Tensor]
"""Answers of all views (E, q, ...) as one answer a row, (q, ...)."""
In = TypeVar("In")
Out = TypeVar("Out")


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
        progress: whether work that takes long shows its progress on standard error; None where somebody watches.
    """

    def __init__(self, learner: Learner, views: Views, x: Tensor, y: Tensor, *, progress: bool | None = None) -> None:
        self.learner, self.views, self.progress = learner, views, progress
        size = max(1, CONTEXT_POINTS // views.rows.shape[1])
        self._parts = [slice(i, i + size) for i in range(0, views.n_views, size)]

        def read(part: slice) -> State:
            with torch.no_grad(), trusted_values():
                context_x, context_y = views.select(part).context(x, y, places_of(learner))
                own = device_of(learner)
                return learner.adapt(context_x.to(own), context_y.to(own))

        self._states = _side_by_side(
            read, self._parts, learner, "reading the context", [1] * len(self._parts), progress
        )

    def ask(self, x: NDArray[np.float64], answer: Answer, together: Together) -> NDArray[np.float64]:
        """An answer for each row of x (q, d), q >= 0."""
        points = FEW if len(x) * self.views.n_views <= FEW_IN_ALL else MANY
        size = max(1, points // self.views.n_views)
        pieces = [x[first : first + size] for first in range(0, len(x), size)] or [x]

        def ask(piece: NDArray[np.float64]) -> Tensor:
            filled = np.concatenate([piece, np.repeat(piece[-1:], -len(piece) % size, axis=0)])
            return self._ask(torch.from_numpy(filled), answer, together)[: len(piece)]

        sizes = [len(piece) for piece in pieces]
        found = _side_by_side(ask, pieces, self.learner, "predicting", sizes, self.progress)
        return np.concatenate([part.numpy() for part in found])

    def _ask(self, rows: Tensor, answer: Answer, together: Together) -> Tensor:
        own, places = device_of(self.learner), places_of(self.learner)
        with torch.inference_mode(), trusted_values():
            answers = [
                answer(self.learner, state, self.views.select(part).inputs(rows, places).to(own))
                for part, state in zip(self._parts, self._states, strict=True)
            ]
            found = together(torch.cat(answers).cpu().double())
            if not bool(torch.isfinite(found).all()):
                raise ValueError(
                    "model: its answers are not finite numbers; it has diverged in training, or the values in X are of"
                    " another kind than it was trained on"
                )
            return found


def ask_without_each(
    learner: Learner,
    views: Views,
    x: Tensor,
    y: Tensor,
    asked: NDArray[np.float64],
    answer: Answer,
    together: Together,
    *,
    progress: bool | None = None,
) -> NDArray[np.float64]:
    """`Reading.ask` once for each row of the context, from a context that lacks it: (n, q, ...).

    Every view must show all n >= 2 rows.
    """
    n, own = len(y), device_of(learner)
    rows_at_once = max(1, CONTEXT_POINTS // (n * views.n_views))
    parts = [range(first, min(n, first + rows_at_once)) for first in range(0, n, rows_at_once)]
    context_x, context_y = views.context(x, y, places_of(learner))
    queries = views.inputs(torch.from_numpy(asked), places_of(learner))

    def ask(lacking: range) -> Tensor:
        with torch.inference_mode(), trusted_values():
            kept = torch.arange(n - 1).expand(len(lacking), -1)
            kept = kept + (kept >= torch.tensor(lacking)[:, None])  # (rows, n - 1): each lacks one
            part_x = context_x[:, kept].transpose(0, 1).flatten(0, 1)  # (rows * E, n - 1, k)
            part_y = context_y[:, kept].transpose(0, 1).flatten(0, 1)
            state = learner.adapt(part_x.to(own), part_y.to(own))
            found = []
            for some in torch.split(queries, max(1, CONTEXT_POINTS // len(part_x)), dim=1):
                answers = answer(learner, state, some.repeat(len(lacking), 1, 1).to(own)).cpu().double()
                found.append(torch.stack([together(part) for part in torch.split(answers, views.n_views)]))
            return torch.cat(found, dim=1)

    found = _side_by_side(ask, parts, learner, "leaving rows out", [len(part) for part in parts], progress)
    return np.concatenate([part.numpy() for part in found])


def places_of(learner: Learner) -> int:
    """How many features a learner takes."""
    assert isinstance(learner.n_features, int)
    return learner.n_features


def _side_by_side(
    work: Callable[[In], Out],
    parts: Sequence[In],
    learner: Learner,
    doing: str,
    sizes: Iterable[int],
    progress: bool | None,
) -> list[Out]:
    """`work` on each part, on threads of its own; on an accelerator on one, whose operators are parallel themselves."""
    n_workers = min(available_cores(), len(parts)) if device_of(learner).type == "cpu" else 1
    shown = is_watched() if progress is None else progress
    sizes, found = list(sizes), []
    with (
        single_threaded_workers(n_workers) as workers,
        progress_bar(sum(sizes), doing, shown=shown, delay=LONG_SECONDS) as bar,
    ):
        for size, result in zip(sizes, workers.imap(work, parts), strict=True):
            found.append(result)
            bar.update(size)
    return found
