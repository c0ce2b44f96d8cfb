"""Learners without trained parameters to compare with."""

from ctxlearn.references.classical import Chance, LogisticRegression, NearestNeighbor

__all__ = ["Chance", "LogisticRegression", "NearestNeighbor"]
