"""Augmentation one level up: what is turned, or renamed, is a whole task."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from ctxlearn.checks import describe
from ctxlearn.episodes import Parameters, Tasks
from ctxlearn.tasks.base import TaskFamily


class Augmented(TaskFamily):
    """Tasks of a family, each turned at random and its classes renamed at random, context and queries alike.

    A learner trained on them cannot rely on a direction of the inputs or on the name of a class. Where the family is
    already as likely turned or renamed, nothing changes but the order of random draws.

    Args:
        family: what to augment.
        rotate: multiply all inputs of a task by one random orthogonal matrix (Haar's measure, reflections included).
        permute_labels: rename the classes of a task by one random permutation.

    Raises:
        ValueError: nothing to do, a rotation of inputs that are not vectors, or labels of regression.
    """

    def __init__(self, family: TaskFamily, rotate: bool = True, permute_labels: bool = True) -> None:
        if not isinstance(family, TaskFamily):
            raise ValueError(f"family: expected a TaskFamily, got {describe(family)}")
        if not rotate and not permute_labels:
            raise ValueError(
                "rotate, permute_labels: expected at least one of them, got neither; use the family itself"
            )
        if rotate and not isinstance(family.n_features, int):
            raise ValueError(
                f"rotate: expected inputs that are vectors, got inputs of shape {family.n_features}; use rotate=False"
            )
        if permute_labels and family.n_classes is None:
            raise ValueError("permute_labels: expected a family with classes, got regression; use permute_labels=False")
        self.family, self.rotate, self.permute_labels = family, rotate, permute_labels
        self.n_features, self.n_classes = family.n_features, family.n_classes

    @property
    def name(self) -> str:
        return f"augmented {self.family.name}"

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Parameters:
        parameters: dict[str, Parameters] = {"family": self.family.sample_parameters(n_tasks, generator=generator)}
        device = generator.device
        if self.rotate:
            d = self.n_features
            assert isinstance(d, int)
            q, r = torch.linalg.qr(torch.randn(n_tasks, d, d, generator=generator, device=device))
            # without the signs of r's diagonal the distribution would depend on the algorithm
            parameters["rotation"] = q * torch.diagonal(r, dim1=-2, dim2=-1).sign()[:, None, :]
        if self.permute_labels:
            assert self.n_classes is not None
            order = torch.rand(n_tasks, self.n_classes, generator=generator, device=device)
            parameters["names"] = order.argsort(1)
        return parameters

    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> Tasks | tuple[Tensor, Tensor]:
        tasks = self.family.tasks(parameters["family"], n_points, generator=generator)
        x, y = tasks.x, tasks.y
        if self.rotate:
            x = x @ parameters["rotation"].mT
        if self.permute_labels:
            y = parameters["names"].gather(1, y)
        return replace(tasks, x=x, y=y)
