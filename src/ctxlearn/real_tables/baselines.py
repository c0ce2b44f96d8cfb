"""The rivals: scikit-learn's classifiers, each tuned as is usual with that few rows.

Tuning is by stratified cross-validation inside of the context, with as many folds as the smallest class has rows, at
most three; the choice is that of least log-loss. Where a class has a single row nothing can be left out, and the defaults
are taken. The Gaussian process chooses its kernel by marginal likelihood, and k of the nearest
neighbours is chosen by leaving out one row.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from ctxlearn.real_tables.metrics import log_losses
from ctxlearn.real_tables.preprocessing import Encoder

Rows = NDArray[np.float64]
Labels = NDArray[np.int64]
MOST_FOLDS = 3


class Rival(ABC):
    """A classifier of scikit-learn with its encoding and its tuning.

    Args:
        seed: of what it draws: folds, trees.
    """

    tuning: str
    """How it is tuned, for readers; also part of what finished measurements are found by."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, x: pd.DataFrame, y: Labels) -> Self:
        """Encode, tune and fit. Every class of the task has a row."""
        self._encoder = Encoder().fit(x)
        with warnings.catch_warnings():  # of solvers that end early or at the edge of a search, which is no news here
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._model = self._fitted(self._encoder.transform(x), y)
        return self

    def predict_proba(self, x: pd.DataFrame) -> Rows:
        """Probabilities (q, C)."""
        found: Rows = self._model.predict_proba(self._encoder.transform(x))
        return found

    @abstractmethod
    def _fitted(self, x: Rows, y: Labels) -> Any:
        """A fitted classifier."""

    def _folds(self, x: Rows, y: Labels) -> list[tuple[Labels, Labels]]:
        """Rows to fit to and rows left out, for each fold; none where a class has one row."""
        n_folds = min(MOST_FOLDS, int(np.bincount(y).min()))
        if n_folds < 2:
            return []
        split = StratifiedKFold(n_folds, shuffle=True, random_state=self.seed)
        return list(split.split(x, y))

    def _best(self, settings: Sequence[dict[str, Any]], x: Rows, y: Labels, make: Callable[..., Any]) -> dict[str, Any]:
        """The setting of least log-loss on rows left out; the first where nothing can be left out."""
        folds = self._folds(x, y)
        if not folds or len(settings) == 1:
            return settings[0]
        losses = [
            np.concatenate([log_losses(make(**s).fit(x[a], y[a]).predict_proba(x[b]), y[b]) for a, b in folds]).mean()
            for s in settings
        ]
        return settings[int(np.argmin(losses))]


class Majority(Rival):
    """The shares of the classes in the context, whatever is asked."""

    tuning = "none"

    def _fitted(self, x: Rows, y: Labels) -> Any:
        return DummyClassifier(strategy="prior").fit(x, y)


class Logistic(Rival):
    """Logistic regression with a ridge penalty."""

    tuning = "C of 1, 0.1, 10, 100"

    def _fitted(self, x: Rows, y: Labels) -> Any:
        settings = [{"C": c} for c in (1.0, 0.1, 10.0, 100.0)]
        return LogisticRegression(**self._best(settings, x, y, LogisticRegression)).fit(x, y)


class Neighbours(Rival):
    """k nearest neighbours."""

    tuning = "k of 1, 3, 5, 7, 11, 15 and equal or inverse-distance weights, by leaving out one row"

    def _fitted(self, x: Rows, y: Labels) -> Any:
        ks = [k for k in (1, 3, 5, 7, 11, 15) if k < len(y)]
        apart = np.sqrt(np.maximum(((x[:, None] - x[None]) ** 2).sum(-1), 0))
        np.fill_diagonal(apart, np.inf)
        order = np.argsort(apart, axis=1, kind="stable")
        hits = y[order][..., None] == np.arange(y.max() + 1)
        inverse = 1 / np.maximum(np.take_along_axis(apart, order, axis=1), 1e-9)
        losses = {}
        for k in ks:
            for weights in ("uniform", "distance"):
                weight = inverse[:, :k, None] if weights == "distance" else np.ones((len(y), k, 1))
                share = (weight * hits[:, :k]).sum(1) / weight.sum(1)
                losses[k, weights] = log_losses(share, y).mean()
        k, weights = min(losses, key=lambda key: losses[key])
        return KNeighborsClassifier(k, weights=weights).fit(x, y)


