"""What a distribution over tasks is, and mixtures of them."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_generator, check_int, describe
from ctxlearn.configurable import Configurable, configurable_repr
from ctxlearn.episodes import Parameters, Tasks, select
from ctxlearn.tree import map_tensors

VIOLATED = -15.0
"""Log-probability of a label that a task's rule excludes: e^-15 in place of 0, so that no context is impossible."""


class TaskFamily(Configurable, ABC):
    """A distribution over tasks: first the task's latent parameters, then points of the task.

    A family of your own is a subclass with two methods, `sample_parameters` and `sample_points`, and the
    attributes below. `examples/own_family.py` is one. Two more, `log_likelihood` and `log_prior`, give it a
    Bayes-optimal predictor.

    Attributes:
        n_features: an int d, or the shape of one input.
        n_classes: C, or None for regression.
    """

    n_features: int | tuple[int, ...]
    n_classes: int | None

    def __repr__(self) -> str:
        return configurable_repr(self)

    @property
    def name(self) -> str:
        """The name in tables and figures: the class's, in lower case with hyphens."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", type(self).__name__).lower()

    @abstractmethod
    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Parameters:
        """Draw the latent parameters of `n_tasks` tasks: a tensor, or dicts or lists of them, tasks on axis 0."""

    @abstractmethod
    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> Tasks | tuple[Tensor, Tensor]:
        """Draw `n_points` points of each task: x (B, n_points, *shape) float32 and y (B, n_points).

        A subclass may return the pair (x, y) or a `Tasks`.
        """

    def sample(
        self, n_tasks: int, n_points: int, *, generator: torch.Generator, with_parameters: bool = False
    ) -> Tasks:
        """Draw B = `n_tasks` tasks of N = `n_points` points each, on the device of `generator`.

        Args:
            n_tasks: B >= 1.
            n_points: N >= 1.
            generator: the source of all randomness.
            with_parameters: keep the latent parameters in the result.

        Raises:
            ValueError: a size below 1, no generator, or a subclass that returned something else than tasks.
        """
        check_int("n_tasks", n_tasks, minimum=1)
        check_int("n_points", n_points, minimum=1)
        check_generator(generator)
        parameters = self.sample_parameters(n_tasks, generator=generator)
        tasks = self.tasks(parameters, n_points, generator=generator)
        if (tasks.n_tasks, tasks.n_points) != (n_tasks, n_points):
            raise ValueError(
                f"{type(self).__name__}.sample_points: expected {n_tasks} tasks of {n_points} points,"
                f" got {tasks.n_tasks} of {tasks.n_points}"
            )
        return replace(tasks, parameters=parameters) if with_parameters else tasks

    def log_likelihood(self, parameters: Parameters, x: Tensor, y: Tensor) -> Tensor:
        """Joint log-density of each point and its label under each candidate task, log p(x_i, y_i | parameters). Optional.

        Args:
            parameters: of P candidate tasks: as `sample_parameters` gives them, but with the axes (B or 1, P) in place
                of the axis of tasks, and in float64.
            x: points of B tasks, (B, n, *shape) float64.
            y: their labels, (B, n).

        Returns:
            (B, P, n). A label that the task's rule excludes adds `VIOLATED` in place of minus infinity.
        """
        raise self.without_likelihood()

    def log_prior(self, parameters: Parameters) -> Tensor:
        """Log-density of the prior up to a constant, (B or 1, P), of parameters with these two leading axes. Optional."""
        raise self.without_likelihood()

    def hypotheses(self) -> Parameters:
        """Every task there is, as `sample_parameters` gives them, where they are finitely many; None where not. Optional.

        Their probabilities are those of `log_prior`, and `BayesOptimal` enumerates them.
        """
        return None

    def sample_unconstrained(self, n_tasks: int, *, generator: torch.Generator) -> Parameters:
        """Draw from the prior in the form that `log_prior` is a density of, and a random walk can move.

        `sample_parameters`, unless these are confined to a surface. `log_likelihood` takes either form.
        """
        return self.sample_parameters(n_tasks, generator=generator)

    def without_likelihood(self) -> ValueError:
        """The error of a family that has no Bayes predictor: it says which methods to write."""
        return ValueError(
            f"{type(self).__name__} has no likelihood, so no Bayes predictor: write its methods log_likelihood(parameters,"
            " x, y) -> log p(x_i, y_i | parameters), (B, P, n), and log_prior(parameters) -> (B or 1, P); see TaskFamily"
        )

    def tasks(self, parameters: Parameters, n_points: int, *, generator: torch.Generator) -> Tasks:
        """`sample_points` as `Tasks`, whichever of its two forms the subclass returned."""
        drawn = self.sample_points(parameters, n_points, generator=generator)
        if isinstance(drawn, Tasks):
            return drawn
        if isinstance(drawn, tuple) and len(drawn) == 2:
            return Tasks(drawn[0], drawn[1], self.n_classes)
        raise ValueError(
            f"{type(self).__name__}.sample_points: expected Tasks or the pair (x, y), got {describe(drawn)}"
        )


def normal(size: Sequence[int], generator: torch.Generator) -> Tensor:
    """Standard normal float32 numbers on the generator's device."""
    return torch.randn(tuple(size), generator=generator, device=generator.device)


