"""Priors over tabular tasks, as wide as small real tables are."""

from ctxlearn.tasks.tabular.families import TabularClassification, TabularRegression

__all__ = ["TabularClassification", "TabularRegression"]
