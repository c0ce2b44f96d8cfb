"""Tasks whose inputs are stretched and moved: augmentation that few families are indifferent to."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from ctxlearn.checks import check_float, describe
from ctxlearn.episodes import Parameters, Tasks
from ctxlearn.tasks.base import TaskFamily, normal


class Deformed(TaskFamily):
    """Tasks of a family, the inputs of each stretched along the axes and moved at random; labels stay as they are.

    Unlike a rotation or other names of classes (`Augmented`), this makes tasks that the family itself may hardly ever draw.

    Args:
        family: what to deform; its inputs are vectors.
        stretch: each feature of a task is multiplied by a factor between 1 / stretch and stretch, uniform in its logarithm;
            at least 1.
        shift: standard deviation of the vector that is added to all inputs of a task; at least 0.

    Raises:
        ValueError: nothing to do, or inputs that are not vectors.
    """

    def __init__(self, family: TaskFamily, stretch: float = 1.0, shift: float = 0.0) -> None:
        if not isinstance(family, TaskFamily):
            raise ValueError(f"family: expected a TaskFamily, got {describe(family)}")
        if not isinstance(family.n_features, int):
            raise ValueError(f"family: expected inputs that are vectors, got inputs of shape {family.n_features}")
        self.family = family
        self.stretch = check_float("stretch", stretch, minimum=1)
        self.shift = check_float("shift", shift, minimum=0)
        if self.stretch == 1 and self.shift == 0:
            raise ValueError("stretch, shift: expected one of them to do something, got neither; use the family itself")
        self.n_features: int = family.n_features
        self.n_classes = family.n_classes

    @property
    def name(self) -> str:
        return f"deformed {self.family.name}"

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Parameters:
        family = self.family.sample_parameters(n_tasks, generator=generator)
        size = (n_tasks, self.n_features)
        exponent = 2 * torch.rand(size, generator=generator, device=generator.device) - 1
        factor, offset = (math.log(self.stretch) * exponent).exp(), self.shift * normal(size, generator)
        return {"family": family, "factor": factor, "offset": offset}

    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> Tasks | tuple[Tensor, Tensor]:
        tasks = self.family.tasks(parameters["family"], n_points, generator=generator)
        return replace(tasks, x=tasks.x * parameters["factor"][:, None] + parameters["offset"][:, None])
