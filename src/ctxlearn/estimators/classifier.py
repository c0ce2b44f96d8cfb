"""Classification in context, with scikit-learn's face."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import column_or_1d
from torch import Tensor

from ctxlearn.estimators.base import InContextEstimator, means
from ctxlearn.estimators.saving import as_json, from_json

ROUNDS = 50
"""Steps towards the probabilities of classes where labels are shared; the likelihood rises with each."""


class InContextClassifier(ClassifierMixin, InContextEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Classify rows of a table by a model that learns in context: nothing is trained, `fit` reads the labelled rows.

    Made for small contexts, some rows to some hundred; a context longer than those the model was trained on is read whole up to
    `max_context` rows. X is a pandas DataFrame or an array of numbers, Booleans and
    text; NaN (None, NA) is missing. Text and pandas' categorical columns are categories, and one that the context lacks counts
    as missing. Scales are taken from the context alone, and each row is answered on its own.

    The context is shown to the model in several views, whose probabilities are averaged: classes under other
    labels, features in another order where it matters to the model, categories under other codes. More classes than
    the model was trained on are put into as many groups as it knows, other ones in every view, and the
    probabilities of the classes are those that agree best with what the views say of the groups. Of more features than it was trained on, each view
    shows those that say most of the label alone in half of the places, and the others in turn in the other half. With
    one class in y, the answer is that class, as with scikit-learn's trees.

    Args:
        model: None for the model that comes with the package; or the folder of a run, a `Run`, or a `Learner` of classes.
            A learner that is no `ContextScaled` is put into one (`sort=False`): it gets inputs scaled by the context.
        n_permutations: views of the context, at most (equal ones are made once: two classes without categories have two).
            More are a little better and take as many times as long.
        max_context: most rows of a view; of a longer context each view reads rows of its own, drawn at random with at least one
            of each class, and a warning says so.
        random_state: of the views: an int, a `numpy.random.RandomState`, or None for other views at each fit.

    Attributes:
        classes_: the labels, sorted, (C,).
        n_features_in_: d.
        feature_names_in_: names of the columns, where X had names of text.
        n_views_: views of the context, 1 to n_permutations; more where there are more classes than the model knows.
        learner_: the learner that answers.
    """

    _kind = "classifier"

    def fit(self, X: Any, y: Any) -> Self:
        """Read labelled rows.

        Args:
            X: (n, d), n >= 1, d >= 1.
            y: labels (n,) of text, integers or Booleans.

        Returns:
            Itself.

        Raises:
            ValueError: X or y cannot be read (the column and row are named), y holds missing values or numbers that are no
                classes, or the model cannot be used.
            TypeError: X is sparse, or a cell is neither text nor a number.
        """
        table = self._check_context(X, y)
        labels = column_or_1d(y, warn=True)
        assert_all_finite(labels, input_name="y")
        if labels.dtype == object and pd.isna(labels).any():
            raise ValueError(f"Input y contains NaN: row {int(np.argmax(pd.isna(labels)))} has no label; leave it out")
        kind = type_of_target(labels, input_name="y", raise_unknown=True)
        if kind not in ("binary", "multiclass"):
            raise ValueError(
                f"Unknown label type: {kind}. y: expected classes (text, integers or Booleans); InContextRegressor takes"
                " numbers"
            )
        self.classes_, codes = np.unique(labels, return_inverse=True)
        self._fit(table, codes.astype(np.int64), len(self.classes_))
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the classes, (q, C) in the order of `classes_`, for rows X (q, d)."""
        return self._ask(self._inputs(X), means, self._together)

    def predict(self, X: Any) -> NDArray[Any]:
        """The likeliest class of each row of X (q, d), (q,)."""
        best = self.predict_proba(X).argmax(axis=1)
        found: NDArray[Any] = self.classes_[best]
        return found

    def influence(self, X: Any) -> NDArray[np.float64]:
        """How much each row of the context adds to the probability of the class predicted: leave-one-out.

        The context is read again without each of its n rows, in the same views; this takes about n times as long as a
        prediction.

        Args:
            X: rows (q, d) to explain.

        Returns:
            (q, n): probability of the predicted class with the whole context, less that without the row.

        Raises:
            ValueError: a context of one row, or of more than max_context.
        """
        x = self._inputs(X)
        whole = self._ask(x, means, self._together)
        best = whole.argmax(axis=1)
        without = self._ask_without_each(x, means, self._together)
        rows = np.arange(len(best))
        found: NDArray[np.float64] = (whole[rows, best] - without[:, rows, best]).T
        return found

    def _together(self, logits: Tensor) -> Tensor:
        """Logits of the views (E, q, K) as probabilities (q, C)."""
        return classes_from_groups(logits, self._fitted.views.slots)

    def _target(self) -> dict[str, Any]:
        return {"classes": as_json(self.classes_)}

    def _set_target(self, facts: dict[str, Any]) -> None:
        self.classes_ = from_json(facts["classes"], self._fitted.views.slots.shape[1])


def classes_from_groups(logits: Tensor, slots: Tensor) -> Tensor:
    """Probabilities of classes from what several views say of groups of them.

    The p that makes sum_v KL(P_v || p summed over the groups of view v) smallest, by the EM algorithm from equal probabilities.
    Where every class is a group of its own, that is the mean of the P_v, after one step.

    Args:
        logits: of the learner's labels, (E, q, K).
        slots: label of each class in each view, (E, C); labels above the largest in use count as impossible.

    Returns:
        (q, C) float64.
    """
    n_views, n_classes = slots.shape
    used = slots.amax(1)[:, None] >= torch.arange(logits.shape[2])
    told = logits.masked_fill(~used[:, None], -torch.inf).softmax(-1)
    place = slots[:, None].expand(-1, logits.shape[1], -1)
    alone = n_classes <= int(slots.max()) + 1
    found = told.new_full((logits.shape[1], n_classes), 1 / n_classes)
    for _ in range(1 if alone else ROUNDS):
        sums = torch.zeros_like(told).scatter_add(2, place, found.expand(n_views, -1, -1))
        found = found * (told / sums.clamp(min=torch.finfo(sums.dtype).tiny)).gather(2, place).mean(0)
    return found / found.sum(1, keepdim=True)
