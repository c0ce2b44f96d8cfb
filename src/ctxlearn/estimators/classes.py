"""Classification in context, without scikit-learn."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ctxlearn.estimators.labels import class_labels
from ctxlearn.estimators.predictor import ContextPredictor, means
from ctxlearn.estimators.serialization import as_json, from_json
from ctxlearn.tables import Read, Table

ROUNDS = 50
"""Steps towards the probabilities of classes where labels are shared; the likelihood rises with each."""


class ClassPredictor(ContextPredictor):
    """What `InContextClassifier` does."""

    _kind = "classifier"

    def fit(self, X: Any, y: Any) -> Self:
        """Read labelled rows.

        Args:
            X: (n, d), n >= 1, d >= 1.
            y: labels (n,) of text, integers or Booleans.

        Returns:
            Itself.

        Raises:
            ValueError: X or y cannot be read (the column and row are named), y lacks labels or holds numbers that are no classes,
                or the model or the device cannot be used.
            TypeError: a cell is neither text nor a number.
        """
        self._learn_classes(self._check_table(X, reset=True), y)
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the classes, (q, C) in the order of `classes_`, for rows X (q, d)."""
        return self._ask(self._inputs(X), means, self._together)

    def predict_log_proba(self, X: Any) -> NDArray[np.float64]:
        """Logarithms of `predict_proba`, (q, C); -inf where a probability is zero."""
        with np.errstate(divide="ignore"):
            found: NDArray[np.float64] = np.log(self.predict_proba(X))
        return found

    def predict(self, X: Any) -> NDArray[Any]:
        """The likeliest class of each row of X (q, d), (q,)."""
        best = self.predict_proba(X).argmax(axis=1)
        found: NDArray[Any] = self.classes_[best]
        return found

    def influence(self, X: Any) -> NDArray[np.float64]:
        """How much each row of the context adds to the probability of the class predicted: leave-one-out.

        The context is read again without each of its n rows, in the same views; this takes about n times as long as a
        prediction, and a `ContextWarning` says so where n is above 200.

        Args:
            X: rows (q, d) to explain.

        Returns:
            (q, n): probability of the predicted class with the whole context, less that without the row.

        Raises:
            ValueError: a context of one row, of more than max_context, or of more than 1,000.
        """
        self._refuse_language("influence")
        x = self._inputs(X)
        whole = self._ask(x, means, self._together)
        best = whole.argmax(axis=1)
        without = self._ask_without_each(x, means, self._together)
        rows = np.arange(len(best))
        found: NDArray[np.float64] = (whole[rows, best] - without[:, rows, best]).T
        return found

    def column_influence(self, X: Any) -> NDArray[np.float64]:
        """How much each column adds to the probability of the class predicted.

        Args:
            X: rows (q, d) to explain.

        Returns:
            (q, d): probability of the predicted class, less that of a model that sees nothing of the column, neither in the
            context nor in the row. Columns that say the same stand in for each other, and each then counts little.
        """
        self._refuse_language("column_influence")
        x = self._inputs(X)
        whole = self._ask(x, means, self._together)
        best = whole.argmax(axis=1)
        without = self._ask_without_each_column(x, means, self._together)
        rows = np.arange(len(best))
        found: NDArray[np.float64] = (whole[rows, best] - without[:, rows, best]).T
        return found

    def _refuse_language(self, what: str) -> None:
        """Refuse what cannot be asked of a language model; the predictors that take one override it."""

    def _learn_classes(self, table: Table | Read, y: Any) -> None:
        self.classes_, codes = np.unique(class_labels(y), return_inverse=True)
        self._learn(table, codes.astype(np.int64), len(self.classes_))

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
