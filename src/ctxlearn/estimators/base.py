"""What the two estimators share: checking tables, reading the context, answering, writing and reading files."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from ctxlearn.checks import check_int
from ctxlearn.estimators.models import find_learner, scaled_by_context
from ctxlearn.estimators.reading import Answer, Reading, Together, ask_without_each
from ctxlearn.estimators.saving import Fitted, read_fitted, write_fitted
from ctxlearn.estimators.views import make_views
from ctxlearn.learners import Learner
from ctxlearn.seeding import LARGEST_SEED
from ctxlearn.tables import Columns, Table
from ctxlearn.tables.cells import Numbers


class InContextEstimator(BaseEstimator, ABC):  # type: ignore[misc]  # scikit-learn has no types
    """A learner with scikit-learn's face; `InContextClassifier` and `InContextRegressor` are the two there are."""

    _kind: str

    def __init__(
        self,
        model: Any = None,
        *,
        n_permutations: int = 2,
        max_context: int = 1000,
        random_state: Any = 0,
    ) -> None:
        self.model = model
        self.n_permutations = n_permutations
        self.max_context = max_context
        self.random_state = random_state

    def save(self, path: Path | str) -> None:
        """Write the fitted estimator, model included, as one file of tensors (safetensors) and facts (JSON) with a checksum.

        Args:
            path: of the file; the folder is made if need be.

        Raises:
            NotFittedError: `fit` was not called.
            StorageError: the file cannot be written; an older one is then left as it was.
            ValueError: the model's class cannot be built from what it records.
        """
        check_is_fitted(self)
        facts = {
            "settings": {"n_permutations": int(self.n_permutations), "max_context": int(self.max_context)},
            "seed": self._fitted.seed,
            "names": list(self.feature_names_in_) if hasattr(self, "feature_names_in_") else None,
            **self._target(),
        }
        write_fitted(Path(path), self._kind, self.learner_, self._fitted, facts)

    @classmethod
    def load(cls, path: Path | str) -> Self:
        """The fitted estimator that `save` wrote; its `model` is the learner that the file holds.

        Raises:
            FileNotFoundError: there is no such file.
            CorruptFileError: it is truncated, altered, or was not written by `save`.
            ValueError: it holds the other kind of estimator, or a model whose class cannot be imported.
        """
        learner, fitted, facts = read_fitted(Path(path), cls._kind)
        estimator = cls(learner, random_state=facts["seed"], **facts["settings"])
        estimator.learner_ = learner
        estimator.n_features_in_ = len(fitted.columns.columns)
        if facts["names"] is not None:
            estimator.feature_names_in_ = np.array(facts["names"], dtype=object)
        estimator._set_target(facts)
        estimator._fitted = fitted
        estimator._read()
        return estimator

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def __getstate__(self) -> Any:
        state = dict(super().__getstate__())
        state.pop("_reading", None)  # as large as the context times the depth of the model, and quickly made again
        return state

    def __setstate__(self, state: Any) -> None:
        super().__setstate__(state)
        if "_fitted" in state:
            self._read()

    def _fit(self, table: Table, y: NDArray[Any], n_classes: int | None) -> None:
        """Read the context: inputs (n, d) and coded labels (n,)."""
        n_permutations = check_int("n_permutations", self.n_permutations, minimum=1)
        max_context = check_int("max_context", self.max_context, minimum=2)
        learner = find_learner(self.model, self._kind)
        if n_classes is not None and n_classes > max_context:
            raise ValueError(
                f"y: expected at most max_context = {max_context} classes, one row each, got {n_classes}; raise max_context"
            )
        columns = Columns.learn(table)
        x, told = torch.from_numpy(columns.numbers(table)), torch.from_numpy(y)
        seed = _seed(self.random_state)
        views = make_views(
            x,
            told,
            torch.from_numpy(columns.levels),
            scaled_by_context(learner),
            n_classes=n_classes,
            n_permutations=n_permutations,
            max_context=max_context,
            generator=torch.Generator().manual_seed(seed),
        )
        if len(x) > max_context:
            warnings.warn(
                f"a context of {len(x)} rows: each of {views.n_views} views reads {max_context} of them, drawn at random;"
                " a larger max_context reads more, of which a model trained on short contexts may make little",
                UserWarning,
                stacklevel=3,
            )
        used = torch.unique(views.rows)
        views = views._replace(rows=torch.searchsorted(used, views.rows))
        self.learner_ = learner
        self._fitted = Fitted(columns, views, x[used], told[used], seed)
        self._read()

    def _read(self) -> None:
        fitted = self._fitted
        self.n_views_ = fitted.views.n_views
        self._reading = Reading(scaled_by_context(self.learner_), fitted.views, fitted.x, fitted.y)

    def _check_context(self, X: Any, y: Any) -> Table:
        """X as a table whose columns can be looked at, with scikit-learn's checks of form; y's length."""
        table = self._check_table(X, y, reset=True)
        check_consistent_length(table, y)
        return table

    def _check_table(self, X: Any, y: Any = "no_validation", *, reset: bool) -> Table:
        if not isinstance(X, pd.DataFrame):
            if y is None:
                validate_data(self, X, y, reset=reset, skip_check_array=True)  # says that y is required
            table: Table = validate_data(self, X, reset=reset, dtype=None, ensure_all_finite=False)
            return table
        validate_data(self, X, y, reset=reset, skip_check_array=True)
        for size, what in zip(X.shape, ("sample", "feature"), strict=True):
            if size == 0:
                raise ValueError(
                    f"Found array with 0 {what}(s) (shape={X.shape}) while a minimum of 1 is required by"
                    f" {type(self).__name__}."
                )
        return X

    def _inputs(self, X: Any) -> Numbers:
        check_is_fitted(self)
        return self._fitted.columns.numbers(self._check_table(X, reset=False))

    def _ask(self, x: Numbers, answer: Answer, together: Together) -> NDArray[np.float64]:
        return self._reading.ask(x, answer, together)

    def _ask_without_each(self, x: Numbers, answer: Answer, together: Together) -> NDArray[np.float64]:
        """Answers from contexts that lack one row each, (n, q, ...)."""
        fitted = self._fitted
        n = len(fitted.y)
        if n < 2:
            raise ValueError("influence: expected a context of at least 2 rows, one to leave out, got 1")
        if fitted.views.rows.shape[1] < n:
            raise ValueError(
                f"influence: expected a context of at most max_context = {self.max_context} rows, all of which every view"
                " reads; give fewer rows, or raise max_context"
            )
        return ask_without_each(self._reading.learner, fitted.views, fitted.x, fitted.y, x, answer, together)

    @abstractmethod
    def _target(self) -> dict[str, Any]:
        """What is known of y, as JSON-able data."""

    @abstractmethod
    def _set_target(self, facts: dict[str, Any]) -> None:
        """The opposite of `_target`."""


def means(learner: Learner, state: Any, query_x: torch.Tensor) -> torch.Tensor:
    """`Answer`: logits, or means."""
    return learner.predict(state, query_x)


def distributions(learner: Learner, state: Any, query_x: torch.Tensor) -> torch.Tensor:
    """`Answer`: quantiles."""
    return learner.predict_distribution(state, query_x)


def _seed(random_state: Any) -> int:
    """A seed from scikit-learn's `random_state`: an int is one, a RandomState draws one, None asks the system for one."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return check_int("random_state", random_state, minimum=0, maximum=LARGEST_SEED)
