"""Learners that are trained: in context, and the classical meta-learners."""

from ctxlearn.learners.amortized import CNP
from ctxlearn.learners.base import Learner
from ctxlearn.learners.blocks import BlockConfig
from ctxlearn.learners.encoders import MLP
from ctxlearn.learners.metric import MatchNet, ProtoNet
from ctxlearn.learners.transformer import InContextTransformer

__all__ = ["CNP", "MLP", "BlockConfig", "InContextTransformer", "Learner", "MatchNet", "ProtoNet"]
