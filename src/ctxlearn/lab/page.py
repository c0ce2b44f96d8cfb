"""A page as data: the question, what came out, claims, figures and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
from matplotlib.figure import Figure as Drawing

from ctxlearn.evaluation.statistics import Interval
from ctxlearn.lab.claims import Claim
from ctxlearn.lab.estimates import Estimate, interval_of


@dataclass(frozen=True)
class Figure:
    """A drawing with the words that go with it.

    Attributes:
        name: file name without suffix.
        drawing: the matplotlib figure.
        caption: what the reader should see in it.
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
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Section:
    """A part of the page: paragraphs, then figures side by side where there is room, then tables.

    One without a title continues the one before it.
    """

    title: str
    paragraphs: Sequence[str]
    figures: Sequence[Figure] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Page:
    """What a study found.

    Attributes:
        title: of the page.
        asked: the question, for someone who has not read the paper.
        found: what came out, in one or two sentences made from the claims.
        sure: how sure that is: tasks, seeds, level, what was not varied.
        claims: the decided claims.
        results: the numbers, one row per learner, family, context length and seed.
        sections: the rest of the page.
        tables: further tables to write as CSV, by file name without suffix.
    """

    title: str
    asked: str
    found: str
    sure: str
    claims: list[Claim]
    results: pd.DataFrame
    sections: Sequence[Section] = ()
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def count(number: int, noun: str) -> str:
    """A number and its noun: "1 seed", "3 seeds"."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def percent(value: float, digits: int = 1) -> str:
    """A share as a percentage without its sign."""
    return f"{100 * value:.{digits}f}"


def cell(found: Estimate | Interval, digits: int = 2, *, sign: bool = False) -> str:
    """An estimate in a table: "12.3 (11.9 to 12.7)"."""
    interval, form = interval_of(found), f"{'+' if sign else ''}.{digits}f"
    return f"{interval.value:{form}} ({interval.low:{form}} to {interval.high:{form}})"
