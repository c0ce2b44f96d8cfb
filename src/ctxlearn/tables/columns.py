"""The columns of a table as numbers: what each is, learned from the context alone."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ctxlearn.checks import describe
from ctxlearn.tables.cells import EXACT, Numbers
from ctxlearn.tables.column import Column, Features, Seen
from ctxlearn.tables.kinds import NumberColumn, from_json
from ctxlearn.tables.learn import learn_column
from ctxlearn.tables.reading import Reading

MANY_UNKNOWN = 0.5
"""Share of unknown values above which a user is told."""

Table = NDArray[Any] | pd.DataFrame


class Read(NamedTuple):
    """A table as numbers; predictors take it in place of the table.

    Attributes:
        x: features (n, D), NaN where missing.
        cells: what was made of each column.
        known: what the context says of the columns.
    """

    x: Numbers
    cells: tuple[Features, ...]
    known: Columns

    def notes(self) -> Iterator[tuple[str, str]]:
        """What a user should know, with the column's name; unknown categories where nearly all are."""
        for column, found in zip(self.known.columns, self.cells, strict=True):
            for note in found.notes:
                yield column.name, note
            n_values = len(found.unknown) + int((~np.isnan(found.values)).any(1).sum())
            if column.kind == "category" and len(found.unknown) > max(1, MANY_UNKNOWN * n_values):
                yield (
                    column.name,
                    f"{len(found.unknown)} of {n_values} values are unknown to the context; taken as missing",
                )


