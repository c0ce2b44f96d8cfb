"""Distributions over tasks."""

from ctxlearn.tasks.base import Mixture, TaskFamily
from ctxlearn.tasks.classification import Amortization, ClassPrototype, PairwiseMetric, Radial
from ctxlearn.tasks.labelled import Labelled

__all__ = ["Amortization", "ClassPrototype", "Labelled", "Mixture", "PairwiseMetric", "Radial", "TaskFamily"]
