"""Regression in context, with scikit-learn's face."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import RegressorMixin
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import column_or_1d
from torch import Tensor

from ctxlearn.checks import describe
from ctxlearn.estimators.base import InContextEstimator, distributions, means
from ctxlearn.estimators.saving import check_constant


class InContextRegressor(RegressorMixin, InContextEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Predict a number for rows of a table by a model that learns in context: nothing is trained, `fit` reads the rows.

    Tables are as for `InContextClassifier`, and so are views, more features and longer contexts than the model was trained
    on. Where all values of y are equal, that value is the answer.

    Args:
        model: None for the model that comes with the package; or the folder of a run, a `Run`, or a `Learner` of regression.
            A learner that is no `ContextScaled` is put into one (`sort=False`): it gets inputs and labels scaled by the context.
        n_permutations: views of the context, at most: equal ones are made once, so that a model to which the order of features
            means nothing reads a table without categories once.
        max_context: most rows of a view; of a longer context each view reads rows of its own, drawn at random, and a warning
            says so.
        random_state: of the views: an int, a `numpy.random.RandomState`, or None for other views at each fit.

    Attributes:
        n_features_in_: d.
        feature_names_in_: names of the columns, where X had names of text.
        n_views_: views of the context, 1 to n_permutations.
        learner_: the learner that answers.
    """

    _kind = "regressor"

    def fit(self, X: Any, y: Any) -> Self:
        """Read rows with their values.

        Args:
            X: (n, d), n >= 1, d >= 1.
            y: finite numbers (n,).

        Returns:
            Itself.

        Raises:
            ValueError: X or y cannot be read (the column and row are named), or the model cannot be used.
            TypeError: X is sparse, or a cell is neither text nor a number.
        """
        table = self._check_context(X, y)
        numbers = column_or_1d(y, warn=True)
        if numbers.dtype.kind not in "fiub":
            try:
                numbers = numbers.astype(np.float64)
            except (TypeError, ValueError) as error:
                raise ValueError(
                    f"y: expected numbers, got {describe(numbers)} ({error}); InContextClassifier takes classes"
                ) from error
        numbers = numbers.astype(np.float64)
        assert_all_finite(numbers, input_name="y")
        self._constant = float(numbers[0]) if (numbers == numbers[0]).all() else None
        self._fit(table, numbers, None)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The mean of y for each row of X (q, d), (q,)."""
        x = self._inputs(X)
        return self._ask(x, means, _average) if self._constant is None else np.full(len(x), self._constant)

    def predict_quantiles(self, X: Any, levels: Sequence[float] = (0.05, 0.5, 0.95)) -> NDArray[np.float64]:
        """Quantiles of y for each row of X (q, d).

        The model's own quantiles, averaged level by level over the views and interpolated between its levels.

        Args:
            X: rows to answer for.
            levels: k levels, within those of the model (0.025 to 0.975 for the shipped one), beyond which it says nothing.

        Returns:
            (q, k).

        Raises:
            ValueError: a level outside these, or a model that predicts no distribution.
        """
        wanted = np.atleast_1d(np.asarray(levels, dtype=np.float64))
        x = self._inputs(X)
        if self._constant is not None:
            _check_levels(wanted, 0.0)
            return np.full((len(x), len(wanted)), self._constant)
        found = self._ask(x, distributions, _average)
        n = found.shape[1]
        _check_levels(wanted, 0.5 / n)
        place = np.clip(wanted * n - 0.5, 0, n - 1)
        low = np.minimum(place.astype(int), max(0, n - 2))
        high = np.minimum(low + 1, n - 1)
        share = place - low
        quantiles: NDArray[np.float64] = (1 - share) * found[:, low] + share * found[:, high]
        return quantiles

    def influence(self, X: Any) -> NDArray[np.float64]:
        """How much each row of the context adds to the prediction: leave-one-out, as `InContextClassifier.influence`.

        Returns:
            (q, n): prediction with the whole context, less that without the row.
        """
        x = self._inputs(X)
        without = self._ask_without_each(x, means, _average)
        if self._constant is not None:
            return np.zeros((len(x), len(without)))
        found: NDArray[np.float64] = (self._ask(x, means, _average) - without).T
        return found

    def _target(self) -> dict[str, Any]:
        return {"constant": self._constant}

    def _set_target(self, facts: dict[str, Any]) -> None:
        self._constant = check_constant(facts["constant"])


def _average(answers: Tensor) -> Tensor:
    return answers.mean(0)


def _check_levels(levels: NDArray[np.float64], lowest: float) -> None:
    if levels.ndim != 1 or not ((levels >= lowest - 1e-12) & (levels <= 1 - lowest + 1e-12)).all():
        raise ValueError(
            f"levels: expected numbers in [{lowest:g}, {1 - lowest:g}], which this model predicts, got"
            f" {describe(levels.tolist())}"
        )
