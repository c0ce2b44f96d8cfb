"""Tasks and episodes: what a task family draws and a learner reads."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ctxlearn.checks import check_inputs, check_int, check_labels, check_same, describe, trusted_values
from ctxlearn.pictures import axes_or_new, draw_points, free_axes, html_of
from ctxlearn.tree import map_tensors

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Parameters = Any
"""What makes a task the one it is: a tensor, or dicts and lists of tensors, each with the tasks on its first axis."""


def select(parameters: Parameters, index: Tensor) -> Parameters:
    """The parameters of the tasks in `index` (k,) int64."""
    return map_tensors(lambda tensor: tensor[index], parameters)


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

    def to(self, device: torch.device | str) -> Episode:
        """The episode with its tensors on `device`."""
        return _moved(self, device)

    def __repr__(self) -> str:
        n_tasks, n_context = self.context_y.shape
        sizes = f"{n_tasks} tasks, {n_context} context points, {self.query_y.shape[1]} queries"
        return f"Episode({sizes}, {_kind(self.context_x, self.n_classes)})"

    def plot(self, task: int = 0, axes: Axes | None = None) -> Axes:
        """Draw one task: its context filled, its queries hollow; the two first features, or the numbers above one feature.

        Args:
            task: which of the B tasks.
            axes: matplotlib's, to draw on; None makes new ones.

        Raises:
            ValueError: no such task, or inputs that are no rows of features.
        """
        i = check_int("task", task, minimum=0, maximum=len(self.context_y) - 1)
        axes = axes_or_new(axes)
        draw_points(axes, self.query_x[i], self.query_y[i], self.n_classes, hollow=True)
        draw_points(axes, self.context_x[i], self.context_y[i], self.n_classes)
        return axes

    def _repr_html_(self) -> str:
        """For a notebook: the sizes, and the first task where it can be drawn."""
        return _shown(self, self.context_x)


@dataclass(frozen=True)
class Tasks:
    """B tasks of N labelled points each.

    `len(tasks)` is B; `tasks[3]` is one of them, `tasks[:10]` or `tasks[index]` several, all of them `Tasks`; a loop
    goes over the tasks one by one. Points and labels are `tasks.x` and `tasks.y`.

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

    def __len__(self) -> int:
        return self.n_tasks

    def __getitem__(self, which: int | slice | Sequence[int] | Tensor) -> Tasks:
        """Some of the tasks: by number (negative ones count from the end), slice, list of numbers, or tensor (int64 or bool).

        Raises:
            IndexError: a number beyond the tasks.
            ValueError: an index of another kind, or one that selects no task.
        """
        return self.tasks(self._positions(which))

    def __iter__(self) -> Iterator[Tasks]:
        return (self[i] for i in range(self.n_tasks))

    def __repr__(self) -> str:
        return f"Tasks({self.n_tasks} tasks of {self.n_points} points, {_kind(self.x, self.n_classes)})"

    def plot(self, task: int = 0, axes: Axes | None = None) -> Axes:
        """Draw the points of one task: the two first features, or the numbers above one feature.

        Args:
            task: which of the B tasks.
            axes: matplotlib's, to draw on; None makes new ones.

        Raises:
            ValueError: no such task, or inputs that are no rows of features.
        """
        i = check_int("task", task, minimum=0, maximum=self.n_tasks - 1)
        axes = axes_or_new(axes)
        draw_points(axes, self.x[i], self.y[i], self.n_classes)
        return axes

    def _repr_html_(self) -> str:
        """For a notebook: the sizes, and the first task where it can be drawn."""
        return _shown(self, self.x)

    def to(self, device: torch.device | str) -> Tasks:
        """The tasks with all their tensors on `device`."""
        return _moved(self, device)

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

    def _positions(self, which: object) -> Tensor:
        everything = torch.arange(self.n_tasks, device=self.x.device)
        if isinstance(which, int | np.integer) and not isinstance(which, bool):
            number = int(which)
            if not -self.n_tasks <= number < self.n_tasks:
                raise IndexError(f"index: expected an integer in [{-self.n_tasks}, {self.n_tasks}), got {number}")
            return everything[number][None]
        if isinstance(which, slice):
            which = list(range(self.n_tasks)[which])
        chosen = torch.as_tensor(which) if isinstance(which, list | Tensor) and len(which) > 0 else torch.zeros(0)
        if chosen.dtype == torch.bool and tuple(chosen.shape) == (self.n_tasks,):
            chosen = everything[chosen.to(everything.device)]
        if chosen.ndim == 1 and chosen.dtype == torch.int64 and len(chosen):
            if bool(((chosen < -self.n_tasks) | (chosen >= self.n_tasks)).any()):
                raise IndexError(
                    f"index: expected integers in [{-self.n_tasks}, {self.n_tasks}), got {chosen.tolist()}"
                )
            return everything[chosen.to(everything.device)]
        raise ValueError(
            f"index: expected an integer, a slice, or a list or tensor of integers that select at least one of the"
            f" {self.n_tasks} tasks, got {describe(which)}"
        )

    def tasks(self, index: Tensor) -> Tasks:
        """The tasks in `index`, (k,) int64."""
        component = None if self.component is None else self.component[index]
        return replace(
            self, x=self.x[index], y=self.y[index], component=component, parameters=select(self.parameters, index)
        )


Batch = TypeVar("Batch", Tasks, Episode)


def _moved(batch: Batch, device: torch.device | str) -> Batch:
    """Tasks or an episode with all tensors on `device`; the values were checked when it was made."""
    with trusted_values():
        moved = {f.name: map_tensors(lambda t: t.to(device), getattr(batch, f.name)) for f in fields(batch)}
        return type(batch)(**moved)


def _kind(x: Tensor, n_classes: int | None) -> str:
    shape = tuple(x.shape[2:])
    inputs = f"{shape[0]} features" if len(shape) == 1 else f"inputs of shape {shape}"
    where = "" if x.device.type == "cpu" else f", on {x.device}"
    return f"{inputs}, {'regression' if n_classes is None else f'{n_classes} classes'}{where}"


def concatenate(batches: Sequence[Tasks]) -> Tasks:
    """Several batches of tasks of one kind as one, without components or parameters."""
    if not batches:
        raise ValueError("batches: expected at least one, got none")
    for batch in batches[1:]:
        check_same("number of classes", ("the first batch", batches[0].n_classes), ("batches", batch.n_classes))
    return Tasks(torch.cat([b.x for b in batches]), torch.cat([b.y for b in batches]), batches[0].n_classes)


def _shown(points: Tasks | Episode, x: Tensor) -> str:
    """The sizes as text, and a picture of the first task where its points are places of a plane or a line."""
    drawable = x.ndim == 3 and (x.shape[2] == 2 or (x.shape[2] == 1 and points.n_classes is None))
    if not drawable:
        return f"<p>{html.escape(repr(points))}</p>"
    return html_of(points.plot(0, free_axes((2.6, 2.6))), f"{points!r}; the first task:")
