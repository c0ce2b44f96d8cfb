"""What a study is: the trainings it needs, and what it finds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure as Drawing

from ctxlearn.learners.base import Learner
from ctxlearn.studies.claims import Claim
from ctxlearn.studies.store import Training


@dataclass(frozen=True)
class Figure:
    """A drawing with the words that go with it.

    Attributes:
        name: file name without suffix.
        drawing: the matplotlib figure.
        caption: what the reader shall see in it.
        alternative: the same for someone who cannot see it.
    """

    name: str
    drawing: Drawing
    caption: str
    alternative: str


@dataclass(frozen=True)
class Table:
    """A table with its caption; cells are text."""

    caption: str
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Section:
    """A part of the page: paragraphs, then figures side by side where there is room, then tables."""

    title: str
    paragraphs: list[str]
    figures: list[Figure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)


@dataclass(frozen=True)
class Findings:
    """What a study found.

    Attributes:
        title: of the page.
        asked: the question, for someone who has not read the paper.
        found: what came out, in one or two sentences made from the claims.
        sure: how sure that is: tasks, seeds, level, what was not varied.
        claims: the decided claims.
        results: the numbers, one row a learner, family, context length and seed.
        sections: the rest of the page.
        tables: further tables to write as CSV, by file name without suffix.
    """

    title: str
    asked: str
    found: str
    sure: str
    claims: list[Claim]
    results: pd.DataFrame
    sections: list[Section]
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


@dataclass(frozen=True)
class Workload:
    """What a study may use while it measures.

    Attributes:
        threads: to compute with.
        progress: whether to show progress.
        folders: of the trained runs, by seed and name, for those that kept weights or metrics on their way.
        parts: folder for finished parts of a long measurement, found again when the study goes on; None keeps none.
    """

    threads: int
    progress: bool
    folders: Mapping[int, Mapping[str, Path]] = field(default_factory=dict)
    parts: Path | None = None


class Study(ABC):
    """A claim of the paper, stated so that it can fail."""

    @abstractmethod
    def trainings(self, profile: str, seed: int) -> dict[str, Training]:
        """The trainings of one seed, by name."""

    @abstractmethod
    def findings(self, profile: str, learners: Mapping[int, Mapping[str, Learner]], workload: Workload) -> Findings:
        """Measure the trained learners, by seed and name, on tasks no training or validation saw; decide the claims."""


def count(number: int, noun: str) -> str:
    """A number and its noun: "1 seed", "3 seeds"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(value: float, digits: int = 1) -> str:
    """A share as a percentage without its sign."""
    return f"{100 * value:.{digits}f}"


def rounded(frame: pd.DataFrame, digits: int = 6) -> pd.DataFrame:
    """Numbers rounded, so that a CSV does not pretend to more than was measured."""
    return frame.round(digits)
