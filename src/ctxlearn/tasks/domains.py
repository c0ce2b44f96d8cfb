"""Domains: distributions over families of tasks. Tasks of one domain have something in common that can be learned."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from ctxlearn.checks import check_float, check_generator, check_int, describe
from ctxlearn.configurable import Configurable, configurable_repr
from ctxlearn.episodes import Parameters
from ctxlearn.tasks.base import VIOLATED, TaskFamily, normal

Latents = dict[str, Tensor]
"""What makes domains the ones they are: floating tensors by name, with the domains on their first axis."""


class Domains(Configurable, ABC):
    """A distribution over domains: first a domain's latents, then a task's parameters, then points.

    Domains of your own are a subclass with the three abstract methods and the two attributes below. `sample_domain`
    then gives one domain, a `TaskFamily` like any other, and `pooled` the family in which each task is from a domain of
    its own: what a learner is trained on that knows of no domains.

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
    def sample_latents(self, n_domains: int, *, generator: torch.Generator) -> Latents:
        """Draw the latents of `n_domains` domains."""

    @abstractmethod
    def sample_parameters(self, latents: Latents, *, generator: torch.Generator) -> Parameters:
        """Draw one task from each of the domains in `latents`; for several tasks of a domain it is there several times.

        The parameters hold all that `sample_points` needs, the domain's latents included where it needs them.
        """

    @abstractmethod
    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Draw points of each task: x (B, n_points, *shape) float32 and y (B, n_points)."""

    def log_likelihood(self, parameters: Parameters, x: Tensor, y: Tensor) -> Tensor:
        """As `TaskFamily.log_likelihood`. Optional: with `log_prior` domains have Bayes predictors."""
        raise self._without_likelihood()

    def log_prior(self, parameters: Parameters, latents: Latents | None) -> Tensor:
        """As `TaskFamily.log_prior`: in a domain of known latents (no axis of domains), or with the domain unknown."""
        raise self._without_likelihood()

    def _without_likelihood(self) -> ValueError:
        return ValueError(
            f"{type(self).__name__} has no likelihood, so its families have no Bayes predictor: write its methods"
            " log_likelihood(parameters, x, y) -> log p(x_i, y_i | parameters), (B, P, n), and log_prior(parameters,"
            " latents) -> (B or 1, P); see Domains"
        )

    def sample_domain(self, *, generator: torch.Generator) -> Domain:
        """Draw one domain."""
        return self.sample_domains(1, generator=generator)[0]

    def sample_domains(self, n: int, *, generator: torch.Generator) -> list[Domain]:
        """Draw `n` >= 1 domains."""
        check_int("n", n, minimum=1)
        latents = self.sample_latents(n, generator=check_generator(generator))
        return [Domain(self, {name: value[i].tolist() for name, value in latents.items()}) for i in range(n)]

    def pooled(self) -> Pooled:
        """The family of tasks each from a domain of its own."""
        return Pooled(self)


class _OfDomains(TaskFamily):
    """Tasks whose points and likelihood are the domains' own."""

    domains: Domains

    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        return self.domains.sample_points(parameters, n_points, generator=generator)

    def log_likelihood(self, parameters: Parameters, x: Tensor, y: Tensor) -> Tensor:
        return self.domains.log_likelihood(parameters, x, y)

    def _take(self, domains: object) -> None:
        if not isinstance(domains, Domains):
            raise ValueError(f"domains: expected an instance of Domains, got {describe(domains)}")
        self.domains = domains
        self.n_features, self.n_classes = domains.n_features, domains.n_classes


class Domain(_OfDomains):
    """One domain: the tasks that share its latents.

    Args:
        domains: the distribution that it is from.
        latents: by name, numbers or nested lists of numbers.

    Attributes:
        latents: as float32 tensors, without an axis of domains.
    """

    def __init__(self, domains: Domains, latents: dict[str, Any]) -> None:
        self._take(domains)
        if not isinstance(latents, dict) or not latents:
            raise ValueError(f"latents: expected a dict of numbers or nested lists, got {describe(latents)}")
        self.latents = {name: torch.tensor(value, dtype=torch.float32) for name, value in latents.items()}

    @property
    def name(self) -> str:
        return self.domains.name

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Parameters:
        rows = {
            name: value.to(generator.device).expand(n_tasks, *value.shape).clone()
            for name, value in self.latents.items()
        }
        return self.domains.sample_parameters(rows, generator=generator)

    def log_prior(self, parameters: Parameters) -> Tensor:
        return self.domains.log_prior(parameters, self.latents)


class Pooled(_OfDomains):
    """Tasks each from a domain of its own, drawn afresh.

    Args:
        domains: the distribution over domains.
    """

    def __init__(self, domains: Domains) -> None:
        self._take(domains)

    @property
    def name(self) -> str:
        return f"{self.domains.name}-pooled"

    def sample_parameters(self, n_tasks: int, *, generator: torch.Generator) -> Parameters:
        latents = self.domains.sample_latents(n_tasks, generator=generator)
        return self.domains.sample_parameters(latents, generator=generator)

    def log_prior(self, parameters: Parameters) -> Tensor:
        return self.domains.log_prior(parameters, None)


