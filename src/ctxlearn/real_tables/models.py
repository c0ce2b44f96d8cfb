"""Who takes part: the shipped in-context model, and its rivals."""

from __future__ import annotations

import hashlib
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ctxlearn.estimators import InContextClassifier
from ctxlearn.real_tables.baselines import RIVALS
from ctxlearn.real_tables.splits import draw_rows, sizes_for
from ctxlearn.real_tables.tasks import TASKS, TableTask, task_data

SHIPPED = "in-context model"
MAJORITY = "majority"
RANKED = (SHIPPED, *(name for name in RIVALS if name != MAJORITY))
"""Those that are ranked; the majority is drawn as chance."""
NAMES = (*RANKED, MAJORITY)


class Classifier(Protocol):
    """What takes part: scikit-learn's two methods."""

    def fit(self, x: pd.DataFrame, y: NDArray[np.int64]) -> Any:
        """Read labelled rows."""

    def predict_proba(self, x: pd.DataFrame) -> NDArray[np.float64]:
        """Probabilities (q, C)."""


def contestant(name: str, seed: int) -> Classifier:
    """A fresh classifier; `seed` is of what it draws."""
    return shipped(seed) if name == SHIPPED else RIVALS[name](seed)


def shipped(seed: int) -> Classifier:
    """The model that comes with the package, with its defaults."""
    model: Classifier = InContextClassifier(random_state=seed)
    return model


def identity(name: str) -> str:
    """What a contestant is found again by: a hash of what it answers on three tasks of the development side.

    It changes with the model, with the code and with the libraries below, wherever the answers do. The tasks have
    categories, missing values, more features than the model's and six classes.
    """
    seen = ("penguins: species", "breast cancer: diagnosis", "glass: kind")
    answers = [_answers(name, task) for task in TASKS if task.name in seen]
    return hashlib.sha256(repr(answers).encode()).hexdigest()


def _answers(name: str, task: TableTask) -> list[list[float]]:
    data = task_data(task)
    context, queries = draw_rows(task, data.y, 0)
    context, queries = context[: sizes_for(len(data.classes), (16,))[0]], queries[:10]
    model = contestant(name, 0)
    model.fit(data.x.iloc[context], data.y[context])
    # in four digits: the last ones differ between processors
    answers: list[list[float]] = model.predict_proba(data.x.iloc[queries]).round(4).tolist()
    return answers
