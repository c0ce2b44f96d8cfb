"""Regression and classification in d inputs of which the first few alone may be non-zero: what a curriculum grows."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.checks import check_int
from ctxlearn.tasks.base import normal
from ctxlearn.tasks.classification import PairwiseMetric
from ctxlearn.tasks.regression import LinearRegression


class UnitRegression(LinearRegression):
    """`LinearRegression` with labels divided by sqrt(d): at full difficulty the zero predictor has the error 1.

    Args:
        n_features: d >= 1.
        active: how many inputs, from the first on, are non-zero; None means all d.
    """

    def __init__(self, n_features: int = 8, active: int | None = None) -> None:
        super().__init__(n_features, active=active)

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        x, y = super().sample_points(parameters, n_points, generator=generator)
        return x, y / self.n_features**0.5


class ActivePairwise(PairwiseMetric):
    """Two-class `PairwiseMetric` whose inputs are zero but for the first few.

    Args:
        n_features: d >= 1.
        active: how many inputs, from the first on, are non-zero; None means all d.
    """

    def __init__(self, n_features: int = 8, active: int | None = None) -> None:
        super().__init__(n_features)
        self.active = (
            self.n_features if active is None else check_int("active", active, minimum=1, maximum=self.n_features)
        )

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        direction = parameters["weights"].sum(2)
        x = normal((len(direction), n_points, self.n_features), generator)
        x[..., self.active :] = 0
        return x, (x @ direction.mT).argmax(-1)
