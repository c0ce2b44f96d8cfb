"""What both estimators do, without scikit-learn: reading the context, answering, writing and reading files."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from ctxlearn.checks import check_int, describe
from ctxlearn.estimators.categorical import categorical_places
from ctxlearn.estimators.devices import find_device
from ctxlearn.estimators.ensemble import Views, make_views
from ctxlearn.estimators.inference import Answer, Reading, Together, ask_without_each
from ctxlearn.estimators.models import find_learner, scaled_by_context
from ctxlearn.estimators.serialization import Fitted, check_names, read_fitted, reading_facts, write_fitted
from ctxlearn.learners import Learner
from ctxlearn.seeding import LARGEST_SEED
from ctxlearn.tables import Columns, Read, Table
from ctxlearn.tables.cells import Numbers
from ctxlearn.tables.frames import TableWarning
from ctxlearn.threads import single_threaded_workers

INFLUENCE_ROWS = 1000
"""Longest context each row of which may be left out in turn; that takes minutes, and grows with the cube of the rows."""
COSTLY_ROWS = 200
"""Context rows from which somebody should know how long it takes."""


class ContextWarning(UserWarning):
    """A context is read in part, or at great cost."""


class ContextPredictor(ABC):
    """A learner that has read a table; `ClassPredictor` and `NumberPredictor` are the two there are.

    The estimators are these with scikit-learn's face, and their docstrings explain the arguments; the command `predict` uses these
    themselves, since importing scikit-learn takes longer than answering.

    Attributes:
        shows_progress: whether work of more than two seconds shows its progress on standard error; None: where somebody watches.
    """

    _kind: str
    shows_progress: bool | None = None
    feature_names_in_: NDArray[Any]
    n_features_in_: int
    _from_file = False

    def __init__(
        self,
        model: Any = None,
        *,
        n_estimators: int = 2,
        max_context: int = 1000,
        categorical_features: Any = None,
        device: Any = "auto",
        random_state: Any = 0,
    ) -> None:
        self.model = model
        self.n_estimators = n_estimators
        self.max_context = max_context
        self.categorical_features = categorical_features
        self.device = device
        self.random_state = random_state

    @abstractmethod
    def fit(self, X: Any, y: Any) -> Self:
        """Read labelled rows X (n, d) with their labels y (n,)."""

    def save(self, path: Path | str) -> None:
        """Write the fitted estimator, model included, as one file of tensors (safetensors) and facts (JSON) with a checksum.

        Args:
            path: of the file; the folder is made if need be.

        Raises:
            NotFittedError: `fit` was not called.
            StorageError: the file cannot be written; an older one is then left as it was.
            ValueError: the model's class cannot be built from what it records.
        """
        self._check_is_fitted()
        named = self.categorical_features
        facts = {
            "settings": {
                "n_estimators": int(self.n_estimators),
                "max_context": int(self.max_context),
                "categorical_features": None if named is None else np.asarray(named).tolist(),
            },
            "seed": self._fitted.seed,
            "names": list(self.feature_names_in_) if hasattr(self, "feature_names_in_") else None,
            **self._target(),
        }
        write_fitted(Path(path), self._kind, self.learner_, self._fitted, facts)

    @classmethod
    def load(cls, path: Path | str, *, device: Any = "auto", trusted: Sequence[str] = ()) -> Self:
        """The fitted estimator that `save` wrote; its `model` is the learner that the file holds.

        Args:
            path: of the file.
            device: as for the constructor; it is no part of the file.
            trusted: modules outside ctxlearn whose classes the model may be made of, as in `ctxlearn.load`.

        Raises:
            FileNotFoundError: there is no such file.
            CorruptFileError: it is truncated, altered, or was not written by `save`.
            ValueError: it holds the other kind of estimator, or a model whose class cannot be imported or is of a module that is
                not trusted; the module is named. Or there is no such device.
        """
        learner, fitted, facts = read_fitted(Path(path), cls._kind, trusted)
        with reading_facts(Path(path)):
            settings = facts["settings"]
            estimator = cls(
                learner,
                n_estimators=check_int("n_estimators", settings["n_estimators"], minimum=1),
                max_context=check_int("max_context", settings["max_context"], minimum=2),
                categorical_features=settings["categorical_features"],
                device=device,
                random_state=fitted.seed,
            )
            estimator.learner_ = learner
            estimator.n_features_in_ = len(fitted.columns.columns)
            if facts["names"] is not None:
                estimator.feature_names_in_ = check_names(facts["names"], estimator.n_features_in_)
            estimator._from_file = True
            estimator._fitted = fitted
            estimator._set_target(facts)
        estimator.n_views_ = fitted.views.n_views
        find_device(device, learner, loaded=True)
        return estimator

    def __getstate__(self) -> Any:
        state = dict(super().__getstate__())  # type: ignore[call-overload]
        state.pop("_read", None)  # as large as the context times the depth of the model, and quickly made again
        return state

    def _learn(self, table: Table | Read, y: NDArray[Any], n_classes: int | None) -> None:
        """Read the context: inputs (n, d) and coded labels (n,)."""
        n_rows = len(table.x) if isinstance(table, Read) else table.shape[0]
        if len(y) != n_rows:
            raise ValueError(f"y: expected {n_rows} labels, one per row of X, got {len(y)}")
        n_estimators = check_int("n_estimators", self.n_estimators, minimum=1)
        max_context = check_int("max_context", self.max_context, minimum=2)
        learner = find_learner(self.model, self._kind)
        if n_classes is not None and n_classes > max_context:
            raise ValueError(
                f"y: expected at most max_context = {max_context} classes, one row each, got {n_classes}; raise max_context"
                " (--max-context)"
            )
        find_device(self.device, learner, loaded=self._loaded)
        if isinstance(table, Read):
            read = table
        else:
            read = Columns.learn_and_read(table, categorical_places(self.categorical_features, table))
            _warn(f"column {column.name!r}: {note}" for column in read.known.columns for note in column.told())
        columns = read.known
        x, told = torch.from_numpy(read.x), torch.from_numpy(y)
        seed = seed_of(self.random_state)
        own = scaled_by_context(learner)

        def look(generator: torch.Generator) -> Views:
            return make_views(
                x,
                told,
                torch.from_numpy(columns.levels),
                own,
                n_classes=n_classes,
                n_estimators=n_estimators,
                max_context=max_context,
                generator=generator,
            )

        with single_threaded_workers(1) as workers:
            [views] = workers.map(look, [torch.Generator().manual_seed(seed)])
        if len(x) > max_context:
            warnings.warn(
                f"a context of {len(x)} rows: each of {views.n_views} views reads {max_context} of them, drawn at random;"
                " a larger max_context (--max-context) reads more, of which a model trained on short contexts may make little",
                ContextWarning,
                stacklevel=4,
            )
        used = torch.unique(views.rows)
        views = views._replace(rows=torch.searchsorted(used, views.rows))
        self.learner_ = learner
        self._fitted = Fitted(columns, views, x[used], told[used], seed)
        self.n_views_ = views.n_views
        self._read = self._read_by(own)

    @property
    def _reading(self) -> Reading:
        """The states of the views, on the device; made again where they are not there, after unpickling for one."""
        found: Reading | None = self.__dict__.get("_read")
        if found is None:
            found = self._read = self._read_by(scaled_by_context(self.learner_))
        return found

    def _read_by(self, own: Learner) -> Reading:
        """What a copy of the learner, which may be moved, makes of the views."""
        fitted = self._fitted
        own.to(find_device(self.device, self.learner_, loaded=self._loaded))
        return Reading(own, fitted.views, fitted.x, fitted.y, progress=self.shows_progress)

    @property
    def _loaded(self) -> bool:
        """Whether the model comes from a file: a `Learner` of the user's own stays where they have put it."""
        return self._from_file or not isinstance(self.model, Learner)

    def _check_is_fitted(self) -> None:
        if not hasattr(self, "_fitted"):
            raise ValueError(f"This {type(self).__name__} instance is not fitted yet; call fit first")

    def _check_table(self, X: Any, *, reset: bool) -> Table | Read:
        """X as a table whose columns can be looked at, or as one that is read already."""
        if isinstance(X, Read):
            self.n_features_in_ = len(X.known.columns)
            return X
        shape = getattr(X, "shape", None)
        if shape is None or len(shape) != 2:
            raise ValueError(f"X: expected a table of rows and columns, got {describe(X)}")
        if reset:
            self.n_features_in_ = int(shape[1])
        elif shape[1] != self.n_features_in_:
            raise ValueError(f"X: expected {self.n_features_in_} columns, as in fit, got {shape[1]}")
        table: Table = X
        return table

    def _inputs(self, X: Any) -> Numbers:
        self._check_is_fitted()
        table = self._check_table(X, reset=False)
        if isinstance(table, Read):
            return table.x
        read = self._fitted.columns.read(table)
        _warn(f"column {name!r}: {note}" for name, note in read.notes())
        return read.x

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
                " reads; give fewer rows, or raise max_context (--max-context)"
            )
        if n > INFLUENCE_ROWS:
            raise ValueError(
                f"influence: expected a context of at most {INFLUENCE_ROWS} rows, got {n}, which would have to be read again"
                f" {n} times; give fewer rows"
            )
        if n > COSTLY_ROWS:
            warnings.warn(
                f"influence: the context is read again without each of its {n} rows, which takes {n} times as long as to fit it",
                ContextWarning,
                stacklevel=3,
            )
        reading = self._reading
        return ask_without_each(
            reading.learner, fitted.views, fitted.x, fitted.y, x, answer, together, progress=self.shows_progress
        )

    @property
    def columns_(self) -> pd.DataFrame:
        """What each column of X was taken for: a row per column with its kind, how it is written, its range and gaps."""
        self._check_is_fitted()
        return self._fitted.columns.table()

    def _ask_without_each_column(self, x: Numbers, answer: Answer, together: Together) -> NDArray[np.float64]:
        """Answers that know nothing of one column each, in context and queries, (d, q, ...)."""
        fitted = self._fitted
        places = fitted.columns.places
        shown = set(places[torch.unique(fitted.views.features).numpy()].tolist())
        whole = self._ask(x, answer, together)
        found = []
        for column in range(len(fitted.columns.columns)):
            if column not in shown:
                found.append(whole)
                continue
            hidden = torch.from_numpy(places == column)
            context = fitted.x.masked_fill(hidden, torch.nan)
            reading = Reading(self._reading.learner, fitted.views, context, fitted.y, progress=False)
            found.append(reading.ask(np.where(hidden.numpy(), np.nan, x), answer, together))
        return np.stack(found)

    @abstractmethod
    def _target(self) -> dict[str, Any]:
        """What is known of y, as JSON-able data."""

    @abstractmethod
    def _set_target(self, facts: dict[str, Any]) -> None:
        """The opposite of `_target`."""


def _warn(notes: Iterable[str]) -> None:
    for note in notes:
        warnings.warn(f"X: {note}", TableWarning, stacklevel=5)


def means(learner: Learner, state: Any, query_x: torch.Tensor) -> torch.Tensor:
    """`Answer`: logits, or means."""
    return learner.predict(state, query_x)


def distributions(learner: Learner, state: Any, query_x: torch.Tensor) -> torch.Tensor:
    """`Answer`: quantiles."""
    return learner.predict_distribution(state, query_x)


def seed_of(random_state: Any) -> int:
    """A seed from scikit-learn's `random_state`: an int is one, a RandomState draws one, None asks the system for one."""
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    return check_int("random_state", random_state, minimum=0, maximum=LARGEST_SEED)
