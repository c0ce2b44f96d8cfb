"""Priors over tabular tasks, as wide as small real tables are."""

from ctxlearn.tasks.tabular.families import TabularClassification, TabularRegression
from ctxlearn.tasks.tabular.wide import WideClassification, WideRegression

__all__ = ["TabularClassification", "TabularRegression", "WideClassification", "WideRegression"]
