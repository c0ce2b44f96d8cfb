"""Distributions over tasks."""

from ctxlearn.tasks.base import Mixture, TaskFamily
from ctxlearn.tasks.classification import Amortization, ClassPrototype, PairwiseMetric, Radial
from ctxlearn.tasks.labelled import Labelled
from ctxlearn.tasks.pool import Pool
from ctxlearn.tasks.regression import LinearRegression

__all__ = [
    "Amortization",
    "ClassPrototype",
    "Labelled",
    "LinearRegression",
    "Mixture",
    "PairwiseMetric",
    "Pool",
    "Radial",
    "TaskFamily",
]
