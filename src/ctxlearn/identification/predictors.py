"""What can be identified: learners, functions and scikit-learn estimators, all as one function of three tensors."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ctxlearn.checks import describe, trusted_values
from ctxlearn.learners.base import Learner, on_device_of
from ctxlearn.learners.metric import EPS

Answers = Callable[[Tensor, Tensor, Tensor], Tensor]
"""context_x (B, n, *shape), context_y (B, n), query_x (B, q, *shape) -> scores (B, q, K) float64."""

KINDS = (
    "a learner (with adapt and predict), a function of (context_x, context_y, query_x), or a scikit-learn estimator's"
    " class or factory (a callable without arguments)"
)


REFUSABLE = 8
"""Points up to which scikit-learn may refuse a context."""


def as_answers(name: str, predictor: object, n_classes: int | None) -> Answers:
    """`predictor` as one function to scores: log-odds (K = 1) of two classes, centred logits (K = C) of more, or means.

    Raises:
        ValueError: it is none of the kinds; the function raises it where shapes or values are wrong.
    """
    raw = _raw(name, predictor, n_classes)

    def answers(context_x: Tensor, context_y: Tensor, query_x: Tensor) -> Tensor:
        found = raw(context_x, context_y, query_x)
        return _as_scores(name, found, query_x.shape[0], query_x.shape[1], n_classes, context_x.shape[1])

    return answers


def _raw(name: str, predictor: object, n_classes: int | None) -> Callable[[Tensor, Tensor, Tensor], Any]:
    if isinstance(predictor, Learner) or (_has(predictor, "adapt", "predict") and not isinstance(predictor, type)):
        learner: Any = predictor

        def ask(*tensors: Tensor) -> Tensor:
            if isinstance(predictor, torch.nn.Module):
                tensors = on_device_of(predictor, *tensors)
            context_x, context_y, query_x = tensors
            with torch.inference_mode(), trusted_values():
                found: Tensor = learner.predict(learner.adapt(context_x, context_y), query_x)
            return found

        return ask
    if isinstance(predictor, type) and _has(predictor, "fit", "predict"):
        return _fitted_per_context(name, predictor, n_classes)
    if _has(predictor, "fit", "predict"):
        from sklearn.base import clone

        return _fitted_per_context(name, lambda: clone(predictor), n_classes)
    if callable(predictor) and not isinstance(predictor, type):
        if _takes(predictor, 3):
            return lambda *tensors: _without_gradient(predictor, *tensors)
        if _takes(predictor, 0):
            return _fitted_per_context(name, predictor, n_classes)
    raise ValueError(f"{name}: expected {KINDS}, got {describe(predictor)}")


def _without_gradient(function: Callable[..., Any], *tensors: Tensor) -> Any:
    with torch.no_grad():
        return function(*tensors)


def _has(thing: object, *methods: str) -> bool:
    return all(callable(getattr(thing, method, None)) for method in methods)


def _takes(function: Callable[..., Any], count: int) -> bool:
    try:
        inspect.signature(function).bind(*[None] * count)
    except TypeError:
        return False
    except ValueError:  # no signature: a built-in
        return count == 3
    return True


def _as_scores(name: str, found: Any, n_tasks: int, n_queries: int, n_classes: int | None, n: int) -> Tensor:
    scores = torch.as_tensor(found) if isinstance(found, np.ndarray) else found
    two = (n_tasks, n_queries)
    shapes: tuple[tuple[int, ...], ...]
    if n_classes is None:
        shapes, expected = (two,), f"means {two}"
    elif n_classes == 2:
        shapes, expected = (two, (*two, 2)), f"logits {(*two, 2)} or the log-odds of class 1, {two}"
    else:
        shapes, expected = ((*two, n_classes),), f"logits {(*two, n_classes)}"
    if not isinstance(scores, Tensor) or tuple(scores.shape) not in shapes:
        raise ValueError(
            f"{name}: expected {expected} for {n_tasks} contexts of {n} points and {n_queries} queries, got"
            f" {describe(found)}; return one score a query (and class)"
        )
    if scores.is_complex():
        raise ValueError(f"{name}: expected real scores, got {describe(found)}")
    scores = scores.detach().cpu().double()
    if not bool(torch.isfinite(scores).all()):
        place = tuple((~torch.isfinite(scores)).nonzero()[0].tolist())
        raise ValueError(
            f"{name}: expected finite scores, got {float(scores[place])} at index {place} for contexts of {n} points;"
            " clip probabilities before their logarithm is taken"
        )
    if scores.ndim == 2:
        return scores[..., None]
    return scores[..., 1:] - scores[..., :1] if n_classes == 2 else scores - scores.mean(-1, keepdim=True)


def _fitted_per_context(
    name: str, factory: Callable[[], Any], n_classes: int | None
) -> Callable[[Tensor, Tensor, Tensor], Any]:
    if not _has(factory(), "fit", "predict"):
        raise ValueError(f"{name}: expected a factory of estimators with fit and predict, got {describe(factory())}")

    def ask(context_x: Tensor, context_y: Tensor, query_x: Tensor) -> np.ndarray:
        points, queries = (t.flatten(2).double().numpy() for t in (context_x, query_x))
        rows = [
            _fit_one(name, factory, x, y, q, n_classes)
            for x, y, q in zip(points, context_y.numpy(), queries, strict=True)
        ]
        return np.stack(rows)

    return ask


def _fit_one(
    name: str, factory: Callable[[], Any], x: np.ndarray, y: np.ndarray, queries: np.ndarray, n_classes: int | None
) -> np.ndarray:
    """Scores (q, C) or means (q,) of an estimator fitted to one context.

    A context that scikit-learn refuses (no points, one class, fewer points than neighbours) is answered by the labels'
    smoothed frequencies, or their mean; one of more than `REFUSABLE` points must not be refused.
    """
    if n_classes is None:
        return _means(name, factory(), x, y, queries)
    counts = np.bincount(y, minlength=n_classes)
    plain = np.log((counts + 1) / (len(y) + n_classes))
    if (counts > 0).sum() < 2:
        return np.tile(plain, (len(queries), 1))
    estimator = factory()
    found: np.ndarray | None = None
    try:
        estimator.fit(x, y)
        if not hasattr(estimator, "classes_"):
            pass
        elif _has(estimator, "decision_function"):
            found = np.asarray(estimator.decision_function(queries), dtype=float)
        elif _has(estimator, "predict_proba"):
            found = np.log(np.asarray(estimator.predict_proba(queries), dtype=float) + EPS)
        else:
            found = np.log((estimator.predict(queries)[:, None] == estimator.classes_) + EPS)
    except ValueError as error:
        _accept_refusal(name, estimator, len(y), error)
        return np.tile(plain, (len(queries), 1))
    if found is None:
        raise ValueError(
            f"{name}: expected a classifier for {n_classes} classes, got {type(estimator).__name__}, which has no"
            " classes_ when fitted; say n_classes=None for regression"
        )
    if found.ndim == 1:
        found = np.stack([-found / 2, found / 2], axis=1)
    if found.shape != (len(queries), len(estimator.classes_)):
        raise ValueError(
            f"{name}: expected one score a class, {(len(queries), len(estimator.classes_))}, from"
            f" {type(estimator).__name__}, got {found.shape}; use decision_function_shape='ovr' for an SVC"
        )
    # a class that the context lacks is below the others by the query's own scores, whatever else is asked
    scores = np.tile(found.min(1, keepdims=True) + np.log(EPS), (1, n_classes))
    scores[:, estimator.classes_] = found
    return scores


def _means(name: str, estimator: Any, x: np.ndarray, y: np.ndarray, queries: np.ndarray) -> np.ndarray:
    if len(y) == 0:
        return np.zeros(len(queries))
    try:
        found = np.asarray(estimator.fit(x, y).predict(queries), dtype=float)
    except ValueError as error:
        _accept_refusal(name, estimator, len(y), error)
        return np.full(len(queries), y.mean())
    if found.size != len(queries):
        kind = type(estimator).__name__
        raise ValueError(f"{name}: expected one number a query, ({len(queries)},), from {kind}, got {found.shape}")
    return found.reshape(len(queries))


def _accept_refusal(name: str, estimator: object, n: int, error: ValueError) -> None:
    if n > REFUSABLE:
        raise ValueError(f"{name}: {type(estimator).__name__} refuses a context of {n} points: {error}") from error
