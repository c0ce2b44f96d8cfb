"""scikit-learn's face: fit a table's labelled rows, predict the others."""

from ctxlearn.estimators.classifier import InContextClassifier
from ctxlearn.estimators.regressor import InContextRegressor

__all__ = ["InContextClassifier", "InContextRegressor"]
