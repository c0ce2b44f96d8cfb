"""The columns of a table as numbers: what is a number, what a category, and what is missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ctxlearn.checks import describe

Table = NDArray[Any] | pd.DataFrame
Numbers = NDArray[np.float64]
Plain = str | float
"""What a category is kept as, so that it can be written as JSON (int and bool count as float)."""

MANY = 64
"""Most categories whose codes are shuffled; a column of more is names rather than categories."""
MOSTLY = 0.5
"""Share of a text column's different values above which those that read as numbers make the others look like mistakes."""


@dataclass(frozen=True)
class Column:
    """One column: numbers, or categories.

    Attributes:
        name: how messages call it.
        categories: in the order of their codes; None for numbers.
        ordered: whether that order means something.
    """

    name: str
    categories: tuple[Plain, ...] | None = None
    ordered: bool = False

    @property
    def levels(self) -> int:
        """Categories whose order means nothing, where there are 3 to `MANY`; else 0."""
        n = 0 if self.categories is None or self.ordered else len(self.categories)
        return n if 3 <= n <= MANY else 0

    def numbers(self, values: Any) -> Numbers:
        """Values of this column as numbers: categories as their codes; missing and unknown categories as NaN."""
        found = _plain(self.name, values)
        if self.categories is None:
            return _as_numbers(self.name, found)
        codes = {category: float(code) for code, category in enumerate(self.categories)}
        text = bool(self.categories) and isinstance(self.categories[0], str)
        if isinstance(found, pd.Series):
            present = found.dropna()
            wrong = present[[isinstance(v, str) != text for v in present]] if self.categories else present[:0]
        else:
            wrong = pd.Series(found)[~np.isnan(found)][: None if text else 0]
        if len(wrong):
            kind = "text" if text else "a number"
            raise ValueError(
                f"X: {_cell(self.name, wrong.index[0])}: expected {kind}, as the categories of this column were in fit,"
                f" got {describe(_category(wrong.iloc[0]))}"
            )
        return np.array([codes.get(value, np.nan) for value in found], dtype=float)


@dataclass(frozen=True)
class Columns:
    """How the columns of a table become numbers; learned from the context alone.

    Numbers and Booleans are numbers. Text, and the categorical type of pandas, are categories, whose codes are in the order
    of pandas or sorted; a category that the context lacks counts as missing. Text that reads as numbers throughout is numbers.
    """

    columns: tuple[Column, ...]

    @classmethod
    def learn(cls, table: Table) -> Columns:
        """From the context's inputs, (n, d).

        Raises:
            ValueError: a column mixes numbers and text, or holds dates or other things that are neither.
            TypeError: a cell is neither text nor a real number.
        """
        if _numeric(table):
            return cls(tuple(Column(name) for name in _names(table)))
        return cls(tuple(_learn(name, values) for name, values in _each(table)))

    def numbers(self, table: Table) -> Numbers:
        """A table of the same columns as numbers (n, d), NaN where missing.

        Raises:
            ValueError: as in `learn`; text where fit saw numbers, or the other way; infinity.
            TypeError: as in `learn`.
        """
        if all(column.categories is None for column in self.columns) and _numeric(table):
            found = _matrix(table)
        else:
            pairs = zip(self.columns, _each(table), strict=True)
            columns = [column.numbers(values) for column, (_, values) in pairs]
            found = np.stack(columns, axis=1) if columns else np.empty((len(table), 0))
        if np.isinf(found).any():
            row, place = np.argwhere(np.isinf(found))[0]
            raise ValueError(
                f"X: {_cell(self.columns[place].name, row)}: expected finite numbers, or NaN for missing, got"
                f" {found[row, place]} ({int(np.isinf(found).sum())} infinite values in all)"
            )
        return found

    @property
    def levels(self) -> NDArray[np.int64]:
        """`Column.levels` of each, (d,)."""
        return np.array([column.levels for column in self.columns], dtype=np.int64)

    def to_json(self) -> list[dict[str, Any]]:
        """As JSON-able data."""
        return [{"name": c.name, "categories": c.categories, "ordered": c.ordered} for c in self.columns]

    @classmethod
    def from_json(cls, data: list[dict[str, Any]]) -> Columns:
        """What `to_json` gave."""
        read = [
            Column(c["name"], None if c["categories"] is None else tuple(c["categories"]), c["ordered"]) for c in data
        ]
        return cls(tuple(read))


