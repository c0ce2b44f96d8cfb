"""Columns of few values as indicators of each value: one-hot coding that follows from the context alone, in a fixed number of places."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from ctxlearn.learners.base import largest

REPEATING = 0.5
"""A column with at most this many different values per row may be one of categories."""
PLACES = 128
"""Most values, over all columns of a context, that get an indicator; the first columns' come first."""


class Levels(NamedTuple):
    """The values of the columns of B contexts.

    Attributes:
        values: in rising order, infinity where missing, (B, d, n).
        places: of the indicator of each, (B, d, n) int64; m where it has none.
        n_places: m, at most `PLACES`.
    """

    values: Tensor
    places: Tensor
    n_places: int

    def indicators(self, x: Tensor) -> Tensor:
        """Which of the values points x (B, q, d) have, (B, q, m); a value that the context lacks has none."""
        wanted = x.mT.contiguous()
        found = torch.searchsorted(self.values, wanted).clamp(max=self.values.shape[2] - 1)
        place = torch.where(self.values.gather(2, found) == wanted, self.places.gather(2, found), self.n_places)
        return x.new_zeros(*x.shape[:2], self.n_places + 1).scatter_(2, place.mT, 1.0)[..., : self.n_places]


def find_levels(x: Tensor) -> Levels:
    """The values of columns of contexts x (B, n, d), n >= 1, NaN where missing, that repeat: more than one, but few different ones."""
    values = x.mT.nan_to_num(nan=torch.inf).contiguous().sort(2).values
    first = torch.ones_like(values[..., :1], dtype=torch.bool)
    new = torch.cat([first, values[..., 1:] > values[..., :-1]], dim=2) & (values < torch.inf)
    count = new.sum(2, keepdim=True)
    repeating = (count > 1) & (count <= REPEATING * x.shape[1])
    counted = torch.where(repeating, count, 0)
    place = counted.cumsum(1) - counted + new.cumsum(2) - 1
    n_places = min(PLACES, largest(counted.sum(1), PLACES))
    return Levels(values, torch.where(repeating & (place < n_places) & (values < torch.inf), place, n_places), n_places)
