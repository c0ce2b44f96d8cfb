"""scikit-learn's face: fit a table's labelled rows, predict the others.

Names are loaded when first used: the command `predict` works without scikit-learn, which takes as long to import as a prediction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctxlearn.lazy import names_from

if TYPE_CHECKING:
    from ctxlearn.estimators.classifier import InContextClassifier
    from ctxlearn.estimators.predictor import ContextWarning
    from ctxlearn.estimators.regressor import InContextRegressor
    from ctxlearn.tables.frames import TableWarning

_HOMES = {
    "ContextWarning": "ctxlearn.estimators.predictor",
    "InContextClassifier": "ctxlearn.estimators.classifier",
    "InContextRegressor": "ctxlearn.estimators.regressor",
    "TableWarning": "ctxlearn.tables.frames",
}

__all__ = ["ContextWarning", "InContextClassifier", "InContextRegressor", "TableWarning"]

__getattr__ = names_from(__name__, _HOMES)
