"""Learners without trained parameters to compare with."""

from ctxlearn.references.bayes import BayesOptimal, EffectiveSampleSizeWarning
from ctxlearn.references.classical import Chance, LogisticRegression, NearestNeighbor
from ctxlearn.references.descent import GradientDescent
from ctxlearn.references.domains import DomainBayes
from ctxlearn.references.ensemble import Ensemble
from ctxlearn.references.gate import TrainedGate, fit_gate
from ctxlearn.references.linear import Averaging, Ridge
from ctxlearn.references.linear_gaussian import LinearGaussian
from ctxlearn.references.linear_pool import LinearPool
from ctxlearn.references.margin import MaxMargin
from ctxlearn.references.selection import AlgorithmSelection
from ctxlearn.references.simple import KernelRegression, Majority, MeanThreshold

__all__ = [
    "AlgorithmSelection",
    "Averaging",
    "BayesOptimal",
    "Chance",
    "DomainBayes",
    "EffectiveSampleSizeWarning",
    "Ensemble",
    "GradientDescent",
    "KernelRegression",
    "LinearGaussian",
    "LinearPool",
    "LogisticRegression",
    "Majority",
    "MaxMargin",
    "MeanThreshold",
    "NearestNeighbor",
    "Ridge",
    "TrainedGate",
    "fit_gate",
]
