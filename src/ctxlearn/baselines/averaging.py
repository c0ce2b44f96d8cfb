"""The averaging estimator of linear regression."""

from __future__ import annotations

from ctxlearn.baselines.gradient_descent import GradientDescent


class Averaging(GradientDescent):
    """The averaging estimator of linear regression: the answer is w.x with w = (1/n) sum_i y_i x_i.

    It is one step of gradient descent of size 1 from zero. An empty context gives 0.

    Args:
        n_features: an int d or the shape of one input; None takes any.

    Source: Garg et al. 2022, section 3.1, "averaging".
    """

    def __init__(self, n_features: int | tuple[int, ...] | None = None) -> None:
        super().__init__(1, 1.0, n_features=n_features, n_classes=None)