class Mixture(TaskFamily):
    """Each task comes from one of several families, drawn independently with the given weights.

    Parameters are {"component": (B,) int64, "parts": [one entry a family]}; entries of a family's part that belong
    to tasks of other families are zero.

    Args:
        families: families with inputs of one shape; either all of regression or all of classification.
        weights: positive, one a family, normalised here; None means equal.

    Raises:
        ValueError: no families, families that do not fit together, or impossible weights.
    """

    def __init__(self, families: Sequence[TaskFamily], weights: Sequence[float] | None = None) -> None:
        if not isinstance(families, Sequence):
            raise ValueError(f"families: expected a list of families, got {describe(families)}")
        self.families = list(families)
        if not self.families:
            raise ValueError("families: expected at least one, got none")
        for family in self.families:
            if not isinstance(family, TaskFamily):
                raise ValueError(f"families: expected instances of TaskFamily, got {describe(family)}")
        first = self.families[0]
        for family in self.families[1:]:
            if family.n_features != first.n_features or (family.n_classes is None) != (first.n_classes is None):
                raise ValueError(
                    "families: expected inputs of one shape and one kind of label, got"
                    f" {first.name} ({first.n_features}, {first.n_classes} classes) and"
                    f" {family.name} ({family.n_features}, {family.n_classes} classes)"
                )
        if weights is not None and not isinstance(weights, Sequence):
            raise ValueError(f"weights: expected a list of numbers, one a family, got {describe(weights)}")
        given = [1.0] * len(self.families) if weights is None else list(weights)
        if len(given) != len(self.families):
            raise ValueError(f"weights: expected {len(self.families)} numbers, one a family, got {len(given)}")
        given = [check_float(f"weights[{i}]", weight, above=0) for i, weight in enumerate(given)]
        self.weights = [weight / sum(given) for weight in given]
        self.n_features = first.n_features
        counts = [family.n_classes for family in self.families if family.n_classes is not None]
        self.n_classes = max(counts) if counts else None

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Parameters:
        weights = torch.tensor(self.weights, device=generator.device)
        component = torch.multinomial(weights, n_tasks, replacement=True, generator=generator)
        parts = []
        for k, family in enumerate(self.families):
            rows = (component == k).nonzero()[:, 0]
            drawn = family.sample_parameters(max(1, len(rows)), generator=generator)
            parts.append(_spread(drawn, rows, n_tasks))
        return {"component": component, "parts": parts}

    def sample_points(self, parameters: Parameters, n_points: int, *, generator: torch.Generator) -> Tasks:
        component = parameters["component"]
        x = y = None
        for k, family in enumerate(self.families):
            rows = (component == k).nonzero()[:, 0]
            if not len(rows):
                continue
            drawn = family.tasks(select(parameters["parts"][k], rows), n_points, generator=generator)
            if x is None or y is None:
                x = drawn.x.new_zeros((len(component), *drawn.x.shape[1:]))
                y = drawn.y.new_zeros((len(component), n_points))
            x[rows], y[rows] = drawn.x, drawn.y
        if x is None or y is None:
            raise ValueError(f"parameters: expected components in [0, {len(self.families)}), got {component.tolist()}")
        return Tasks(x, y, self.n_classes, component=component)


def _spread(drawn: Parameters, rows: Tensor, n_tasks: int) -> Parameters:
    """Parameters of the tasks in `rows` on an axis of all tasks, zero elsewhere."""

    def spread(tensor: Tensor) -> Tensor:
        wide = tensor.new_zeros((n_tasks, *tensor.shape[1:]))
        wide[rows] = tensor[: len(rows)]
        return wide

    return map_tensors(spread, drawn)
