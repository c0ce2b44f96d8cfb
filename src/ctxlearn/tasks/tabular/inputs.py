"""Latent inputs of a table: each column of mean zero and variance one, correlated, heavy-tailed, in groups."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.tasks.base import normal
from ctxlearn.tasks.tabular.sampling import chance, log_uniform, uniform

FACTORS = 3
GROUPS = 4


def sample_inputs(n_tasks: int, n_features: int, generator: torch.Generator) -> dict[str, Tensor]:
    """How the inputs of tasks are distributed.

    x = sqrt(1 - g) (sqrt(1 - l) e + sqrt(l) f L) + sqrt(g) centre of the point's group, where e is of each column, the
    factors f are shared by all of them, and l differs by column. e and f are normal, uniform, or normal over a random size shared by
    the row (so that rows are outlying as a whole).
    """
    factors = normal((n_tasks, FACTORS, n_features), generator)
    factors = factors * log_uniform((n_tasks, FACTORS, 1), 0.1, 1.0, generator)
    correlated = chance((n_tasks, 1), 0.65, generator)
    share = uniform((n_tasks, 1), 0.0, 1.0, generator).sqrt() * uniform((n_tasks, n_features), 0.3, 0.98, generator)
    grouped = chance((n_tasks, 1), 0.3, generator)
    kind = torch.rand(n_tasks, generator=generator, device=generator.device)
    return {
        "loadings": factors / factors.square().sum(1, keepdim=True).sqrt(),
        "shared": torch.where(correlated, share, 0.0),
        "centres": normal((n_tasks, GROUPS, n_features), generator),
        "grouped": torch.where(grouped, uniform((n_tasks, 1), 0.2, 0.9, generator), 0.0),
        "flat": (kind < 0.1).float(),
        "tail": torch.where(kind > 0.75, log_uniform((n_tasks,), 0.1, 0.8, generator), 0.0),
    }


def draw_noise(parameters: dict[str, Tensor], n_points: int, generator: torch.Generator) -> Tensor:
    """The part of the inputs that knows no groups, (B, n, d), each column of variance about one."""
    n_tasks, n_factors, n_features = parameters["loadings"].shape
    own = normal((n_tasks, n_points, n_features + n_factors), generator)
    flat = 12**0.5 * (torch.special.ndtr(own) - 0.5)
    own = torch.where(parameters["flat"][:, None, None] > 0, flat, own)
    shared = parameters["shared"][:, None, :]
    x = (1 - shared).sqrt() * own[..., :n_features] + shared.sqrt() * (own[..., n_features:] @ parameters["loadings"])
    size = (parameters["tail"][:, None] * normal((n_tasks, n_points), generator)).exp()
    return x * (size / (parameters["tail"].square()[:, None]).exp())[..., None]


def draw_inputs(parameters: dict[str, Tensor], n_points: int, generator: torch.Generator) -> Tensor:
    """Inputs (B, n, d)."""
    x = draw_noise(parameters, n_points, generator)
    share = parameters["grouped"][:, :, None]
    group = torch.randint(GROUPS, x.shape[:2], generator=generator, device=generator.device)
    centre = parameters["centres"].gather(1, group[..., None].expand_as(x))
    return (1 - share).sqrt() * x + share.sqrt() * centre
