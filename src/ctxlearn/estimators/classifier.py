"""Classification in context, with scikit-learn's face."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin

from ctxlearn.estimators.base import InContextEstimator, one_column, refuse_fit_arguments
from ctxlearn.estimators.classes import ClassPredictor
from ctxlearn.estimators.labels import class_labels
from ctxlearn.estimators.predictor import seed_of

if TYPE_CHECKING:
    from ctxlearn.estimators.language_rows import LanguageRows


class InContextClassifier(ClassifierMixin, InContextEstimator, ClassPredictor):  # type: ignore[misc]  # scikit-learn has no types
    """Classify rows of a table by a model that learns in context: nothing is trained, `fit` reads the labelled rows.

    Made for small contexts, some rows to some hundred; a context longer than those the model was trained on is read whole up to
    `max_context` rows. X is a pandas DataFrame, an array of numbers, Booleans and text, or a sparse matrix of scipy, whose zeros are
    values; NaN (None, NA) is missing. Text and pandas' categorical columns are categories, and one that the context lacks counts
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
        language: None; or a language model, which reads each row as text (`column: value; ...`) and the labels as they are: what
            `ctxlearn.language.load_language_model` takes or gives. It is for a dozen labelled rows with columns of text, is calibrated by
            leaving each of them out in turn (up to 32 rows), and takes `n_estimators` for the orders in which it reads them. A
            `LanguageWarning` says what more than a minute takes beforehand. The other arguments, `save` and the influences are not
            for it.
        n_estimators: views of the context, at most (equal ones are made once: two classes without categories have two).
            More are a little better and take as many times as long.
        max_context: most rows of a view; of a longer context each view reads rows of its own, drawn at random with at least one
            of each class, and a `ContextWarning` says so. Memory grows with the rows that are read, time with their square.
        categorical_features: columns whose numbers are names, besides those of text and of a categorical type: their names,
            positions, or a mask of d Booleans.
        device: where to compute: "auto", a `torch.device`, or the name of one. "auto" is where a `Learner` at hand has its weights;
            of any other model the CUDA device, where there is one, else the CPU. Devices differ by rounding.
        random_state: of the views: an int, a `numpy.random.RandomState`, or None for other views at each fit.

    Attributes:
        classes_: the labels, sorted, (C,).
        n_features_in_: d.
        feature_names_in_: names of the columns, where X had names of text.
        n_views_: views of the context, 1 to n_estimators; more where there are more classes than the model knows.
        learner_: the learner that answers.
    """

    _told: LanguageRows

    def __init__(
        self,
        model: Any = None,
        *,
        language: Any = None,
        n_estimators: int = 2,
        max_context: int = 1000,
        categorical_features: Any = None,
        device: Any = "auto",
        random_state: Any = 0,
    ) -> None:
        super().__init__(
            model,
            n_estimators=n_estimators,
            max_context=max_context,
            categorical_features=categorical_features,
            device=device,
            random_state=random_state,
        )
        self.language = language

    def fit(self, X: Any, y: Any, **arguments: Any) -> Self:
        """Read labelled rows.

        Args:
            X: (n, d), n >= 1, d >= 1.
            y: labels (n,) of text, integers or Booleans.
            arguments: none; `sample_weight` is refused with what to do instead.

        Returns:
            Itself.

        Raises:
            ValueError: X or y cannot be read (the column and row are named), y lacks labels or holds numbers that are no classes,
                or the model or the device cannot be used; or more text than a language model reads.
            TypeError: a cell is neither text nor a number, or there are other arguments.
        """
        refuse_fit_arguments(arguments)
        table = self._check_context(X, y)
        if self.language is None:
            self._learn_classes(table, one_column(y))
            return self
        from ctxlearn.estimators.language_rows import LanguageRows  # with transformers, which takes seconds

        if self.model is not None:
            raise ValueError("language: a language model takes the place of model; give one of the two")
        labels, seed = class_labels(one_column(y)), seed_of(self.random_state)
        self._told = LanguageRows(self.language, table, labels, orders=self.n_estimators, seed=seed)
        self.classes_ = self._told.classes_
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        if self.language is None:
            return super().predict_proba(X)
        self._check_is_fitted()
        table = self._check_table(X, reset=False)
        self._told.warn(table)
        return self._told.predict_proba(table)

    def save(self, path: Path | str) -> None:
        self._refuse_language("save")
        super().save(path)

    def _refuse_language(self, what: str) -> None:
        if self.language is not None:
            raise ValueError(
                f"{what}: expected a model of numbers, got language={self.language!r}; leave it out for this"
            )
