"""Distributions over tasks."""

from ctxlearn.tasks.augmented import Augmented
from ctxlearn.tasks.base import Mixture, TaskFamily
from ctxlearn.tasks.classification import Amortization, ClassPrototype, PairwiseMetric, Radial
from ctxlearn.tasks.deformed import Deformed
from ctxlearn.tasks.domains import Domain, Domains, GaussianHalfSpaces, GaussianWeights, Pooled, ScaledInputs
from ctxlearn.tasks.images import Glyphs, ImageDomains, ImageFolder, glyphs, image_folder
from ctxlearn.tasks.labelled import Labelled
from ctxlearn.tasks.pool import Pool
from ctxlearn.tasks.regression import DecisionTree, LinearRegression, SparseLinearRegression, TwoLayerNetwork
from ctxlearn.tasks.tabular import TabularClassification, TabularRegression, WideClassification, WideRegression

__all__ = [
    "Amortization",
    "Augmented",
    "ClassPrototype",
    "DecisionTree",
    "Deformed",
    "Domain",
    "Domains",
    "GaussianHalfSpaces",
    "GaussianWeights",
    "Glyphs",
    "ImageDomains",
    "ImageFolder",
    "Labelled",
    "LinearRegression",
    "Mixture",
    "PairwiseMetric",
    "Pool",
    "Pooled",
    "Radial",
    "ScaledInputs",
    "SparseLinearRegression",
    "TabularClassification",
    "TabularRegression",
    "TaskFamily",
    "TwoLayerNetwork",
    "WideClassification",
    "WideRegression",
    "glyphs",
    "image_folder",
]
