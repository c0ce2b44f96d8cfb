"""Which values of a column are wild, and how much the others count in the column's statistics."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

GAP = 4.0
"""In a column of many values, one this many times as far from the median as the next nearer one is suspect."""
FEW = 10
"""Of m values, (FEW / m)^6 is added to `GAP`: few values have wide gaps by chance, or because their classes are apart."""
SHARE = 8
"""At most one value in this many can be wild, but one of `FEWEST` or more always can. A larger part of a column is a group."""
FEWEST = 3
WILD = 2.0
"""A value of the context is certainly wild from this many thresholds on."""
WILD_QUERY = 4.0
"""A query is wild from this many thresholds on. It takes more, since the context does not show whether others are as far."""


class Inliers(NamedTuple):
    """What to believe of columns (B, n, d).

    Attributes:
        weights: of each value in its column's statistics, (B, n, d) in [0, 1]; 0 where it is wild or missing.
        centre: median of each column, (B, 1, d).
        limit: distance from the median at which any value of the column counts as wild, (B, 1, d).
    """

    weights: Tensor
    centre: Tensor
    limit: Tensor


def find_inliers(x: Tensor) -> Inliers:
    """Tell wild values by the gap in front of them.

    Sort the distances of a column's m values from their median, leaving out zeros. Divide each by the one before it, and by the
    threshold `GAP` + (`FEW` / m)^6: this is its gap g. A value with g > 1, and all beyond it, count less in the column's
    statistics, down to nothing where g >= `WILD`. A gap counts, not a size: heavy tails rarely have gaps that wide,
    and a column without one has weights of exactly 1.

    Neither the unit of a column, its sign nor the order of its values matters.

    Args:
        x: n >= 1 values of each column, NaN where missing; small enough that differences do not overflow.
    """
    n = x.shape[1]
    there = ~x.isnan()
    count = there.sum(1, keepdim=True)
    ordered = x.sort(1).values  # missing ones last
    lower, upper = ordered.gather(1, (count - 1).clamp(min=0) // 2), ordered.gather(1, (count // 2).clamp(max=n - 1))
    centre = (0.5 * lower + 0.5 * upper).nan_to_num(nan=0.0)
    distance, order = (x - centre).abs().masked_fill(~there, -1.0).sort(1)
    apart = (distance > 0).sum(1, keepdim=True)
    threshold = GAP + (FEW / apart.clamp(min=1).to(x.dtype)) ** 6
    most_wild = torch.where(apart >= FEWEST, (apart // SHARE).clamp(min=1), 0)
    can_be_wild = torch.arange(n, device=x.device)[:, None] >= n - most_wild
    gap = torch.where(can_be_wild, distance / distance.roll(1, 1) / threshold, 1.0).clamp(min=1.0)
    # divided by the gap's square, so that the part of a suspect value in the variance does not grow with its distance
    weights = ((WILD - gap).clamp(min=0.0) / gap.square()).cummin(1).values
    reach = distance.masked_fill(weights == 0, 0.0).amax(1, keepdim=True)
    limit = torch.where(reach > 0, WILD_QUERY * threshold * reach, torch.inf)
    limit = torch.minimum(limit, distance.masked_fill(weights > 0, torch.inf).amin(1, keepdim=True))
    return Inliers(torch.zeros_like(x).scatter(1, order, weights) * there, centre, limit)
