"""scikit-learn's face of both estimators: its checks of tables, its tags."""

from __future__ import annotations

from typing import Any

import pandas as pd
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d, validate_data

from ctxlearn.estimators.predictor import ContextPredictor
from ctxlearn.tables import Table
from ctxlearn.tables.frames import as_frame

DENSE_BYTES = 4 * 2**30
"""Most memory that a sparse table may take when its zeros are written out."""


class InContextEstimator(BaseEstimator, ContextPredictor):  # type: ignore[misc]  # scikit-learn has no types
    """A predictor with scikit-learn's face; `InContextClassifier` and `InContextRegressor` are the two there are."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.sparse = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags

    def _check_is_fitted(self) -> None:
        check_is_fitted(self)

    def _check_context(self, X: Any, y: Any) -> Table:
        """X as a table whose columns can be looked at, with scikit-learn's checks of form; y's length."""
        table = self._check_table(X, reset=True, y=y)
        check_consistent_length(table, y)
        return table

    def _check_table(self, X: Any, *, reset: bool, y: Any = "no_validation") -> Table:
        X = as_frame(X)
        if not isinstance(X, pd.DataFrame):
            if y is None:
                validate_data(self, X, y, reset=reset, skip_check_array=True)  # says that y is required
            found = validate_data(
                self, X, reset=reset, dtype=None, ensure_all_finite=False, accept_sparse=("csr", "csc")
            )
            table: Table = _dense(found) if issparse(found) else found
            return table
        validate_data(self, X, y, reset=reset, skip_check_array=True)
        for size, what in zip(X.shape, ("sample", "feature"), strict=True):
            if size == 0:
                raise ValueError(
                    f"Found array with 0 {what}(s) (shape={X.shape}) while a minimum of 1 is required by"
                    f" {type(self).__name__}."
                )
        return X


def one_column(y: Any) -> Any:
    """Labels as they are, (n,); of a table of one column this column, with scikit-learn's warning."""
    return column_or_1d(y, warn=True) if len(getattr(y, "shape", (0,))) > 1 else y


def refuse_fit_arguments(given: dict[str, Any]) -> None:
    """Refuse what `fit` does not take; of weights, with what to do instead."""
    if given.pop("sample_weight", None) is not None:
        raise TypeError(
            "sample_weight: a model that learns in context reads each row once and has no weights; repeat rows for weights that"
            " are whole numbers (X.loc[X.index.repeat(weights)], numpy.repeat(X, weights, axis=0)), and leave out rows of weight 0"
        )
    if given:
        raise TypeError(f"fit: expected X and y, got {', '.join(given)}, too")


def _dense(matrix: Any) -> Any:
    """A sparse matrix as an array, in which zeros are values."""
    rows, columns = matrix.shape
    size = 8 * rows * columns
    if size > DENSE_BYTES:
        raise ValueError(
            f"X: expected a sparse table that takes at most {DENSE_BYTES / 2**30:g} GiB with its zeros written out, got {rows} rows"
            f" of {columns} columns, {size / 2**30:.1f} GiB; give fewer rows at a time, or reduce the columns first"
            " (sklearn.feature_selection, sklearn.decomposition.TruncatedSVD)"
        )
    return matrix.toarray()
