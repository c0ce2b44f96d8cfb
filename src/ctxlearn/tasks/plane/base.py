"""Rules in the plane: a label is the sign of a score, whose parameters are hidden."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from ctxlearn.checks import check_float
from ctxlearn.tasks.base import VIOLATED, TaskFamily, normal

Geometry = dict[str, Tensor]
"""What the latent numbers of some tasks mean (an angle's cosine, a radius, ...): tensors with the latents' leading axes."""


class PlaneFamily(TaskFamily):
    """Two classes of points of the plane: y = 1 where a score is positive. A subclass says what the score is.

    A task is k independent standard normal numbers, from which `geometry` makes directions, lengths and sides. So every family
    has the same prior and the same likelihood, and `BayesOptimal` needs nothing more. x ~ N(0, s^2 I). Both
    classes are equally likely over tasks; within one task the shares differ.

    Args:
        scale: s > 0, standard deviation of the inputs; the rules do not depend on it. Train at 1, shift to other values.

    Attributes:
        n_latents: k.
    """

    n_features: int = 2
    n_classes: int = 2
    n_latents: ClassVar[int]

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = check_float("scale", scale, above=0)

    @abstractmethod
    def geometry(self, z: Tensor) -> Geometry:
        """The parameters of the score from the latent numbers (..., k): tensors (...)."""

    @abstractmethod
    def score(self, geometry: Geometry, x: Tensor, y: Tensor) -> Tensor:
        """The score of points with coordinates x and y, which broadcast against the geometry's tensors."""

    def centre(self, geometry: Geometry) -> tuple[Tensor | float, Tensor | float]:
        """The mean of the inputs. The origin, unless a subclass says otherwise."""
        return 0.0, 0.0

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> dict[str, Tensor]:
        return {"latents": normal((n_tasks, self.n_latents), generator)}

    def sample_points(
        self, parameters: dict[str, Tensor], n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        latents = parameters["latents"]
        geometry = self.geometry(latents[:, None])
        x, y = (self.scale * normal((len(latents), n_points, 2), generator)).unbind(-1)
        middle = self.centre(geometry)
        x, y = x + middle[0], y + middle[1]
        return torch.stack([x, y], dim=-1), (self.score(geometry, x, y) > 0).long()

    def log_likelihood(self, parameters: dict[str, Tensor], x: Tensor, y: Tensor) -> Tensor:
        geometry = self.geometry(parameters["latents"][:, None])  # (B or 1, 1, P): particles last, read in order
        first, second = x[..., None].unbind(2)  # (B, n, 1)
        middle = self.centre(geometry)
        squares = (first - middle[0]).square() + (second - middle[1]).square()
        density = -squares / (2 * self.scale**2) - math.log(2 * math.pi * self.scale**2)
        wrong = (self.score(geometry, first, second) > 0) != (y[..., None] == 1)
        found: Tensor = torch.where(wrong, density + VIOLATED, density).mT
        return found

    def log_prior(self, parameters: dict[str, Tensor]) -> Tensor:
        log_density: Tensor = -0.5 * parameters["latents"].square().sum(-1)
        return log_density


def direction(z: Tensor) -> tuple[Tensor, Tensor]:
    """Cosine and sine of a uniform angle from two normal numbers (..., 2)."""
    cosine, sine = torch.nn.functional.normalize(z, dim=-1).unbind(-1)
    return cosine, sine


def between(z: Tensor, low: float, high: float) -> Tensor:
    """A uniform number in [low, high] from a normal one."""
    share: Tensor = torch.special.ndtr(z)
    return low + (high - low) * share


def side(z: Tensor) -> Tensor:
    """1 or -1, equally likely, from a normal number."""
    return torch.where(z < 0, -1.0, 1.0).to(z.dtype)


def check_range(name: str, low: float, high: float, *, above: float = 0.0, maximum: float = math.inf) -> None:
    """Refuse a range whose ends are out of order or out of bounds."""
    check_float(f"{name}_low", low, above=above)
    check_float(f"{name}_high", high, above=above)
    if not low <= high <= maximum:
        limit = "" if maximum == math.inf else f" <= {maximum:g}"
        raise ValueError(f"{name}_low: expected {name}_low <= {name}_high{limit}, got {low:g} and {high:g}")
