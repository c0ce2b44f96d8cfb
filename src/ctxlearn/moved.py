"""What has moved or was renamed: runs saved under earlier import paths stay readable, and former public names are found.

Runs name classes by their import paths. Hashes are made of the paths that classes had first, so a move changes none.
"""

from __future__ import annotations

from typing import Any

MOVED = {
    "ctxlearn.learners.advised.Advised": "ctxlearn.learners.kernel_features.KernelFeatures",
    "ctxlearn.learners.gradient.GradientAdaptation": "ctxlearn.inner_loop.gradient.GradientAdaptation",
    "ctxlearn.learners.maml.MAML": "ctxlearn.inner_loop.maml.MAML",
    "ctxlearn.learners.scaled.ContextScaled": "ctxlearn.learners.normalization.ContextScaled",
    "ctxlearn.learners.ways.MoreWays": "ctxlearn.learners.many_class.ManyClass",
    "ctxlearn.references.bayes.BayesOptimal": "ctxlearn.bayes.optimal.BayesOptimal",
    "ctxlearn.references.classical.Chance": "ctxlearn.baselines.chance.Chance",
    "ctxlearn.references.classical.LogisticRegression": "ctxlearn.baselines.logistic_regression.LogisticRegression",
    "ctxlearn.references.classical.NearestNeighbor": "ctxlearn.baselines.nearest_neighbor.NearestNeighbor",
    "ctxlearn.references.descent.GradientDescent": "ctxlearn.baselines.gradient_descent.GradientDescent",
    "ctxlearn.references.domains.DomainBayes": "ctxlearn.bayes.domains.DomainBayes",
    "ctxlearn.references.ensemble.Ensemble": "ctxlearn.baselines.ensemble.Ensemble",
    "ctxlearn.references.linear.Averaging": "ctxlearn.baselines.averaging.Averaging",
    "ctxlearn.references.linear.Ridge": "ctxlearn.baselines.ridge.Ridge",
    "ctxlearn.references.linear_gaussian.LinearGaussian": "ctxlearn.bayes.linear_gaussian.LinearGaussian",
    "ctxlearn.references.linear_pool.LinearPool": "ctxlearn.bayes.linear_pool.LinearPool",
    "ctxlearn.references.margin.MaxMargin": "ctxlearn.baselines.svm.MaxMargin",
    "ctxlearn.references.selection.AlgorithmSelection": "ctxlearn.baselines.selection.AlgorithmSelection",
    "ctxlearn.references.simple.KernelRegression": "ctxlearn.baselines.kernel_regression.KernelRegression",
    "ctxlearn.references.simple.Majority": "ctxlearn.baselines.majority.Majority",
    "ctxlearn.references.simple.MeanThreshold": "ctxlearn.baselines.mean_threshold.MeanThreshold",
    "ctxlearn.training.domains.Adaptable": "ctxlearn.inner_loop.meta_learning.Adaptable",
    "ctxlearn.training.domains.DomainSource": "ctxlearn.inner_loop.meta_learning.DomainSource",
    "ctxlearn.training.domains.MetaAdaptation": "ctxlearn.inner_loop.meta_learning.MetaAdaptation",
}
"""Where a class is now, by the import path that it had when runs may have been saved."""

RENAMED = {
    "ctxlearn": {"Recorded": "Configurable", "adapt_to_domain": "fine_tune"},
    "ctxlearn.learners": {"Advised": "KernelFeatures", "MoreWays": "ManyClass"},
    "ctxlearn.training": {
        "Adaptation": "FineTuning",
        "adapt_to_domain": "fine_tune",
        "adaptation_of": "fine_tuning_of",
    },
}
"""By package, for former public names the ones they have now. They are found, and listed nowhere."""

_FIRST: dict[str, str] = {}
for _old, _new in MOVED.items():
    _FIRST.setdefault(_new, _old)


def with_current_names(data: Any) -> Any:
    """A configuration whose classes go by the import paths that they have now."""
    return _renamed(data, MOVED)


def with_first_names(data: Any) -> Any:
    """A configuration whose classes go by the import paths that they had first: those that hashes are made of.

    So a class that moves changes no run's hash.
    """
    return _renamed(_renamed(data, MOVED), _FIRST)


def _renamed(data: Any, names: dict[str, str]) -> Any:
    if isinstance(data, list | tuple):
        return [_renamed(value, names) for value in data]
    if not isinstance(data, dict):
        return data
    renamed = {key: _renamed(value, names) for key, value in data.items()}
    path = renamed.get("class_path")
    if isinstance(path, str) and path in names:
        renamed["class_path"] = names[path]
    return renamed
