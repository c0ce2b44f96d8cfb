"""The paper's synthetic families of classification tasks.

Definitions are the corrected ones: the released code draws the classes of `ClassPrototype` in exactly equal numbers,
labels the first two points of `Amortization` against its own rule, and normalises the inputs of `PairwiseMetric`.
Everywhere `scale` (s) spreads the inputs around parameters that it does not touch: train at 1, shift at 1..5.
"""

from __future__ import annotations

import math

import torch
from scipy.stats import chi2
from torch import Tensor

from ctxlearn.checks import check_float, check_int
from ctxlearn.tasks.base import VIOLATED, TaskFamily, normal


class PairwiseMetric(TaskFamily):
    """Labels by summed cosine similarity to hidden points of each class: the rule of a pair-wise metric learner.

    w_ck ~ N(0, I_d) for k = 1..`n_per_class`, each divided by its 3-norm; x ~ N(0, s^2 I), returned as drawn;
    y = argmax_c sum_k <x / |x|, w_ck>. With two classes in d = 2 every task is a half-plane through the origin.

    Args:
        n_features: d >= 1.
        n_per_class: hidden points per class, >= 1.
        scale: s > 0.
        n_classes: C >= 2.
    """

    def __init__(self, n_features: int = 2, n_per_class: int = 1, scale: float = 1.0, n_classes: int = 2) -> None:
        self.n_features: int = check_int("n_features", n_features, minimum=1)
        self.n_per_class = check_int("n_per_class", n_per_class, minimum=1)
        self.scale = check_float("scale", scale, above=0)
        self.n_classes: int = check_int("n_classes", n_classes, minimum=2)

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> dict[str, Tensor]:
        return {"weights": _on_curve(self.sample_unconstrained(n_tasks, generator=generator)["weights"])}

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        direction = parameters["weights"].sum(2)  # (B, C, d): the rule is linear in the sum over a class's points
        x = self.scale * normal((len(direction), n_points, self.n_features), generator)
        # dividing x by its norm changes no argmax, so it is left out
        return x, (x @ direction.mT).argmax(-1)

    def log_likelihood(self, parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        scores = _inner(_on_curve(parameters["weights"]).sum(-2), x)
        density = _log_normal(x.square().sum(-1), self.n_features, self.scale)[..., None]
        return _unless(scores.amax(2) > _of_label(scores, y), density).mT

    def log_prior(self, parameters: dict[str, Tensor]) -> Tensor:
        return _log_standard_normal(parameters["weights"])

    def sample_unconstrained(self, n_tasks: int, *, generator: torch.Generator) -> dict[str, Tensor]:
        """The hidden points before they are divided by their 3-norm."""
        return {"weights": normal((n_tasks, self.n_classes, self.n_per_class, self.n_features), generator)}


class ClassPrototype(TaskFamily):
    """Labels by the nearest hidden prototype: the rule of a class-prototype learner.

    w_c ~ N(0, I_d); each point's generating class is drawn independently, x ~ N(w_class, s^2 I); y = the nearest
    prototype, which differs from the generating class 21 % of the time at s = 1, d = 2, C = 2.

    Args:
        n_features: d >= 1.
        n_classes: C >= 2.
        scale: s > 0.
    """

    def __init__(self, n_features: int = 2, n_classes: int = 2, scale: float = 1.0) -> None:
        self.n_features: int = check_int("n_features", n_features, minimum=1)
        self.n_classes: int = check_int("n_classes", n_classes, minimum=2)
        self.scale = check_float("scale", scale, above=0)

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> dict[str, Tensor]:
        return {"prototypes": normal((n_tasks, self.n_classes, self.n_features), generator)}

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        prototypes = parameters["prototypes"]
        size = (len(prototypes), n_points)
        source = torch.randint(self.n_classes, size, generator=generator, device=generator.device)
        centre = prototypes.gather(1, source[..., None].expand(*size, self.n_features))
        x = centre + self.scale * normal((*size, self.n_features), generator)
        # |x - w|^2 up to the term in x alone, which no comparison sees
        distance = prototypes.square().sum(-1)[:, None, :] - 2 * x @ prototypes.mT
        return x, distance.argmin(-1)

    def log_likelihood(self, parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        distance, constant = _half_squares(x, parameters["prototypes"], self.scale)
        nearest = distance.amin(2)
        density = (nearest[:, :, None] - distance).exp().sum(2).log() - nearest + (constant - math.log(self.n_classes))
        return _unless(_of_label(distance, y) > nearest, density).mT

    def log_prior(self, parameters: dict[str, Tensor]) -> Tensor:
        return _log_standard_normal(parameters["prototypes"])


class Amortization(TaskFamily):
    """Labels by a threshold at the task's mean: a rule that averaging the context finds.

    w ~ N(0, I_d); x ~ N(w, s^2 I); y = 0 if sum(x) > sum(w), else 1. Without any context the sign of the query's own
    sum is right 75 % of the time at s = 1, whatever d.

    Args:
        n_features: d >= 1.
        scale: s > 0.
    """

    n_classes: int = 2

    def __init__(self, n_features: int = 2, scale: float = 1.0) -> None:
        self.n_features: int = check_int("n_features", n_features, minimum=1)
        self.scale = check_float("scale", scale, above=0)

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> dict[str, Tensor]:
        return {"mean": normal((n_tasks, self.n_features), generator)}

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        mean = parameters["mean"]
        x = mean[:, None, :] + self.scale * normal((len(mean), n_points, self.n_features), generator)
        return x, (x.sum(-1) <= mean.sum(-1, keepdim=True)).long()

    def log_likelihood(self, parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        mean = parameters["mean"]
        distance, constant = _half_squares(x, mean[:, :, None, :], self.scale)
        rule = (x.sum(-1)[..., None] <= mean.sum(-1)[:, None]).long()
        return _unless(rule != y[..., None], constant - distance[:, :, 0]).mT

    def log_prior(self, parameters: dict[str, Tensor]) -> Tensor:
        return _log_standard_normal(parameters["mean"])


class Radial(TaskFamily):
    """Inside or outside a circle of hidden radius: a rule none of the classical learners runs. Never trained on.

    r ~ U(2, 4); x ~ N(0, (c r s)^2 I), c = 1 / median of |N(0, I_d)|, so that the classes balance at s = 1 (0.849 in
    d = 2, the paper's constant); y = 0 if |x| > r, else 1.

    Args:
        n_features: d >= 1.
        scale: s > 0.
    """

    n_classes: int = 2
    low, high = 2.0, 4.0

    def __init__(self, n_features: int = 2, scale: float = 1.0) -> None:
        self.n_features: int = check_int("n_features", n_features, minimum=1)
        self.scale = check_float("scale", scale, above=0)

    @property
    def spread(self) -> float:
        """Standard deviation of the inputs in units of the task's radius: c s."""
        return self.scale / math.sqrt(float(chi2.ppf(0.5, self.n_features)))

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> dict[str, Tensor]:
        uniform = torch.rand(n_tasks, generator=generator, device=generator.device)
        return {"radius": self.low + (self.high - self.low) * uniform}

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        radius = parameters["radius"]
        x = self.spread * radius[:, None, None] * normal((len(radius), n_points, self.n_features), generator)
        return x, (torch.linalg.vector_norm(x, dim=-1) <= radius[:, None]).long()

    def log_likelihood(self, parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        radius = parameters["radius"][:, None]  # (B or 1, 1, P)
        size = torch.linalg.vector_norm(x, dim=-1)[..., None]
        rule = (size <= radius).long()
        return _unless(rule != y[..., None], _log_normal(size.square(), self.n_features, self.spread * radius)).mT

    def log_prior(self, parameters: dict[str, Tensor]) -> Tensor:
        radius = parameters["radius"]
        inside = (radius >= self.low) & (radius <= self.high)
        return torch.zeros_like(radius).masked_fill(~inside, -torch.inf)


# Likelihoods are computed with the particles P on the last axis, (B, n, P), where memory is read in order.


def _on_curve(w: Tensor) -> Tensor:
    """Vectors divided by their 3-norm."""
    norms: Tensor = torch.linalg.vector_norm(w, ord=3, dim=-1, keepdim=True)
    return w / norms


def _inner(w: Tensor, x: Tensor) -> Tensor:
    """Inner products (B, n, C, P) of w (B or 1, P, C, d) and x (B, n, d), as one product of matrices a task."""
    b, p, c, d = w.shape
    flat = w.permute(0, 2, 1, 3).reshape(b, c * p, d)
    return (x @ flat.mT).reshape(*x.shape[:2], c, p)


def _half_squares(x: Tensor, w: Tensor, scale: float) -> tuple[Tensor, Tensor]:
    """(|x - w|^2 - |x|^2) / (2 s^2), (B, n, C, P), of x (B, n, d) and w (B or 1, P, C, d); and log N(x; 0, s^2 I), (B, n, 1).

    The second less the first is log N(x; w, s^2 I); the first alone tells which w is nearest.
    """
    size = 0.5 * w.square().sum(-1, keepdim=True)
    half = _inner(torch.cat([-w, size], dim=-1) / scale**2, torch.cat([x, torch.ones_like(x[..., :1])], dim=-1))
    return half, _log_normal(x.square().sum(-1), x.shape[-1], scale)[..., None]


def _of_label(values: Tensor, y: Tensor) -> Tensor:
    """The entry of class y_i: values (B, n, C, P) and y (B, n) give (B, n, P)."""
    rows, points = torch.arange(y.shape[0], device=y.device)[:, None], torch.arange(y.shape[1], device=y.device)
    return values[rows, points, y]


def _unless(wrong: Tensor, density: Tensor) -> Tensor:
    """The log-density, and `VIOLATED` more where the label is not what the rule says."""
    return torch.where(wrong, density + VIOLATED, density)


def _log_normal(squares: Tensor, d: int, deviation: float | Tensor) -> Tensor:
    """Log-density log N(x; m, deviation^2 I_d) where `squares` is |x - m|^2."""
    log_deviation = deviation.log() if isinstance(deviation, Tensor) else math.log(deviation)
    return -squares / (2 * deviation**2) - d * (log_deviation + 0.5 * math.log(2 * math.pi))


def _log_standard_normal(w: Tensor) -> Tensor:
    """Up to a constant, over all axes but the two first."""
    return -0.5 * w.square().flatten(2).sum(-1)
