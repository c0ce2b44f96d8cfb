"""Classical rules without trained parameters, and ways to choose among learners or to combine them."""

from ctxlearn.baselines.averaging import Averaging
from ctxlearn.baselines.chance import Chance
from ctxlearn.baselines.ensemble import Ensemble
from ctxlearn.baselines.gate import TrainedGate, fit_gate
from ctxlearn.baselines.gradient_descent import GradientDescent
from ctxlearn.baselines.kernel_regression import KernelRegression
from ctxlearn.baselines.logistic_regression import LogisticRegression
from ctxlearn.baselines.majority import Majority
from ctxlearn.baselines.mean_threshold import MeanThreshold
from ctxlearn.baselines.nearest_neighbor import NearestNeighbor
from ctxlearn.baselines.ridge import Ridge
from ctxlearn.baselines.selection import AlgorithmSelection
from ctxlearn.baselines.svm import MaxMargin

__all__ = [
    "AlgorithmSelection",
    "Averaging",
    "Chance",
    "Ensemble",
    "GradientDescent",
    "KernelRegression",
    "LogisticRegression",
    "Majority",
    "MaxMargin",
    "MeanThreshold",
    "NearestNeighbor",
    "Ridge",
    "TrainedGate",
    "fit_gate",
]
