"""The algorithms a predictor is compared with unless others are given."""

from __future__ import annotations

from ctxlearn.learners import MatchNet, ProtoNet
from ctxlearn.learners.base import Learner
from ctxlearn.references import (
    Averaging,
    BayesOptimal,
    GradientDescent,
    KernelRegression,
    LogisticRegression,
    Majority,
    MaxMargin,
    MeanThreshold,
    NearestNeighbor,
    Ridge,
)
from ctxlearn.tasks.base import TaskFamily

BAYES = "Bayes of the family"


def default_candidates(
    n_features: int | tuple[int, ...], n_classes: int | None, family: TaskFamily | None = None
) -> dict[str, Learner]:
    """Candidates by name.

    For classification twelve (eleven for more than two classes, which have no threshold at the mean); for regression the
    rules without anything to fit, `ctxlearn.identify` adding ridge and gradient descent fitted to the predictor. With a
    family, its Bayes predictor too.

    Args:
        n_features: an int d or the shape of one input.
        n_classes: C, or None for regression.
        family: whose Bayes predictor to add.

    Raises:
        ValueError: a family of another kind or without a Bayes predictor.
    """
    if n_classes is None:
        found: dict[str, Learner] = {
            "averaging": Averaging(n_features),
            "1-NN": NearestNeighbor(n_features, None),
            "3-NN": NearestNeighbor(n_features, None, k=3),
            "least squares": Ridge(n_features, None, intercept=False),
        }
    else:
        found = {
            "1-NN": NearestNeighbor(n_features, n_classes),
            "3-NN": NearestNeighbor(n_features, n_classes, k=3),
            "kernel regression": KernelRegression(n_features=n_features, n_classes=n_classes),
            "nearest class mean": ProtoNet(n_features, n_classes, encoder="identity"),
            "summed similarity": MatchNet(n_features, n_classes, "identity", similarity="dot", attention="sum"),
            "cosine softmax": MatchNet(n_features, n_classes, "identity"),
            "ridge": Ridge(n_features, n_classes, penalty=1.0),
            "logistic regression": LogisticRegression(n_features, n_classes),
            "largest margin": MaxMargin(n_features, n_classes),
            "gradient descent": GradientDescent(
                5, 0.2, "softmax", n_features=n_features, n_classes=n_classes, intercept=True
            ),
            "majority": Majority(n_features, n_classes),
        }
        if n_classes == 2:
            found["threshold at the mean"] = MeanThreshold(n_features)
    if family is not None:
        found[BAYES] = BayesOptimal(family)
    return found
