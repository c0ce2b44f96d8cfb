"""What is seen of a latent column: skewed, heavy-tailed, rounded, binary or categorical; scaled, shifted, missing."""

from __future__ import annotations

import torch
from torch import Tensor

from ctxlearn.tasks.base import normal
from ctxlearn.tasks.tabular.sampling import chance, choice, integers, log_uniform, permutations, uniform

PLAIN, SKEWED, HEAVY, ROUNDED, BINARY, CATEGORICAL = range(6)
LEVELS = 8
"""Most values of a categorical column; a rounded one may have twice as many."""
PRIMES = (17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61)
"""Levels of categories with many: code = level times stride, modulo a prime, is a permutation that need not be stored."""


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
    if "rarity" in parameters:
        part = part ** parameters["rarity"][:, None, :]
    return (part * levels).long().clamp(max=levels - 1)


def quantised(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    """Latent columns (B, n, d), those of few values moved to the middle of their level: what a label can depend on."""
    part = (_level(parameters, x) + 0.5) / parameters["levels"][:, None, :]
    if "rarity" in parameters:
        part = part ** (1 / parameters["rarity"][:, None, :])
    middle = torch.special.ndtri(part) - parameters["offset"][:, None, :]
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
    if "stride" in parameters:
        levels = parameters["levels"][:, None, :]
        code = torch.where(levels > 2 * LEVELS, level * parameters["stride"][:, None, :] % levels, code)
    value = torch.where(kind == CATEGORICAL, code.to(x.dtype), value)
    if "wild" in parameters:
        value = _with_wild_cells(parameters, value, generator)
    gone = torch.rand(x.shape, generator=generator, device=generator.device) < parameters["missing"][:, None, :]
    value = value.masked_fill(gone, torch.nan)
    return torch.where(used[:, None, :] > 0, value, 0.0)


def sample_more_kinds(n_tasks: int, n_features: int, missing: float, generator: torch.Generator) -> dict[str, Tensor]:
    """`sample_columns`, and besides: categories of up to 61 levels, some of them rare; heavier tails; wild cells."""
    size = (n_tasks, n_features)
    columns = sample_columns(n_tasks, n_features, missing, generator)
    kind = columns["kind"]
    primes = torch.tensor(PRIMES, device=generator.device)[integers(size, 0, len(PRIMES) - 1, generator)]
    many = (kind == CATEGORICAL) & chance(size, 0.35, generator)
    columns["levels"] = torch.where(many, primes, columns["levels"])
    columns["stride"] = 1 + (torch.rand(size, generator=generator, device=generator.device) * (primes - 1)).long()
    uneven = (kind >= BINARY) & chance(size, 0.5, generator)
    columns["rarity"] = torch.where(uneven, log_uniform(size, 1 / 3, 3.0, generator), 1.0)
    heavier = chance(size, 0.3, generator) & ((kind == SKEWED) | (kind == HEAVY))
    columns["power"] = columns["power"] * torch.where(heavier, uniform(size, 1.0, 1.7, generator), 1.0)
    wild = chance((n_tasks, 1), 0.12, generator) & chance(size, 0.3, generator) & (kind != CATEGORICAL)
    columns["wild"] = torch.where(wild, log_uniform(size, 0.003, 0.06, generator), 0.0)
    columns["mark"] = torch.where(chance(size, 0.5, generator), 10 ** integers(size, 2, 6, generator) - 1.0, 0.0)
    return columns


def _with_wild_cells(parameters: dict[str, Tensor], value: Tensor, generator: torch.Generator) -> Tensor:
    """Some cells far off: of any size, or all of them one number such as 9999; either sign."""
    share, mark = parameters["wild"][:, None, :], parameters["mark"][:, None, :]
    random = torch.rand(value.shape, generator=generator, device=generator.device)
    size = parameters["scale"][:, None, :] * 10 ** (1 + 5 * random / share.clamp(min=1e-9)).clamp(max=6.0)
    far = torch.where(mark > 0, mark, value + size)
    return torch.where(random < share, torch.where(parameters["offset"][:, None, :] > 0, far, -far), value)
