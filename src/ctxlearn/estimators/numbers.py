"""Regression in context, without scikit-learn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ctxlearn.checks import check_int, describe
from ctxlearn.estimators.labels import number_labels
from ctxlearn.estimators.predictor import ContextPredictor, distributions, means
from ctxlearn.estimators.serialization import check_constant
from ctxlearn.tables import Read, Table

EXTREME = 300
"""Labels of more than 2^300, or less than 2^-300, are read in a unit that is a power of two, lest their squares leave the range of
float64."""


class NumberPredictor(ContextPredictor):
    """What `InContextRegressor` does."""

    _kind = "regressor"

    def fit(self, X: Any, y: Any) -> Self:
        """Read rows with their values.

        Args:
            X: (n, d), n >= 1, d >= 1.
            y: finite numbers (n,).

        Returns:
            Itself.

        Raises:
            ValueError: X or y cannot be read (the column and row are named), or the model or the device cannot be used.
            TypeError: a cell is neither text nor a number.
        """
        self._learn_numbers(self._check_table(X, reset=True), y)
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The mean of y for each row of X (q, d), (q,); not below zero where no y is, nor above zero where no y is."""
        x = self._inputs(X)
        if self._constant is not None:
            return np.full(len(x), self._constant)
        return self._in_its_unit(self._ask(x, means, self._together))

    def predict_quantiles(self, X: Any, levels: Sequence[float] = (0.05, 0.5, 0.95)) -> NDArray[np.float64]:
        """Quantiles of y for each row of X (q, d).

        The model's own quantiles, averaged level by level over the views and interpolated between its levels; not below zero where
        no y is, nor above zero where no y is.

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
        found = self._ask(x, distributions, self._together)
        n = found.shape[1]
        _check_levels(wanted, 0.5 / n)
        place = np.clip(wanted * n - 0.5, 0, n - 1)
        low = np.minimum(place.astype(int), max(0, n - 2))
        high = np.minimum(low + 1, n - 1)
        share = place - low
        return self._in_its_unit((1 - share) * found[:, low] + share * found[:, high])

    def influence(self, X: Any) -> NDArray[np.float64]:
        """How much each row of the context adds to the prediction: leave-one-out, as `InContextClassifier.influence`.

        Returns:
            (q, n): prediction with the whole context, less that without the row.
        """
        x = self._inputs(X)
        without = self._ask_without_each(x, means, self._together)
        if self._constant is not None:
            return np.zeros((len(x), len(without)))
        return self._in_its_unit((self._ask(x, means, self._together) - without).T)

    def column_influence(self, X: Any) -> NDArray[np.float64]:
        """How much each column adds to the prediction, as `InContextClassifier.column_influence`.

        Returns:
            (q, d): prediction, less that of a model that sees nothing of the column.
        """
        x = self._inputs(X)
        if self._constant is not None:
            return np.zeros((len(x), self.n_features_in_))
        without = self._ask_without_each_column(x, means, self._together)
        return self._in_its_unit((self._ask(x, means, self._together) - without).T)

    def _learn_numbers(self, table: Table | Read, y: Any) -> None:
        numbers = number_labels(y)
        self._constant = float(numbers[0]) if (numbers == numbers[0]).all() else None
        self._sign = int((numbers >= 0).all()) - int((numbers <= 0).all())
        exponent = int(np.frexp(np.abs(numbers).max())[1])
        self._exponent = exponent if abs(exponent) > EXTREME else 0
        self._learn(table, np.ldexp(numbers, -self._exponent), None)

    def _together(self, answers: Tensor) -> Tensor:
        mean = answers.mean(0)
        if self._sign > 0:
            return mean.clamp(min=0.0)
        return mean.clamp(max=0.0) if self._sign < 0 else mean

    def _in_its_unit(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        if self._exponent == 0:
            return numbers
        with np.errstate(over="ignore", under="ignore"):
            found: NDArray[np.float64] = np.ldexp(numbers, self._exponent)
        if not np.isfinite(found).all():
            raise ValueError(
                "y: predictions for these labels exceed the largest number of float64, 1.8e308; give y in a larger unit (divide it"
                " by 1e10, say)"
            )
        return found

    def _target(self) -> dict[str, Any]:
        return {"constant": self._constant, "sign": self._sign, "exponent": self._exponent}

    def _set_target(self, facts: dict[str, Any]) -> None:
        self._constant = check_constant(facts["constant"])
        self._sign = check_int("sign", facts["sign"], minimum=-1, maximum=1)
        self._exponent = check_int("exponent", facts["exponent"], minimum=-1100, maximum=1100)


def _check_levels(levels: NDArray[np.float64], lowest: float) -> None:
    if levels.ndim != 1 or not ((levels >= lowest - 1e-12) & (levels <= 1 - lowest + 1e-12)).all():
        raise ValueError(
            f"levels: expected numbers in [{lowest:g}, {1 - lowest:g}], which this model predicts, got"
            f" {describe(levels.tolist())}"
        )
