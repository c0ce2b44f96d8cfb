"""A claim: a sentence that a measurement decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ctxlearn.evaluation.statistics import CLAIM_LEVEL, mean_interval, simultaneous_level, verdict


@dataclass(frozen=True)
class Claim:
    """One row of claims.json.

    Attributes:
        id: short name, unique in its study.
        claim: the sentence; with one seed it speaks of "this trained model".
        statistic: what was measured, with its unit and baseline.
        value: the measured statistic.
        low: its lower bound, one-sided at 95 %, simultaneous over the claims of its group.
        high: its upper bound, likewise.
        threshold: what the statistic is compared with.
        better: the side of the threshold where the claim holds, "above" or "below".
        verdict: "holds", "fails" or "undecided".
        n_tasks: test tasks in all.
        seeds: training seeds.
        group: claims decided together.
    """

    id: str
    claim: str
    statistic: str
    value: float
    low: float
    high: float
    threshold: float
    better: str
    verdict: str
    n_tasks: int
    seeds: int
    group: str

    def as_json(self) -> dict[str, Any]:
        """As plain data, numbers rounded to what their interval can bear."""
        data = asdict(self)
        for name in ("value", "low", "high"):
            data[name] = round(data[name], 6)
        return data


def tally(claims: Sequence[Claim]) -> str:
    """How many claims hold, how many are undecided and how many fail, as a sentence."""
    found = Counter(claim.verdict for claim in claims)
    return f"{found['holds']} claims hold, {found['undecided']} are undecided, {found['fails']} fail."


def decide(
    id: str,
    claim: str,
    statistic: str,
    differences: np.ndarray,
    *,
    threshold: float = 0.0,
    better: str = "above",
    together: int = 1,
    group: str,
) -> Claim:
    """State a claim about a mean difference.

    Args:
        id: short name.
        claim: the sentence, without a word on seeds.
        statistic: what the numbers are.
        differences: (S, T) per training seed and test task.
        threshold: see `Claim`.
        better: see `Claim`.
        together: how many claims are decided at once; the bounds hold for all of them together.
        group: their common name.
    """
    interval = mean_interval(differences, level=simultaneous_level(CLAIM_LEVEL, together))
    if interval.seeds == 1:
        claim = f"{claim} (this trained model; one seed)"
    return Claim(
        id,
        claim,
        statistic,
        interval.value,
        interval.low,
        interval.high,
        threshold,
        better,
        verdict(interval, threshold, better),
        interval.n_tasks,
        interval.seeds,
        group,
    )
