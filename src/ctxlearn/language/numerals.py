"""Numbers as integers of a few digits, and back."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

SPREAD = 2.5
"""Standard deviations on either side of the mean that fill the digits."""


class Range(NamedTuple):
    """The numbers that fill the digits: `centre` - `half` is 0 and `centre` + `half` the largest; (B, 1, d) float64 each."""

    centre: Tensor
    half: Tensor

    def integers(self, x: Tensor, digits: int) -> Tensor:
        """Numbers (B, n, d) as integers in [0, 10^digits), (B, n, d) int64; -1 where NaN."""
        share = ((x.double() - self.centre) / self.half).clamp(-1, 1)
        codes = ((share + 1) / 2 * (10**digits - 1)).round()
        return torch.where(x.isnan(), -1.0, codes).long()

    def numbers(self, digits: int) -> Tensor:
        """What the integers 0, 1, ... stand for, (B, 1, 10^digits), where d = 1."""
        steps = torch.linspace(-1, 1, 10**digits, dtype=torch.float64, device=self.centre.device)
        return self.centre + self.half * steps


def range_of(x: Tensor, scale: float | str) -> Range:
    """The range of contexts (B, n, d), n >= 0, NaN where missing; `scale` as in `TextFormat`."""
    n_tasks, _, d = x.shape
    centre = x.new_zeros(n_tasks, 1, d, dtype=torch.float64)
    if not isinstance(scale, str):
        return Range(centre, torch.full_like(centre, float(scale)))
    values = 0.5 * x.detach().double()  # halved, so that no difference overflows
    there = ~values.isnan()
    count = there.sum(1, keepdim=True)
    low = values.masked_fill(~there, torch.inf).amin(1, keepdim=True) if x.shape[1] else centre
    high = values.masked_fill(~there, -torch.inf).amax(1, keepdim=True) if x.shape[1] else centre
    varies = high > low
    # about the least value and in units of the extent: no square overflows either
    low, extent = torch.where(count > 0, low, 0.0), torch.where(varies, high - low, 1.0)
    z = ((values - low) / extent).masked_fill(~there, 0.0)
    mean = z.sum(1, keepdim=True) / count.clamp(min=1)
    squares = (z - mean).masked_fill(~there, 0.0).square().sum(1, keepdim=True)
    deviation = (squares / (count - 1).clamp(min=1) * (1 + 1 / count.clamp(min=1))).sqrt() * extent
    half = SPREAD * torch.where(varies, 2 * deviation, 1.0)
    return Range(2 * (low + mean * extent), half.clamp(max=torch.finfo(torch.float64).max))
