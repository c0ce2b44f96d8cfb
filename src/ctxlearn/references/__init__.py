"""Learners without trained parameters to compare with."""

from ctxlearn.references.bayes import BayesOptimal, EffectiveSampleSizeWarning
from ctxlearn.references.classical import Chance, LogisticRegression, NearestNeighbor

__all__ = ["BayesOptimal", "Chance", "EffectiveSampleSizeWarning", "LogisticRegression", "NearestNeighbor"]