class SupportVectors(Rival):
    """Support vector machine with a Gaussian kernel; probabilities by Platt's sigmoid on rows left out."""

    tuning = "C of 1, 10, 100 and gamma of 1, 0.25, 4 times 1 / d, by accuracy; sigmoid by cross-validation"

    def _fitted(self, x: Rows, y: Labels) -> Any:
        folds = self._folds(x, y)
        settings = [{"C": c, "gamma": g / x.shape[1]} for g in (1.0, 0.25, 4.0) for c in (1.0, 10.0, 100.0)]
        if not folds:
            return _Softmax(SVC(**settings[0])).fit(x, y)
        right = [sum((SVC(**s).fit(x[a], y[a]).predict(x[b]) == y[b]).sum() for a, b in folds) for s in settings]
        machine = SVC(**settings[int(np.argmax(right))])
        return CalibratedClassifierCV(machine, ensemble=False, cv=folds).fit(x, y)


class _Softmax:
    """Probabilities from the machine's scores where there are too few rows for Platt's sigmoid."""

    def __init__(self, machine: SVC) -> None:
        self._machine = machine

    def fit(self, x: Rows, y: Labels) -> Self:
        self._machine.fit(x, y)
        return self

    def predict_proba(self, x: Rows) -> Rows:
        scores = self._machine.decision_function(x)
        if scores.ndim == 1:
            scores = np.stack([-scores, scores], axis=1)
        shares = np.exp(scores - scores.max(1, keepdims=True))
        found: Rows = shares / shares.sum(1, keepdims=True)
        return found


class GaussianProcess(Rival):
    """Gaussian process with a Gaussian kernel and Laplace's approximation; one against the rest for more classes."""

    tuning = "amplitude and length scale by marginal likelihood"

    def _fitted(self, x: Rows, y: Labels) -> Any:
        kernel = ConstantKernel(4.0, (1e-2, 1e3)) * RBF(np.sqrt(x.shape[1]), (1e-1, 1e3))
        return GaussianProcessClassifier(kernel, random_state=self.seed).fit(x, y)


class Forest(Rival):
    """Random forest of 100 trees."""

    tuning = "none, as is usual: leaves of one row, the root of the features at a split"

    def _fitted(self, x: Rows, y: Labels) -> Any:
        return RandomForestClassifier(100, random_state=self.seed).fit(x, y)


class Boosting(Rival):
    """Gradient boosting of trees."""

    tuning = "depth 2, rate 0.2; 20, 5, 10 or 40 rounds"

    def _fitted(self, x: Rows, y: Labels) -> Any:
        rounds = (20, 5, 10, 40)
        losses = np.zeros(len(rounds))
        for a, b in self._folds(x, y):
            stages = list(self._boosted(max(rounds)).fit(x[a], y[a]).staged_predict_proba(x[b]))
            losses += [log_losses(stages[r - 1], y[b]).sum() for r in rounds]
        return self._boosted(rounds[int(np.argmin(losses))]).fit(x, y)

    def _boosted(self, rounds: int) -> GradientBoostingClassifier:
        return GradientBoostingClassifier(n_estimators=rounds, learning_rate=0.2, max_depth=2, random_state=self.seed)


RIVALS: dict[str, type[Rival]] = {
    "logistic regression": Logistic,
    "k nearest neighbours": Neighbours,
    "support vector machine": SupportVectors,
    "Gaussian process": GaussianProcess,
    "random forest": Forest,
    "gradient boosting": Boosting,
    "majority": Majority,
}
"""By the name that readers see."""
