"""Families of regression tasks."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_int
from ctxlearn.tasks.base import TaskFamily, normal


class LinearRegression(TaskFamily):
    """y = w.x + e with w ~ N(0, I_d), x ~ N(0, I_d) and e ~ N(0, noise^2).

    Args:
        n_features: d >= 1.
        noise: standard deviation of the label noise, >= 0.
        active: how many inputs, from the first on, are non-zero; None means all d (Garg et al. 2022's curriculum).
    """

    n_classes: None = None

    def __init__(self, n_features: int = 20, noise: float = 0.0, active: int | None = None) -> None:
        self.n_features: int = check_int("n_features", n_features, minimum=1)
        self.noise = check_float("noise", noise, minimum=0)
        self.active = (
            self.n_features if active is None else check_int("active", active, minimum=1, maximum=self.n_features)
        )

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> dict[str, Tensor]:
        return {"weights": normal((n_tasks, self.n_features), generator)}

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        weights = parameters["weights"]
        x = normal((len(weights), n_points, self.n_features), generator)
        x[..., self.active :] = 0
        noise = self.noise * normal((len(weights), n_points), generator)
        return x, (x @ weights[..., None])[..., 0] + noise