def _learn(name: str, values: Any) -> Column:
    if isinstance(values, pd.Series) and isinstance(values.dtype, pd.CategoricalDtype):
        ordered = bool(values.cat.ordered)
        declared = values.cat.categories if ordered else values.cat.remove_unused_categories().cat.categories
        kinds = {isinstance(v, str) for v in map(_category, declared)}
        as_text = len(kinds) > 1
        return Column(name, tuple(str(v) if as_text else _category(v) for v in declared), ordered)
    found = _plain(name, values)
    if not isinstance(found, pd.Series):
        empty = np.isnan(found).all() and not _is_real(getattr(values, "dtype", np.dtype(object)))
        return Column(name, () if empty else None)  # of a column without values nothing is known, not even its kind
    text = found.dropna()
    different = pd.Series(text.unique(), dtype=object)
    read = pd.to_numeric(different, errors="coerce").notna()
    if read.all():
        return Column(name)
    if read.mean() > MOSTLY:
        odd = different[~read].iloc[0]
        raise ValueError(
            f"X: {_cell(name, text.index[text == odd][0])}: expected a number, as in most rows of this column, got"
            f" {describe(odd)}; mend it, leave it empty (NaN) where it is unknown, or make the column categorical"
            " (pandas: astype('category'))"
        )
    return Column(name, tuple(sorted(different)))


def _plain(name: str, values: Any) -> Numbers | pd.Series[Any]:
    """A column as float64, or as an object series of text (and categories), None where missing; its index counts rows."""
    series = values if isinstance(values, pd.Series) else pd.Series(values)
    dtype = series.dtype
    if pd.api.types.is_bool_dtype(dtype) and not isinstance(dtype, pd.CategoricalDtype):
        return np.asarray(series.astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan))
    if _is_real(dtype):
        return series.to_numpy(dtype=np.float64, na_value=np.nan)
    categorical = isinstance(dtype, pd.CategoricalDtype)
    if not categorical and not isinstance(dtype, pd.StringDtype) and dtype != np.dtype(object):
        raise ValueError(
            f"X: {_cell(name)}: expected numbers, text or categories, got {dtype}; turn it into numbers that mean"
            " something (days since a date, say) or leave it out"
        )
    cells = pd.Series(series.to_numpy(dtype=object), dtype=object)
    missing = cells.isna().to_numpy()
    if categorical:
        return pd.Series([None if gone else _category(v) for v, gone in zip(cells, missing, strict=True)], dtype=object)
    kinds = [_kind(name, row, v) for row, (v, gone) in enumerate(zip(cells, missing, strict=True)) if not gone]
    if len(set(kinds)) > 1:
        rows = np.flatnonzero(~missing)
        of_text, of_numbers = rows[kinds.index("text")], rows[kinds.index("number")]
        raise ValueError(
            f"X: {_cell(name)}: expected numbers or text, got both: {cells[of_numbers]!r} in row {of_numbers} and"
            f" {cells[of_text]!r} in row {of_text}; make them all one"
        )
    if not kinds or kinds[0] == "number":
        return np.array([np.nan if gone else float(v) for v, gone in zip(cells, missing, strict=True)], dtype=float)
    return cells.where(~missing, None)


def _kind(name: str, row: int, value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, Real | np.bool_):
        return "number"
    raise TypeError(f"X: {_cell(name, row)}: argument must be a string or a real number, got {describe(value)}")


def _as_numbers(name: str, found: Numbers | pd.Series[Any]) -> Numbers:
    if not isinstance(found, pd.Series):
        return found
    numbers = pd.to_numeric(found, errors="coerce")
    wrong = found[numbers.isna() & found.notna()]
    if len(wrong):
        raise ValueError(
            f"X: {_cell(name, wrong.index[0])}: expected a number, as in fit, got {describe(_category(wrong.iloc[0]))};"
            " where its values are names, make the column categorical in both (pandas: astype('category'))"
        )
    return numbers.to_numpy(dtype=np.float64)


def _category(value: Any) -> Plain:
    """A category as text or a number: what it is, or how it is written (an interval, say)."""
    value = value.item() if isinstance(value, np.generic) else value
    return value if isinstance(value, str | bool | int | float) else str(value)


def _is_real(dtype: Any) -> bool:
    return bool(pd.api.types.is_numeric_dtype(dtype)) and not pd.api.types.is_complex_dtype(dtype)


def _numeric(table: Table) -> bool:
    """Whether it is a table of numbers and Booleans, which needs no look at each column."""
    if isinstance(table, pd.DataFrame):
        return all(_is_real(dtype) for dtype in table.dtypes)
    return table.dtype.kind in "fiub"


def _matrix(table: Table) -> Numbers:
    numbers = table.to_numpy(dtype=np.float64, na_value=np.nan) if isinstance(table, pd.DataFrame) else table
    return np.array(numbers, dtype=np.float64)  # a copy, since the user's own may be read-only


def _names(table: Table) -> list[str]:
    if isinstance(table, pd.DataFrame):
        return [str(name) for name in table.columns]
    return [str(place) for place in range(table.shape[1])]


def _each(table: Table) -> Iterator[tuple[str, Any]]:
    for place, name in enumerate(_names(table)):
        if isinstance(table, pd.DataFrame):
            yield name, table.iloc[:, place].reset_index(drop=True)
        else:
            yield name, table[:, place]


def _cell(name: str, row: Any = None) -> str:
    return f"column {name!r}" + ("" if row is None else f", row {int(row)}")
