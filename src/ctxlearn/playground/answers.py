"""What a learner answers: on a grid, on fresh points, and without each point in turn."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctxlearn.checks import trusted_values
from ctxlearn.learners import Learner
from ctxlearn.learners.quantiles import quantile_levels
from ctxlearn.threads import one_thread_per_operator

Floats = NDArray[np.float64]
SHOWN_LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Quantiles that the panels of numbers show."""


class Numbers(NamedTuple):
    """Answers for q inputs: means (q,), and quantiles at `SHOWN_LEVELS` (q, 5) where the learner has a distribution."""

    mean: Floats
    quantiles: Floats | None


def grid(view: float, side: int) -> Tensor:
    """The middles of side x side cells of the plane, row by row from the top, (side^2, 2)."""
    places = (2 * torch.arange(side, dtype=torch.float32) + 1) / side - 1
    rows, columns = torch.meshgrid(-view * places, view * places, indexing="ij")
    return torch.stack([columns, rows], dim=-1).reshape(-1, 2)


def line(view: float, count: int) -> Tensor:
    """Inputs from -view to view, (count, 1)."""
    return torch.linspace(-view, view, count)[:, None]


def probabilities(model: Any, x: Tensor, y: Tensor, query: Tensor, n_classes: int) -> Floats:
    """Probabilities of the classes at each query.

    Args:
        model: a `Learner`, or an estimator with `fit` and `predict_proba`.
        x: the context, (B, n, 2).
        y: its classes, (B, n) int64.
        query: (q, 2), the same for all contexts.
        n_classes: C.

    Returns:
        (B, q, C). Without any point an estimator, which cannot be fitted, counts all classes as equally likely.

    Raises:
        ValueError: answers that are not finite numbers.
    """
    if isinstance(model, Learner):
        logits = _ask(model, x, y, query)[..., :n_classes]
        return _finite(logits.double().softmax(-1).numpy())
    found = np.full((len(x), len(query), n_classes), 1 / n_classes)
    for row, (points, labels) in enumerate(zip(x.numpy(), y.numpy(), strict=True)):
        if len(labels):
            model.fit(points, labels)
            found[row] = 0.0
            found[row][:, model.classes_] = model.predict_proba(query.numpy())
    return _finite(found)


def numbers(model: Any, x: Tensor, y: Tensor, query: Tensor) -> Numbers:
    """Means, and quantiles where the learner has a distribution, for one context x (n, 1), y (n,) and queries (q, 1).

    Raises:
        ValueError: answers that are not finite numbers; or no points for an estimator, which cannot be fitted.
    """
    if isinstance(model, Learner):
        mean = _ask(model, x[None], y[None], query)[0].double().numpy()
    elif len(y):
        model.fit(x.numpy(), y.numpy())
        mean = np.asarray(model.predict(query.numpy()), dtype=float)
    else:
        raise ValueError("place a point: this one cannot be fitted to none")
    return Numbers(_finite(mean), _quantiles(model, x, y, query))


def _quantiles(model: Any, x: Tensor, y: Tensor, query: Tensor) -> Floats | None:
    try:
        if isinstance(model, Learner):
            with torch.no_grad(), one_thread_per_operator():
                own = model.predict_distribution(model.adapt(x[None], y[None]), query[None])[0].double().cpu().numpy()
            levels = quantile_levels(own.shape[-1]).numpy()
            return _finite(np.stack([np.interp(SHOWN_LEVELS, levels, row) for row in own]))
        if hasattr(model, "predict_quantiles"):
            return _finite(np.asarray(model.predict_quantiles(query.numpy(), SHOWN_LEVELS), dtype=float))
    except ValueError:  # how a learner says that it predicts no distribution
        return None
    return None


def influence(model: Any, x: Tensor, y: Tensor, place: Tensor, n_classes: int) -> tuple[Floats, Floats]:
    """How much each point adds to the probability of the answer at a place.

    Args:
        model: as in `probabilities`.
        x: the context, (n, 2).
        y: its classes, (n,).
        place: (2,).
        n_classes: C.

    Returns:
        Probabilities at the place (C,), and for each point the probability of the likeliest class with all points less
        that without the point, (n,); zero for a point on its own.
    """
    whole = probabilities(model, x[None], y[None], place[None], n_classes)[0, 0]
    n, best = len(y), int(whole.argmax())
    if n < 2:
        return whole, np.zeros(n)
    if hasattr(model, "influence"):
        own: Floats = model.fit(x.numpy(), y.numpy()).influence(place[None].numpy())[0]
        return whole, own
    kept = torch.arange(n - 1).expand(n, -1)
    kept = kept + (kept >= torch.arange(n)[:, None])
    without = probabilities(model, x[kept], y[kept], place[None], n_classes)[:, 0, best]
    return whole, whole[best] - without


def accuracy(model: Any, x: Tensor, y: Tensor, fresh_x: Tensor, fresh_y: Tensor, n_classes: int) -> float:
    """The share of fresh points (q, 2) whose likeliest class is theirs, (q,); of ties half, of two classes."""
    found = probabilities(model, x[None], y[None], fresh_x, n_classes)[0]
    best = found >= found.max(1, keepdims=True) - 1e-12
    right = best[np.arange(len(found)), fresh_y.numpy()] / best.sum(1)
    return float(right.mean())


def error(model: Any, x: Tensor, y: Tensor, fresh_x: Tensor, fresh_y: Tensor) -> float:
    """Root mean squared error on fresh points."""
    gap = numbers(model, x, y, fresh_x).mean - fresh_y.double().numpy()
    return float(np.sqrt(np.mean(gap**2)))


def _ask(model: Learner, x: Tensor, y: Tensor, query: Tensor) -> Tensor:
    with torch.no_grad(), one_thread_per_operator(), trusted_values():
        found = model.predict(model.adapt(x, y), query.expand(len(x), -1, -1))
    return found.cpu()


def _finite(found: Floats) -> Floats:
    if not np.isfinite(found).all():
        raise ValueError("its answers are not finite numbers here")
    return found