class _NormalWeights(Domains):
    """Domains in which the weights of tasks are w ~ N(mu, spread^2 I_d), with mu ~ N(0, mean_scale^2 I_d) the domain's."""

    def __init__(self, n_features: int, spread: float, mean_scale: float) -> None:
        self.n_features: int = check_int("n_features", n_features, minimum=1)
        self.spread = check_float("spread", spread, above=0)
        self.mean_scale = check_float("mean_scale", mean_scale, minimum=0)

    def sample_latents(self, n_domains: int, *, generator: torch.Generator) -> Latents:
        return {"mean": self.mean_scale * normal((n_domains, self.n_features), generator)}

    def sample_parameters(self, latents: Latents, *, generator: torch.Generator) -> Parameters:
        mean = latents["mean"]
        return {"weights": mean + self.spread * normal(mean.shape, generator)}

    def log_prior(self, parameters: Parameters, latents: Latents | None) -> Tensor:
        gap: Tensor = parameters["weights"]
        variance = self.spread**2
        if latents is None:
            variance += self.mean_scale**2
        else:
            gap = gap - latents["mean"].to(gap)
        return -0.5 * gap.square().sum(-1) / variance


class GaussianWeights(_NormalWeights):
    """Linear regression whose weights have a mean that is the domain's.

    In a domain w ~ N(mu, spread^2 I_d), where mu ~ N(0, mean_scale^2 I_d) is drawn once for it; x ~ N(0, I_d) and
    y = w.x + e with e ~ N(0, noise^2). Knowing mu is worth much while the context is shorter than about d points: without
    a context it takes the excess error from (spread^2 + mean_scale^2) d to spread^2 d. `references.DomainBayes` is exact.

    Args:
        n_features: d >= 1.
        spread: of a domain's tasks, > 0.
        mean_scale: of the domains' means, >= 0.
        noise: standard deviation of the label noise, >= 0.

    Source: Wu et al. 2025 describe such domains, without numbers; these are ours.
    """

    n_classes: None = None

    def __init__(self, n_features: int = 5, spread: float = 0.3, mean_scale: float = 1.0, noise: float = 0.5) -> None:
        super().__init__(n_features, spread, mean_scale)
        self.noise = check_float("noise", noise, minimum=0)

    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        weights = parameters["weights"]
        x = normal((len(weights), n_points, self.n_features), generator)
        return x, (x @ weights[..., None])[..., 0] + self.noise * normal(x.shape[:2], generator)


class GaussianHalfSpaces(_NormalWeights):
    """Classification by half-spaces through the origin whose directions crowd around one that is the domain's.

    In a domain w ~ N(mu, spread^2 I_d), where mu ~ N(0, mean_scale^2 I_d) is drawn once for it; x ~ N(0, I_d) and y = 1
    if w.x > 0, else 0. Without a context a learner that knows mu is right wherever w and mu agree, one that does not
    half the time. Both have Bayes predictors: `BayesOptimal(domain)` and `BayesOptimal(domains.pooled())`.

    Args:
        n_features: d >= 1.
        spread: of a domain's tasks, > 0.
        mean_scale: of the domains' means, >= 0; only its ratio to `spread` matters.
    """

    n_classes: int = 2

    def __init__(self, n_features: int = 5, spread: float = 0.3, mean_scale: float = 1.0) -> None:
        super().__init__(n_features, spread, mean_scale)

    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        weights = parameters["weights"]
        x = normal((len(weights), n_points, self.n_features), generator)
        return x, ((x @ weights[..., None])[..., 0] > 0).long()

    def log_likelihood(self, parameters: Parameters, x: Tensor, y: Tensor) -> Tensor:
        side = (x @ parameters["weights"].mT > 0).long()  # (B, n, P)
        # the inputs' density is the same for all tasks: their squares say nothing of w
        density = -0.5 * x.square().sum(-1)[..., None]
        return torch.where(side != y[..., None], density + VIOLATED, density).mT


class ScaledInputs(Domains):
    """Linear regression whose inputs are scaled and moved: the domains of the paper's released code.

    A domain has A (d x d) and b (d) with entries N(0, 1), and s = 8 N(0, 1); its tasks have w ~ N(0, I_d), points
    x = z A + b with z ~ N(0, I_d), and y = s x.w.

    Knowing the domain is worth nothing here, so nothing can be gained by adapting to it: the posterior of s w given a
    noiseless context is the prior, isotropic whatever s, on the directions that the inputs leave open; its mean is the
    least-squares solution of least norm, which neither s, A nor b enters. Take `GaussianWeights` to measure what adapting is worth.

    Args:
        n_features: d >= 1.
        label_scale: standard deviation of s, > 0.

    Source: the released code of Wu et al. 2025: d = 5, 11 points a task, label_scale 8.
    """

    n_classes: None = None

    def __init__(self, n_features: int = 5, label_scale: float = 8.0) -> None:
        self.n_features: int = check_int("n_features", n_features, minimum=1)
        self.label_scale = check_float("label_scale", label_scale, above=0)

    def sample_latents(self, n_domains: int, *, generator: torch.Generator) -> Latents:
        return {
            "map": normal((n_domains, self.n_features, self.n_features), generator),
            "shift": normal((n_domains, self.n_features), generator),
            "scale": self.label_scale * normal((n_domains,), generator),
        }

    def sample_parameters(self, latents: Latents, *, generator: torch.Generator) -> Parameters:
        return {**latents, "weights": latents["scale"][:, None] * normal(latents["shift"].shape, generator)}

    def sample_points(
        self, parameters: Parameters, n_points: int, *, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        shift = parameters["shift"]
        z = normal((len(shift), n_points, self.n_features), generator)
        x = z @ parameters["map"] + shift[:, None]
        return x, (x @ parameters["weights"][..., None])[..., 0]
