"""The Bayes-optimal predictor of a family of tasks, exact or by particles: what no learner can beat."""

from ctxlearn.bayes.domains import DomainBayes
from ctxlearn.bayes.linear_gaussian import LinearGaussian
from ctxlearn.bayes.linear_pool import LinearPool
from ctxlearn.bayes.optimal import BayesOptimal, EffectiveSampleSizeWarning

__all__ = ["BayesOptimal", "DomainBayes", "EffectiveSampleSizeWarning", "LinearGaussian", "LinearPool"]
