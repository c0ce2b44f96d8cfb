"""A study as data: sizes, what to train and measure, and the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctxlearn.checks import describe
from ctxlearn.jobs.cells import Planned
from ctxlearn.jobs.trainings import Training
from ctxlearn.lab.page import Page
from ctxlearn.lab.samples import Numbers


@dataclass(frozen=True)
class Study:
    """A question, stated so that it can be answered "no".

    Attributes:
        name: of its folder; letters, digits, "-" and "_".
        profiles: sizes by the name of a profile, "smoke" and "quick" for instance; of any type that the two functions know.
        plan: from the sizes and a seed to what is measured with it. The trainings are those that the measurements name,
            so a plan of cells needs nothing else.
        present: from the sizes and all numbers to the page. It measures nothing and depends on nothing else, so a mended
            caption is a matter of seconds.
        plan_all: from the sizes and all seeds to what is measured once for all of them, if there is anything.
        trainings: from the sizes and a seed to trainings besides those that the measurements name.
    """

    name: str
    profiles: Mapping[str, Any]
    plan: Callable[[Any, int], Sequence[Planned]]
    present: Callable[[Any, Numbers], Page]
    plan_all: Callable[[Any, Sequence[int]], Sequence[Planned]] | None = None
    trainings: Callable[[Any, int], Mapping[str, Training]] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[\w-]+", self.name):
            raise ValueError(f"name: expected letters, digits, - and _, got {describe(self.name)}")
        if not isinstance(self.profiles, Mapping) or not self.profiles:
            raise ValueError(f"profiles: expected sizes by name, got {describe(self.profiles)}")

    def planned(self, profile: str, seeds: int) -> list[Planned]:
        """Everything that is measured with the seeds 0 to `seeds` - 1."""
        sizes = self.profiles[profile]
        found = [part for seed in range(seeds) for part in self.plan(sizes, seed)]
        return found + list(self.plan_all(sizes, range(seeds)) if self.plan_all is not None else [])
