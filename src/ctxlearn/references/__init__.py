"""Learners without trained parameters to compare with."""

from ctxlearn.references.bayes import BayesOptimal, EffectiveSampleSizeWarning
from ctxlearn.references.classical import Chance, LogisticRegression, NearestNeighbor
from ctxlearn.references.descent import GradientDescent
from ctxlearn.references.linear_gaussian import LinearGaussian
from ctxlearn.references.linear_pool import LinearPool
from ctxlearn.references.selection import AlgorithmSelection

__all__ = [
    "AlgorithmSelection",
    "BayesOptimal",
    "Chance",
    "EffectiveSampleSizeWarning",
    "GradientDescent",
    "LinearGaussian",
    "LinearPool",
    "LogisticRegression",
    "NearestNeighbor",
]