@dataclass(frozen=True)
class Columns:
    """How the d columns of a table become D features; learned from the context alone.

    Numbers are features as they are; text that reads as numbers or dates throughout is these. Other text, Booleans and
    pandas' categorical type are categories, whose codes are sorted (or in pandas' order where it means something);
    one that the context lacks counts as missing. A date becomes several features, free text some dozens, and a key none.
    """

    columns: tuple[Column, ...]
    reading: Reading = field(default_factory=Reading)

    @classmethod
    def learn(
        cls,
        table: Table,
        categorical: Collection[int] = (),
        reading: Reading | None = None,
        more: pd.DataFrame | None = None,
    ) -> Columns:
        """From the context's inputs, (n, d).

        Args:
            table: the context.
            categorical: places of columns whose values are names, whatever they look like.
            reading: what the user says of text.
            more: another table of the same columns, asked where the context's text can be read in two ways.

        Raises:
            ValueError: a column is nearly numbers, can be read in two ways, or holds infinity or what is neither number nor
                text; or all are left out.
            TypeError: a cell is neither text nor a real number.
        """
        return cls.learn_and_read(table, categorical, reading, more).known

    @classmethod
    def learn_and_read(
        cls,
        table: Table,
        categorical: Collection[int] = (),
        reading: Reading | None = None,
        more: pd.DataFrame | None = None,
    ) -> Read:
        """`learn`, then `read` of the same table; plain numbers in text are parsed once."""
        reading = Reading() if reading is None else reading
        if _numeric(table) and not categorical:
            return cls(_of_matrix(table), reading).read(table)
        elsewhere = itertools.repeat(None) if more is None else (cells for _, cells in each_column(more))
        learned = [
            learn_column(name, values, reading, place in categorical, others)
            for place, ((name, values), others) in enumerate(zip(each_column(table), elsewhere, strict=False))
        ]
        known = cls(tuple(column for column, _ in learned), reading)
        if learned and not any(column.levels for column in known.columns):
            said = "; ".join(f"{column.name}: {column.detail}" for column in known.columns)
            raise ValueError(f"X: no column is left of which something could be learned: {said}")
        return known._read(table, [features for _, features in learned])

    def numbers(self, table: Table) -> Numbers:
        """The features of a table of the same columns, (n, D)."""
        return self.read(table).x

    def read(self, table: Table) -> Read:
        """The features of a table of the same columns, and what was unknown in it.

        Raises:
            ValueError: a column is of another kind than in the context, or holds infinity.
            TypeError: a cell is neither text nor a real number.
        """
        if self._plain and _numeric(table):
            x = _matrix(table)
            if np.isinf(x).any():
                place = int(np.isinf(x).any(0).argmax())
                self.columns[place].features(x[:, place], self.reading)  # says which
            return Read(x, tuple(Features(x[:, i : i + 1], (), ()) for i in range(x.shape[1])), self)
        return self._read(table, [None] * len(self.columns))

    def _read(self, table: Table, known: Sequence[Features | None]) -> Read:
        """A table, of some columns of which the features are known."""
        parts = zip(self.columns, each_column(table), known, strict=True)
        found = tuple(have or column.features(values, self.reading) for column, (_, values), have in parts)
        x = np.concatenate([f.values for f in found], axis=1) if found else np.empty((len(table), 0))
        return Read(x, found, self)

    @property
    def _plain(self) -> bool:
        return all(isinstance(column, NumberColumn) for column in self.columns)

    @property
    def levels(self) -> NDArray[np.int64]:
        """`Column.levels` of each feature, (D,)."""
        return np.array([level for column in self.columns for level in column.levels], dtype=np.int64)

    @property
    def places(self) -> NDArray[np.int64]:
        """The column of each feature, (D,)."""
        return np.repeat(np.arange(len(self.columns)), [len(column.levels) for column in self.columns])

    def table(self) -> pd.DataFrame:
        """A row per column: what it was taken for, how its cells are written, its range, and what to know of it."""
        return pd.DataFrame(
            [
                {
                    "column": column.name,
                    "kind": column.taken_for,
                    "detail": column.detail,
                    "low": column.seen.low,
                    "high": column.seen.high,
                    "different": column.seen.n_different,
                    "missing": column.seen.n_missing / max(1, column.seen.n),
                    "notes": "; ".join(column.notes),
                }
                for column in self.columns
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON-able data."""
        missing = self.reading.missing
        return {
            "columns": [column.to_json() for column in self.columns],
            "reading": {
                "missing": None if missing is None else sorted(missing),
                "decimal": self.reading.decimal,
                "day_first": self.reading.day_first,
            },
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Columns:
        """What `to_json` gave.

        Raises:
            ValueError: it is not that.
        """
        try:
            reading = dict(data["reading"])
            marks = reading.pop("missing")
            known = Reading(None if marks is None else frozenset(marks), **reading)
            return cls(tuple(from_json(column) for column in data["columns"]), known)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"columns: expected what an estimator wrote, got {describe(data)}") from error


def _of_matrix(table: Table) -> tuple[Column, ...]:
    """Columns of a table of numbers, without a look at each."""
    x = np.sort(_matrix(table), axis=0)  # NaN last
    there = (~np.isnan(x)).sum(0)
    different = (np.diff(x, axis=0) > 0).sum(0) + (there > 0)
    return tuple(
        NumberColumn(
            name,
            seen=Seen(
                len(x),
                int(len(x) - there[i]),
                int(different[i]),
                *((f"{x[0, i]:.6g}", f"{x[there[i] - 1, i]:.6g}") if there[i] else (None, None)),
            ),
        )
        for i, name in enumerate(_names(table))
    )


def _numeric(table: Table) -> bool:
    """Whether it is a table of numbers that double precision tells apart, which needs no look at each column."""
    if not isinstance(table, pd.DataFrame):
        return table.dtype.kind in "fiub" and not _is_large(table)
    if not all(isinstance(dtype, np.dtype) and dtype.kind in "fiu" for dtype in table.dtypes):
        return False
    return not any(_is_large(table.iloc[:, i]) for i, dtype in enumerate(table.dtypes) if dtype.kind != "f")


def _is_large(values: Any) -> bool:
    """Whether integers are too large to be exact in double precision."""
    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8 or not values.size:
        return False
    return bool(values.max() > EXACT or values.min() < -EXACT)


def _matrix(table: Table) -> Numbers:
    numbers = table.to_numpy(dtype=np.float64, na_value=np.nan) if isinstance(table, pd.DataFrame) else table
    return np.array(numbers, dtype=np.float64)  # a copy, since the user's own may be read-only


def _names(table: Table) -> list[str]:
    if isinstance(table, pd.DataFrame):
        return [str(name) for name in table.columns]
    return [str(place) for place in range(table.shape[1])]


def each_column(table: Table) -> Iterator[tuple[str, Any]]:
    """The name and the cells (n,) of each column."""
    if not isinstance(table, pd.DataFrame):
        yield from zip(_names(table), table.T, strict=True)
    elif (table.dtypes == np.dtype(object)).all():
        # at once: making a Series of each column takes longer than reading it
        yield from zip(_names(table), table.to_numpy().T, strict=True)
    else:
        for name, series in table.items():
            plain = series.dtype == np.dtype(object)
            yield str(name), series.to_numpy() if plain else series.reset_index(drop=True)
