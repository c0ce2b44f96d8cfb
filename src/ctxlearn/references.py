"""Learners without trained parameters to compare with: the baselines, and the Bayes-optimal predictors."""

from ctxlearn.baselines import (
    AlgorithmSelection,
    Averaging,
    Chance,
    Ensemble,
    GradientDescent,
    KernelRegression,
    LogisticRegression,
    Majority,
    MaxMargin,
    MeanThreshold,
    NearestNeighbor,
    Ridge,
    TrainedGate,
    fit_gate,
)
from ctxlearn.bayes import BayesOptimal, DomainBayes, EffectiveSampleSizeWarning, LinearGaussian, LinearPool

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
