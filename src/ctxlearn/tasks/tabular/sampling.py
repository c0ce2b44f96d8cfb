"""Small random draws that the parts of the tabular prior share; all on the generator's device."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor


def uniform(size: Sequence[int], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Uniform numbers in [low, high)."""
    return low + (high - low) * torch.rand(tuple(size), generator=generator, device=generator.device)


def log_uniform(size: Sequence[int], low: float, high: float, generator: torch.Generator) -> Tensor:
    """Numbers in [low, high) whose logarithm is uniform."""
    return uniform(size, math.log(low), math.log(high), generator).exp()


def chance(size: Sequence[int], share: float, generator: torch.Generator) -> Tensor:
    """True with probability `share`."""
    return torch.rand(tuple(size), generator=generator, device=generator.device) < share


def integers(size: Sequence[int], low: int, high: int, generator: torch.Generator) -> Tensor:
    """Integers in [low, high], each as likely."""
    return torch.randint(low, high + 1, tuple(size), generator=generator, device=generator.device)


def choice(size: Sequence[int], weights: Sequence[float], generator: torch.Generator) -> Tensor:
    """Positions in `weights`, drawn with these."""
    cumulated = torch.tensor(weights, device=generator.device).cumsum(0)
    numbers = torch.rand(tuple(size), generator=generator, device=generator.device) * cumulated[-1]
    chosen: Tensor = torch.searchsorted(cumulated, numbers, right=True).clamp(max=len(weights) - 1)
    return chosen


def permutations(size: Sequence[int], generator: torch.Generator) -> Tensor:
    """Permutations of the last axis."""
    return torch.rand(tuple(size), generator=generator, device=generator.device).argsort(-1)
