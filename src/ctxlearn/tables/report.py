"""What was understood of a table, and what smells, in words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ctxlearn.tables.cells import Numbers, texts
from ctxlearn.tables.column import Column
from ctxlearn.tables.columns import MANY_UNKNOWN, Columns, Read, each_column
from ctxlearn.tables.kinds import CategoryColumn, DateColumn, LeftOutColumn, NumberColumn

WILD = 100.0
"""Spreads from the middle beyond which a value is pointed out; the spread is that of the middle half."""


@dataclass(frozen=True)
class ColumnReport:
    """One column as the user is told of it.

    Attributes:
        name: of the column.
        kind: number, category, date, text, constant or key.
        detail: how its cells are written; the categories.
        low, high: least and greatest number or date.
        missing: share of the context's cells without a value.
        query_missing: the same of the query's.
        query_unknown: share of the query's values of which the context knows nothing.
        warnings: what smells.
    """

    name: str
    kind: str
    detail: str
    low: str | None
    high: str | None
    missing: float
    query_missing: float
    query_unknown: float
    warnings: tuple[str, ...]

    def line(self) -> str:
        """The column in a line, without its name."""
        said = [self.detail] if self.detail else []
        if self.low is not None and self.kind != "constant":
            said.append(f"{self.low} to {self.high}")
        elif self.low is not None:
            said.append(f"always {self.low}")
        if self.missing:
            said.append(f"{_percent(self.missing)} missing")
        if self.query_unknown:
            said.append(f"{_percent(self.query_unknown)} of the query's values unknown")
        return f"{self.kind:<9} {'; '.join(said)}".rstrip()


def report(
    columns: Columns,
    context: pd.DataFrame,
    query: pd.DataFrame,
    read: tuple[Read, Read],
    target: Any,
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
) -> list[ColumnReport]:
    """A report of each column.

    Args:
        columns: learned from the context.
        context, query: tables of these columns.
        read: what `Columns.read` made of them.
        target: the context's labels, to be held against the columns.
        rows: of context and query, as they are counted in their files.
    """
    made = []
    tables = zip(each_column(context), each_column(query), strict=True)
    for column, features, asked, ((_, known), (_, cells)) in zip(
        columns.columns, *(part.cells for part in read), tables, strict=True
    ):
        n_query = len(cells)
        gone = int(np.isnan(asked.values).all(1).sum()) if asked.values.shape[1] else 0
        n_missing = max(0, gone - len(asked.unknown))
        valued = max(1, n_query - n_missing)
        warned = [renumbered(text, rows[0]) for text in _smells(column, features.values, known, target)]
        warned = [*column.notes, *(renumbered(note, rows[1]) for note in asked.notes), *warned]
        if asked.unknown and not isinstance(column, NumberColumn | DateColumn):
            shown = list(dict.fromkeys(texts(column.name, cells)[row] for row in asked.unknown))
            share = len(asked.unknown) / valued
            if share > MANY_UNKNOWN or len(asked.unknown) == valued:
                warned.append(
                    f"{_percent(share)} of the query's values are unknown to the context ({', '.join(map(repr, shown[:3]))})"
                )
        made.append(
            ColumnReport(
                column.name,
                column.taken_for,
                column.detail,
                column.seen.low,
                column.seen.high,
                column.seen.n_missing / max(1, column.seen.n),
                n_missing / max(1, n_query),
                len(asked.unknown) / valued,
                tuple(warned),
            )
        )
    return made


def renumbered(text: str, rows: NDArray[np.int64]) -> str:
    """A message about some rows of a file, with their numbers in the file."""
    return re.sub(r"\brow (\d+)\b", lambda found: f"row {rows[int(found[1])]}", text)


def _smells(column: Column, features: Numbers, cells: Any, target: Any) -> list[str]:
    found = []
    if isinstance(column, LeftOutColumn):
        found.append("left out: " + column.why)
    elif column.seen.n_different == 0:
        found.append("it has no value in the context: left out")
    elif column.seen.n_different == 1:
        found.append("it has one value in the context, of which nothing can be learned")
    elif isinstance(column, NumberColumn):
        found += _of_numbers(features[:, 0])
    if column.seen.n_different > 1 and _says_target(column, features, cells, target):
        found.append(
            "it says the target: each of its values goes with one value of the target and the other way round (--drop?)"
        )
    return found


def _of_numbers(numbers: Numbers) -> list[str]:
    present = numbers[~np.isnan(numbers)]
    ordered = np.sort(present)
    low, middle, high = (ordered[int(share * (len(ordered) - 1))] for share in (0.25, 0.5, 0.75))
    spread = high - low
    far = np.abs(present - middle) / spread if spread > 0 else np.zeros(len(present))
    if far.max(initial=0) > WILD:
        row = int(np.nanargmax(np.abs(numbers - middle)))
        return [
            f"{numbers[row]:.10g} in row {row} is {far.max():,.0f} times the spread of the column away from its middle"
        ]
    steps = np.diff(present)
    if len(present) == len(numbers) >= 10 and (steps == 1).all():
        return ["it counts the rows; say --drop if it is their number"]
    return []


def _says_target(column: Column, features: Numbers, cells: Any, target: Any) -> bool:
    """Whether a column and the target are one under two names."""
    n = len(target)
    if n < 10 or features.shape[1] == 0:
        return False
    if isinstance(target, np.ndarray) and target.dtype.kind == "f":
        numbers = features[:, 0]
        if not isinstance(column, NumberColumn) or np.isnan(numbers).any() or np.ptp(target) == 0:
            return False
        slope, start = np.polyfit((numbers - numbers.mean()) / (np.ptp(numbers) or 1), target, 1)
        fitted = slope * (numbers - numbers.mean()) / (np.ptp(numbers) or 1) + start
        return bool(np.abs(fitted - target).max() <= 1e-9 * np.ptp(target))
    n_labels = len(set(target))
    if not isinstance(column, CategoryColumn | NumberColumn) or n_labels > n / 4 or column.seen.n_different != n_labels:
        return False
    return n_labels > 1 and len(set(zip(texts(column.name, cells), target, strict=True))) == n_labels


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.01 else "under 1 %"
