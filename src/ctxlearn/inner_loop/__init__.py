"""Gradient steps from given weights: differentiable ones, MAML, meta-learning over domains, and fine-tuning.

The inner loop (`GradientAdaptation`) is written once and knows no level: over points it is MAML's, over tasks that of
meta-learning over domains. Fine-tuning takes plain steps of an optimiser, and holds tasks out.
"""

from ctxlearn.inner_loop.fine_tuning import FineTuning, fine_tune, fine_tuning_of
from ctxlearn.inner_loop.functional import DifferentiableAttention, Functional
from ctxlearn.inner_loop.gradient import AdaptationDiverged, Adapted, GradientAdaptation, StepSizes, reptile_loss
from ctxlearn.inner_loop.maml import MAML
from ctxlearn.inner_loop.meta_learning import Adaptable, DomainBatch, DomainSource, MetaAdaptation

__all__ = [
    "MAML",
    "Adaptable",
    "AdaptationDiverged",
    "Adapted",
    "DifferentiableAttention",
    "DomainBatch",
    "DomainSource",
    "FineTuning",
    "Functional",
    "GradientAdaptation",
    "MetaAdaptation",
    "StepSizes",
    "fine_tune",
    "fine_tuning_of",
    "reptile_loss",
]
