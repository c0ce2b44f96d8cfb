"""Learners that are trained: in context, and the classical meta-learners."""

from ctxlearn.learners.advised import Advised
from ctxlearn.learners.amortized import CNP
from ctxlearn.learners.base import Learner
from ctxlearn.learners.blocks import BlockConfig
from ctxlearn.learners.encoders import MLP, MissingAware
from ctxlearn.learners.encoders_images import Conv4, ResNet
from ctxlearn.learners.functional import DifferentiableAttention, Functional
from ctxlearn.learners.gradient import AdaptationDiverged, Adapted, GradientAdaptation, StepSizes, reptile_loss
from ctxlearn.learners.guided import Blended, Guided
from ctxlearn.learners.maml import MAML
from ctxlearn.learners.metric import MatchNet, ProtoNet
from ctxlearn.learners.quantiles import quantile_levels
from ctxlearn.learners.recurrent import InContextRecurrent
from ctxlearn.learners.scaled import ContextScaled
from ctxlearn.learners.transformer import InContextTransformer
from ctxlearn.learners.ways import MoreWays
from ctxlearn.learners.wrapper import Committee, Wrapper

__all__ = [
    "CNP",
    "MAML",
    "MLP",
    "AdaptationDiverged",
    "Adapted",
    "Advised",
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
    "Learner",
    "MatchNet",
    "MissingAware",
    "MoreWays",
    "ProtoNet",
    "ResNet",
    "StepSizes",
    "Wrapper",
    "quantile_levels",
    "reptile_loss",
]
