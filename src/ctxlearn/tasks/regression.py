"""Families of regression tasks: the function classes of Garg et al. 2022.

Inputs are x ~ N(0, I_d) and labels y = f(x) + e with e ~ N(0, noise^2); a task is a function f.
"""

from __future__ import annotations

import math

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
        x = _inputs(parameters["weights"], n_points, self.n_features, generator)
        x[..., self.active :] = 0
        return x, _with_noise(_linear(parameters["weights"], x), self.noise, generator)


class SparseLinearRegression(TaskFamily):
    """y = w.x + e where all but `sparsity` of the weights are zero; which ones differs from task to task.

    The others are N(0, 1). Least squares needs d points, a learner that knows of the sparsity fewer.

    Args:
        n_features: d >= 1.
        sparsity: weights that are not zero, in [1, d].
        noise: standard deviation of the label noise, >= 0.

    Source: Garg et al. 2022, sparse linear functions: d = 20, sparsity 3.
    """

    n_classes: None = None

    def __init__(self, n_features: int = 20, sparsity: int = 3, noise: float = 0.0) -> None:
        self.n_features: int = check_int("n_features", n_features, minimum=1)
        self.sparsity = check_int("sparsity", sparsity, minimum=1, maximum=self.n_features)
        self.noise = check_float("noise", noise, minimum=0)

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> dict[str, Tensor]:
        weights = normal((n_tasks, self.n_features), generator)
        order = torch.rand(weights.shape, generator=generator, device=generator.device).argsort(-1)
        return {"weights": weights.masked_fill(order >= self.sparsity, 0.0)}

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        x = _inputs(parameters["weights"], n_points, self.n_features, generator)
        return x, _with_noise(_linear(parameters["weights"], x), self.noise, generator)


class TwoLayerNetwork(TaskFamily):
    """y = sqrt(2 / r) sum_j a_j relu(w_j.x) + e with a_j ~ N(0, 1) and w_j ~ N(0, I_d), j = 1..r.

    The variance of y is d, that of linear regression's.

    Args:
        n_features: d >= 1.
        hidden: r >= 1.
        noise: standard deviation of the label noise, >= 0.

    Source: Garg et al. 2022, two-layer neural networks: d = 20, r = 100.
    """

    n_classes: None = None

    def __init__(self, n_features: int = 20, hidden: int = 100, noise: float = 0.0) -> None:
        self.n_features: int = check_int("n_features", n_features, minimum=1)
        self.hidden = check_int("hidden", hidden, minimum=1)
        self.noise = check_float("noise", noise, minimum=0)

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> dict[str, Tensor]:
        return {
            "hidden": normal((n_tasks, self.hidden, self.n_features), generator),
            "output": normal((n_tasks, self.hidden), generator),
        }

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        x = _inputs(parameters["output"], n_points, self.n_features, generator)
        units = (x @ parameters["hidden"].mT).relu()
        y = math.sqrt(2 / self.hidden) * _linear(parameters["output"], units)
        return x, _with_noise(y, self.noise, generator)


class DecisionTree(TaskFamily):
    """y = the value of the leaf that x comes to in a full binary tree, + e.

    An inner node looks at one input, drawn uniformly, and goes right where it is above the node's threshold, left
    otherwise. Leaf values are N(0, 1), thresholds N(0, threshold_spread^2).

    Parameters have the nodes level by level, the children of node i being 2 i + 1 and 2 i + 2, and the leaves from left
    to right.

    Args:
        n_features: d >= 1.
        depth: decisions on the way to a leaf, >= 1.
        noise: standard deviation of the label noise, >= 0.
        threshold_spread: >= 0; at 0 a decision is the sign of an input.

    Source: Garg et al. 2022, decision trees: d = 20, depth 4, thresholds 0.
    """

    n_classes: None = None

    def __init__(self, n_features: int = 20, depth: int = 4, noise: float = 0.0, threshold_spread: float = 0.0) -> None:
        self.n_features: int = check_int("n_features", n_features, minimum=1)
        self.depth = check_int("depth", depth, minimum=1, maximum=16)
        self.noise = check_float("noise", noise, minimum=0)
        self.threshold_spread = check_float("threshold_spread", threshold_spread, minimum=0)

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> dict[str, Tensor]:
        size = (n_tasks, 2**self.depth - 1)
        return {
            "inputs": torch.randint(self.n_features, size, generator=generator, device=generator.device),
            "thresholds": self.threshold_spread * normal(size, generator),
            "leaves": normal((n_tasks, 2**self.depth), generator),
        }

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        x = _inputs(parameters["leaves"], n_points, self.n_features, generator)
        node = torch.zeros(x.shape[:2], dtype=torch.int64, device=x.device)
        for _ in range(self.depth):
            looked_at = x.gather(2, parameters["inputs"].gather(1, node)[..., None])[..., 0]
            node = 2 * node + 1 + (looked_at > parameters["thresholds"].gather(1, node)).long()
        y = parameters["leaves"].gather(1, node - (2**self.depth - 1))
        return x, _with_noise(y, self.noise, generator)


def _inputs(parameters: Tensor, n_points: int, n_features: int, generator: torch.Generator) -> Tensor:
    """Inputs from N(0, I), (B, n_points, d), for the B tasks of the parameters."""
    return normal((len(parameters), n_points, n_features), generator)


def _linear(weights: Tensor, x: Tensor) -> Tensor:
    """w.x, (B, n), of weights (B, d) and x (B, n, d)."""
    return (x @ weights[..., None])[..., 0]


def _with_noise(y: Tensor, noise: float, generator: torch.Generator) -> Tensor:
    return y + noise * normal(y.shape, generator)
