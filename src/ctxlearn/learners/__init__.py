"""Learners that are trained: in context, and the classical meta-learners.

`MAML` and what it is made of are defined in `ctxlearn.inner_loop`, which stands above this room, and loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctxlearn.lazy import names_from
from ctxlearn.learners.amortized import CNP
from ctxlearn.learners.base import Learner
from ctxlearn.learners.blocks import BlockConfig
from ctxlearn.learners.encoders import MLP, MissingAware
from ctxlearn.learners.encoders_images import Conv4, ResNet
from ctxlearn.learners.guided import Blended, Guided
from ctxlearn.learners.kernel_features import KernelFeatures
from ctxlearn.learners.many_class import ManyClass
from ctxlearn.learners.metric import MatchNet, ProtoNet
from ctxlearn.learners.normalization import ContextScaled
from ctxlearn.learners.quantiles import quantile_levels
from ctxlearn.learners.recurrent import InContextRecurrent
from ctxlearn.learners.transformer import InContextTransformer
from ctxlearn.learners.wrapper import Committee, Wrapper

if TYPE_CHECKING:
    from ctxlearn.inner_loop import (
        MAML,
        AdaptationDiverged,
        Adapted,
        DifferentiableAttention,
        Functional,
        GradientAdaptation,
        StepSizes,
        reptile_loss,
    )

_ABOVE = (
    "MAML",
    "AdaptationDiverged",
    "Adapted",
    "DifferentiableAttention",
    "Functional",
    "GradientAdaptation",
    "StepSizes",
    "reptile_loss",
)

__all__ = [
    "CNP",
    "MAML",
    "MLP",
    "AdaptationDiverged",
    "Adapted",
    "Blended",
    "BlockConfig",
    "Committee",
    "ContextScaled",
    "Conv4",
    "DifferentiableAttention",
    "Functional",
    "GradientAdaptation",
    "Guided",
    "InContextRecurrent",
    "InContextTransformer",
    "KernelFeatures",
    "Learner",
    "ManyClass",
    "MatchNet",
    "MissingAware",
    "ProtoNet",
    "ResNet",
    "StepSizes",
    "Wrapper",
    "quantile_levels",
    "reptile_loss",
]

__getattr__ = names_from(__name__, dict.fromkeys(_ABOVE, "ctxlearn.inner_loop"))
