"""What is seen of a latent column: skewed, heavy-tailed, rounded, binary or categorical; scaled, shifted, missing."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.tasks.base import normal
from ctxlearn.tasks.tabular.drawing import chance, choice, integers, log_uniform, permutations, uniform

PLAIN, SKEWED, HEAVY, ROUNDED, BINARY, CATEGORICAL = range(6)
LEVELS = 8
"""Most values of a categorical column; a rounded one may have twice as many."""


def sample_columns(n_tasks: int, n_features: int, missing: float, generator: torch.Generator) -> dict[str, Tensor]:
    """How the columns of tasks look: half of the tasks have plain ones only; a share `missing` of the tasks has gaps."""
    size = (n_tasks, n_features)
    mixed = choice(size, [3, 1.5, 1, 1.5, 1, 1.5], generator)
    alike = choice((n_tasks, 1), [3, 2, 1, 2, 1, 2], generator)  # all columns of one kind
    mode = torch.rand((n_tasks, 1), generator=generator, device=generator.device)
    kind = torch.where(mode < 0.5, PLAIN, torch.where(mode < 0.65, alike, mixed))
    levels = torch.where(
        kind == ROUNDED, integers(size, 3, 2 * LEVELS, generator), integers(size, 3, LEVELS, generator)
    )
    gaps = chance((n_tasks, 1), missing, generator) & chance(size, 0.6, generator)
    return {
        "kind": kind,
        "power": torch.where(kind == SKEWED, uniform(size, 0.3, 1.3, generator), uniform(size, 1.3, 3.0, generator)),
        "levels": torch.where(kind == BINARY, 2, levels),
        "offset": torch.where(kind == ROUNDED, 0.5, 0.8) * normal(size, generator),
        "codes": permutations((*size, LEVELS), generator),
        "scale": log_uniform(size, 0.01, 1000.0, generator),
        "shift": 2 * normal(size, generator),
        "missing": torch.where(gaps, uniform((n_tasks, 1), 0.02, 0.4, generator), 0.0),
    }


def _level(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    levels = parameters["levels"][:, None, :]
    part: Tensor = torch.special.ndtr(x + parameters["offset"][:, None, :])
    return (part * levels).long().clamp(max=levels - 1)


def quantised(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    """Latent columns (B, n, d), those of few values moved to the middle of their level: what a label can depend on."""
    level = _level(parameters, x) + 0.5
    middle = torch.special.ndtri(level / parameters["levels"][:, None, :]) - parameters["offset"][:, None, :]
    return torch.where(parameters["kind"][:, None, :] >= ROUNDED, middle, x)


def seen(parameters: dict[str, Tensor], x: Tensor, used: Tensor, generator: torch.Generator) -> Tensor:
    """What the table shows of latent columns (B, n, d): NaN where a value is missing, zero in columns not used (B, d)."""
    kind, power = parameters["kind"][:, None, :], parameters["power"][:, None, :]
    x = x.clamp(min=-8.0, max=8.0)
    value = torch.where(kind == SKEWED, (power * x).exp(), x)
    value = torch.where(kind == HEAVY, x.sign() * x.abs() ** power, value)
    value = parameters["scale"][:, None, :] * (value + parameters["shift"][:, None, :])
    level = _level(parameters, x)
    value = torch.where(kind >= ROUNDED, level.to(x.dtype), value)
    codes = parameters["codes"][:, None].expand(-1, x.shape[1], -1, -1)
    code = codes.gather(3, level.clamp(max=LEVELS - 1)[..., None])[..., 0]
    value = torch.where(kind == CATEGORICAL, code.to(x.dtype), value)
    gone = torch.rand(x.shape, generator=generator, device=generator.device) < parameters["missing"][:, None, :]
    value = value.masked_fill(gone, torch.nan)
    return torch.where(used[:, None, :] > 0, value, 0.0)
