"""Tasks and episodes: what a task family draws and a learner reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ctxlearn.checks import check_inputs, check_int, check_labels, check_same, describe

Parameters = Any
"""What makes a task the one it is: a tensor, or dicts and lists of tensors, each with the tasks on its first axis."""


def select(parameters: Parameters, index: Tensor) -> Parameters:
    """The parameters of the tasks in `index` (k,) int64."""
    if isinstance(parameters, Tensor):
        return parameters[index]
    if isinstance(parameters, dict):
        return {name: select(value, index) for name, value in parameters.items()}
    if isinstance(parameters, list | tuple):
        return type(parameters)(select(value, index) for value in parameters)
    return parameters


@dataclass(frozen=True)
class Episode:
    """Tasks cut into the points that a learner may learn from and those it is asked about.

    Attributes:
        context_x: B tasks of n labelled points, (B, n, *shape).
        context_y: their labels, (B, n).
        query_x: the points asked about, (B, q, *shape).
        query_y: their labels, (B, q).
        n_classes: classes of the tasks; None for regression.
    """

    context_x: Tensor
    context_y: Tensor
    query_x: Tensor
    query_y: Tensor
    n_classes: int | None


@dataclass(frozen=True)
class Tasks:
    """B tasks of N labelled points each. Unpacks as `x, y = tasks`.

    Attributes:
        x: inputs, (B, N, *shape) floating.
        y: labels, (B, N): int64 in [0, n_classes), or floating numbers where n_classes is None (regression).
        n_classes: classes of these tasks; a learner's outputs beyond it are ignored.
        component: for a mixture, which family each task came from, (B,) int64.
        parameters: the latent parameters of the tasks, where they were asked for.

    Raises:
        ValueError: shapes, types or values that cannot be tasks; the argument is named.
    """

    x: Tensor
    y: Tensor
    n_classes: int | None
    component: Tensor | None = None
    parameters: Parameters = None

    def __post_init__(self) -> None:
        if self.n_classes is not None:
            check_int("n_classes", self.n_classes, minimum=1)
        shape = tuple(self.x.shape[2:]) if isinstance(self.x, Tensor) and self.x.ndim > 2 else (1,)
        check_inputs("x", self.x, shape, accepts_missing=True)
        check_labels("y", self.y, (self.x.shape[0], self.x.shape[1]), self.n_classes)
        component: object = self.component
        if component is None:
            return
        if not isinstance(component, Tensor) or tuple(component.shape) != (self.n_tasks,):
            raise ValueError(f"component: expected a tensor of shape ({self.n_tasks},), got {describe(component)}")

    def __iter__(self) -> Iterator[Tensor]:
        return iter((self.x, self.y))

    @property
    def n_tasks(self) -> int:
        """B, the number of tasks."""
        return self.x.shape[0]

    @property
    def n_points(self) -> int:
        """N, the number of points in each task."""
        return self.x.shape[1]

    def split(self, n_context: int) -> Episode:
        """The first `n_context` points (0 <= n_context <= N) as context and the others as queries."""
        check_int("n_context", n_context, minimum=0, maximum=self.n_points)
        return Episode(
            self.x[:, :n_context], self.y[:, :n_context], self.x[:, n_context:], self.y[:, n_context:], self.n_classes
        )

    def tasks(self, index: Tensor) -> Tasks:
        """The tasks in `index`, (k,) int64."""
        component = None if self.component is None else self.component[index]
        return replace(
            self, x=self.x[index], y=self.y[index], component=component, parameters=select(self.parameters, index)
        )


def concatenate(batches: Sequence[Tasks]) -> Tasks:
    """Several batches of tasks of one kind as one, without components or parameters."""
    if not batches:
        raise ValueError("batches: expected at least one, got none")
    for batch in batches[1:]:
        check_same("number of classes", ("the first batch", batches[0].n_classes), ("batches", batch.n_classes))
    return Tasks(torch.cat([b.x for b in batches]), torch.cat([b.y for b in batches]), batches[0].n_classes)
