"""Regression in context, with scikit-learn's face."""

from __future__ import annotations

from typing import Any, Self

from sklearn.base import RegressorMixin

from ctxlearn.estimators.base import InContextEstimator, one_column, refuse_fit_arguments
from ctxlearn.estimators.numbers import NumberPredictor


class InContextRegressor(RegressorMixin, InContextEstimator, NumberPredictor):  # type: ignore[misc]  # scikit-learn has no types
    """Predict a number for rows of a table by a model that learns in context: nothing is trained, `fit` reads the rows.

    Tables are as for `InContextClassifier`, and so are views, more features and longer contexts than the model was trained
    on. Where all values of y are equal, that value is the answer. Where none is negative, as with prices and counts, no prediction
    and no quantile is: what the model puts below zero is zero. Likewise with values none of which is positive.

    Args:
        model: None for the model that comes with the package; or the folder of a run, a `Run`, or a `Learner` of regression.
            A learner that is no `ContextScaled` is put into one (`sort=False`): it gets inputs and labels scaled by the context.
        n_estimators: views of the context, at most: equal ones are made once, so that a model to which the order of features
            means nothing reads a table without categories once.
        max_context: most rows of a view; of a longer context each view reads rows of its own, drawn at random, and a
            `ContextWarning` says so. Memory grows with the rows that are read, time with their square.
        categorical_features: as for `InContextClassifier`.
        device: as for `InContextClassifier`.
        random_state: of the views: an int, a `numpy.random.RandomState`, or None for other views at each fit.

    Attributes:
        n_features_in_: d.
        feature_names_in_: names of the columns, where X had names of text.
        n_views_: views of the context, 1 to n_estimators.
        learner_: the learner that answers.
    """

    def fit(self, X: Any, y: Any, **arguments: Any) -> Self:
        """Read rows with their values.

        Args:
            X: (n, d), n >= 1, d >= 1.
            y: finite numbers (n,).
            arguments: none; `sample_weight` is refused with what to do instead.

        Returns:
            Itself.

        Raises:
            ValueError: X or y cannot be read (the column and row are named), or the model or the device cannot be used.
            TypeError: a cell is neither text nor a number, or there are other arguments.
        """
        refuse_fit_arguments(arguments)
        self._learn_numbers(self._check_context(X, y), one_column(y))
        return self
