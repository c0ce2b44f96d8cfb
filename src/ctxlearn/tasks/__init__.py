"""Distributions over tasks."""

from ctxlearn.tasks.augmented import Augmented
from ctxlearn.tasks.base import Mixture, TaskFamily
from ctxlearn.tasks.boolean import DNF, Conjunction, Disjunction, Parity, SparseDisjunction, SparseMajority
from ctxlearn.tasks.bursty import BurstySequences
from ctxlearn.tasks.classification import Amortization, ClassPrototype, PairwiseMetric, Radial
from ctxlearn.tasks.deformed import Deformed
from ctxlearn.tasks.domains import Domain, Domains, GaussianHalfSpaces, GaussianWeights, Pooled, ScaledInputs
from ctxlearn.tasks.images import Glyphs, ImageDomains, ImageFolder, glyphs, image_folder
from ctxlearn.tasks.labelled import Labelled
from ctxlearn.tasks.plane import (
    Band,
    Checkerboard,
    Circle,
    HalfPlane,
    OffsetHalfPlane,
    QuadraticForm,
    RotatedAmortization,
    RotatedEllipse,
    Stripes,
    TwoBumps,
    Wedge,
    Xor,
)
from ctxlearn.tasks.pool import Pool
from ctxlearn.tasks.regression import DecisionTree, LinearRegression, SparseLinearRegression, TwoLayerNetwork
from ctxlearn.tasks.tabular import TabularClassification, TabularRegression, WideClassification, WideRegression

__all__ = [
    "DNF",
    "Amortization",
    "Augmented",
    "Band",
    "BurstySequences",
    "Checkerboard",
    "Circle",
    "ClassPrototype",
    "Conjunction",
    "DecisionTree",
    "Deformed",
    "Disjunction",
    "Domain",
    "Domains",
    "GaussianHalfSpaces",
    "GaussianWeights",
    "Glyphs",
    "HalfPlane",
    "ImageDomains",
    "ImageFolder",
    "Labelled",
    "LinearRegression",
    "Mixture",
    "OffsetHalfPlane",
    "PairwiseMetric",
    "Parity",
    "Pool",
    "Pooled",
    "QuadraticForm",
    "Radial",
    "RotatedAmortization",
    "RotatedEllipse",
    "ScaledInputs",
    "SparseDisjunction",
    "SparseLinearRegression",
    "SparseMajority",
    "Stripes",
    "TabularClassification",
    "TabularRegression",
    "TaskFamily",
    "TwoBumps",
    "TwoLayerNetwork",
    "Wedge",
    "WideClassification",
    "WideRegression",
    "Xor",
    "glyphs",
    "image_folder",
]
