"""What a claim can rest on besides the mean of paired numbers: facts, and the least of several differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from ctxlearn.evaluation.statistics import ESTIMATE_LEVEL, Interval, simultaneous_level
from ctxlearn.lab.samples import Paired


class Estimate(Protocol):
    """A statistic that has an interval: a `Paired` difference, or a quantity with bounds of its own."""

    def interval(self, level: float) -> Interval:
        """Its value with two-sided bounds that cover with probability `level`."""


def interval_of(found: Estimate | Interval) -> Interval:
    """An interval as it is, or the 95 % interval of an estimate."""
    return found if isinstance(found, Interval) else found.interval(ESTIMATE_LEVEL)


class Fact(NamedTuple):
    """A number about `n_tasks` things that were looked at, no estimate: both its bounds are itself."""

    value: float
    n_tasks: int
    seeds: int

    def interval(self, level: float = ESTIMATE_LEVEL) -> Interval:
        """Without a width."""
        return Interval(self.value, self.value, self.value, self.n_tasks, self.seeds, level)


@dataclass(frozen=True)
class Least:
    """The least of several differences, by name: above zero where every one of them is."""

    gaps: Mapping[str, Paired]

    @property
    def closest(self) -> str:
        """Whose difference is the least."""
        return min(self.gaps, key=lambda name: self.gaps[name].mean())

    def interval(self, level: float = ESTIMATE_LEVEL) -> Interval:
        """The least mean and its bounds.

        It is above zero where every one of the differences is at this level, which errs no more often than the level says
        however many they are (an intersection-union test). It is below zero where one of them is; any of them may be by
        chance, so that bound is widened by their number.
        """
        one = {name: gap.interval(level) for name, gap in self.gaps.items()}
        wide = simultaneous_level(level, len(self.gaps))
        least = one[self.closest]
        high = max(least.value, min(gap.interval(wide).high for gap in self.gaps.values()))
        return Interval(least.value, min(i.low for i in one.values()), high, least.n_tasks, least.seeds, level)
